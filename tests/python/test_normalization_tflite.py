"""SUB, MUL and QUANTIZE in .tflite files: the same bytes as tflite-runtime for the same reals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

import builtin_ref
import byteprop
from byteprop import Dense, Model, Sequential, image
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.graph import Activation, DType, Graph, Normalization, Tensor
from byteprop.importer import load_tflite
from byteprop.ops import Rescale
from byteprop.tflite.file import TfliteFile, options_of
from random_graphs import normalized_graph
from training_data import adc, fashion_test_images, weather

Array = npt.NDArray[Any]
Code = tflite.BuiltinOperator
OPTIONS = {Code.ADD: "Add", Code.SUB: "Sub", Code.MUL: "Mul", Code.DIV: "Div"}


def quantizer(
    shape: tuple[int, ...], normalization: Normalization | None, scale: float = 1 / 32
) -> Graph:
    """A float32 input as integers, which RELU_N1_TO_1 of a wide scale leaves as they are."""
    x = Tensor("x", shape, DType.INT8, np.float32(scale), 0, True, normalization)
    return Graph((x, Tensor("y", shape, DType.INT8, np.float32(scale), 0)),
                 (Rescale(0, 1, Activation.NONE),), (0,), (1,))  # fmt: skip


def same_as_tensorflow_lite(data: bytes, x: Array) -> Array:
    """byteprop's outputs, which must be those of the reference kernels."""
    answers = byteprop.load(data).run(x.astype(np.float32))
    expected = builtin_ref.run(data, [x.astype(np.float32)])[0]
    assert answers.dtype == expected.dtype
    assert answers.tobytes() == expected.tobytes()
    return np.asarray(answers)


# --- written ---


def test_a_trained_network_is_the_same_in_tensorflow_lite(tmp_path: Path) -> None:
    for x, y in (adc(), weather()):
        classes = int(y.max()) + 1
        net = Sequential([Dense(9, "relu"), Dense(classes, "softmax")], input_shape=x.shape[1:])
        net.fit(x, y)
        net.save(tmp_path / "net.tflite")
        loaded = byteprop.load(tmp_path / "net.tflite")
        assert loaded.inputs[0].normalization == net.inputs[0].normalization
        assert image.without_names(loaded.image) == image.without_names(net.image)
        wide = np.concatenate([x, 3 * x - 2 * x.mean(axis=0), -x])
        answers = same_as_tensorflow_lite((tmp_path / "net.tflite").read_bytes(), wide)
        np.testing.assert_array_equal(net.predict(wide.astype(np.float32)), answers / 256 + 0.5)


def test_images_divided_by_256(tmp_path: Path) -> None:
    x, y = fashion_test_images()
    net = Sequential([Dense(10, "softmax")], input_shape=784)
    net.fit(x[:100].astype(np.float32), y[:100])
    net.save(tmp_path / "net.tflite")
    # The trainer claims no short requantization for layers that it changes; encoding does.
    assert byteprop.load(tmp_path / "net.tflite").image == image.encode(
        byteprop.load(net.image).graph
    )
    same_as_tensorflow_lite((tmp_path / "net.tflite").read_bytes(), x[:50])


@given(st.integers(0, 2**32 - 1), st.sampled_from([(1, 6), (1, 2, 3), (1, 3, 2, 1)]))
@settings(max_examples=40, deadline=None)
def test_any_constants(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, shape[-1], 6]))
    sub = rng.normal(size=n) * 10.0 ** rng.integers(-6, 7, n)
    mul = rng.normal(size=n) * 10.0 ** rng.integers(-6, 7, n)
    mul[rng.random(n) < 0.1] = 0
    constants = Normalization(sub.astype(np.float32), mul.astype(np.float32))
    graph = quantizer(shape, constants, float(rng.uniform(0.001, 1)))
    data = write_tflite(graph)
    assert load_tflite(data).tensors[0] == graph.tensors[0]
    codes = rng.integers(-140, 140, (40, *shape[1:]))
    reach = np.where(mul == 0, 1, mul).repeat(1)
    flat = codes.reshape(40, -1) * graph.tensors[0].scale
    x = flat / np.tile(reach, 6 // n) + np.tile(sub, 6 // n)
    # Half steps, where rounding is decided.
    x[::2] += 0.5 * graph.tensors[0].scale / np.tile(reach, 6 // n)
    same_as_tensorflow_lite(data, x.reshape(codes.shape))


def test_what_changes_nothing_is_not_written() -> None:
    ones, zeros = np.ones(1, np.float32), np.zeros(1, np.float32)
    sizes = []
    for sub, mul in ((zeros + 2, ones), (zeros, ones + 2), (zeros + 2, ones + 2)):
        graph = quantizer((1, 4), Normalization(sub, mul))
        data = write_tflite(graph)
        assert load_tflite(data).tensors[0] == graph.tensors[0]
        same_as_tensorflow_lite(data, np.linspace(-5, 5, 40).reshape(-1, 4))
        sizes.append(len(data))
    assert max(sizes[:2]) < sizes[2]


def test_other_ops_around_it() -> None:
    graph = normalized_graph()
    data = write_tflite(graph)
    model = Model(graph)
    x = np.random.default_rng(3).normal(size=(30, 2, 3)).astype(np.float32) * 100
    np.testing.assert_array_equal(byteprop.load(data).run(x), model.run(x))
    np.testing.assert_array_equal(builtin_ref.run(data, [x])[0], model.run(x))


# --- read ---


def file_of(
    steps: Sequence[tuple[int, Any, str]],
    shape: tuple[int, ...] = (1, 4),
    *,
    fused: int = 0,
    constant_type: int = tflite.TensorType.FLOAT32,
) -> bytes:
    """A float32 input, steps (op, constant, which of "xc" or "cx" comes first), QUANTIZE."""
    file = TfliteFile()
    x = value = file.tensor(shape, tflite.TensorType.FLOAT32, name="x")
    for i, (code, constant, order) in enumerate(steps):
        array = np.asarray(constant, "<f4")
        if constant_type != tflite.TensorType.FLOAT32:
            array = array.astype("<i4")
        at = file.tensor(array.shape, constant_type, name=f"c{i}", data=array)
        result = file.tensor(shape, tflite.TensorType.FLOAT32, name=f"r{i}")
        options = options_of(OPTIONS[code], FusedActivationFunction=fused)
        file.op(code, [value, at] if order == "xc" else [at, value], [result], options=options)
        value = result
    q, y = (
        file.tensor(shape, tflite.TensorType.INT8, name=name, scale=np.float32(0.05), zero_point=3)
        for name in "qy"
    )
    file.op(Code.QUANTIZE, [value], [q])
    file.op(Code.RELU, [q], [y], version=2)
    return file.build([x], [y])


VECTOR = [1.0, -2.0, 0.5, 100.0]


@pytest.mark.parametrize(
    ("steps", "sub", "mul"),
    [
        ([(Code.SUB, VECTOR, "xc")], VECTOR, [1] * 4),
        ([(Code.MUL, VECTOR, "xc")], [0] * 4, VECTOR),
        ([(Code.MUL, VECTOR, "cx")], [0] * 4, VECTOR),
        ([(Code.MUL, 0.3, "xc")], [0], np.float32([0.3])),
        ([(Code.SUB, [0.7], "xc"), (Code.MUL, VECTOR, "xc")], np.float32([0.7] * 4), VECTOR),
        ([(Code.SUB, [VECTOR], "xc"), (Code.MUL, 3, "cx")], VECTOR, [3] * 4),
        ([(Code.ADD, VECTOR, "xc")], [-1, 2, -0.5, -100], [1] * 4),
        ([(Code.ADD, VECTOR, "cx"), (Code.DIV, [4, 0.5, -8, 1], "xc")],
         [-1, 2, -0.5, -100], [0.25, 2, -0.125, 1]),
    ],
)  # fmt: skip
def test_read(steps: Any, sub: Any, mul: Any) -> None:
    data = file_of(steps)
    source = load_tflite(data).tensors[0]
    assert source.float_border
    assert source.normalization == Normalization(
        np.asarray(sub, np.float32), np.asarray(mul, np.float32)
    )
    x = np.random.default_rng(1).normal(size=(400, 4)) * 10 ** np.linspace(-3, 3, 400)[:, None]
    same_as_tensorflow_lite(data, x)
    # And written again.
    again = write_tflite(load_tflite(data))
    assert load_tflite(again).tensors[0] == source
    same_as_tensorflow_lite(again, x)


@pytest.mark.parametrize(
    ("shape", "constant", "n"),
    [
        ((1, 2, 3), np.arange(3) + 1, 3),
        ((1, 2, 3), np.arange(6).reshape(2, 3) + 1, 6),
        ((1, 2, 3), np.arange(2).reshape(2, 1) + 1, 6),
        ((1, 2, 3), np.arange(6).reshape(1, 2, 3) + 1, 6),
        ((1, 2, 3), np.full((1, 1, 1), 2), 1),
        ((3, 4), np.arange(4) + 1, 4),
        ((3, 4), np.full((3, 1), 2), 4),
    ],
)
def test_constants_of_any_shape_that_broadcasts(
    shape: tuple[int, ...], constant: Array, n: int
) -> None:
    data = file_of([(Code.MUL, constant, "xc")], shape)
    found = load_tflite(data).tensors[0].normalization
    assert found is not None and len(found.mul) == n
    x = np.random.default_rng(2).normal(size=(6, *shape[1:]))
    same_as_tensorflow_lite(data, x)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (lambda: file_of([(Code.MUL, 2, "xc"), (Code.SUB, 1, "xc")]), UnsupportedOpError,
         "in this order"),
        (lambda: file_of([(Code.SUB, 2, "xc"), (Code.SUB, 1, "xc")]), UnsupportedOpError,
         "one SUB or ADD"),
        (lambda: file_of([(Code.MUL, 2, "xc"), (Code.DIV, 2, "xc")]), UnsupportedOpError,
         "one MUL or DIV"),
        (lambda: file_of([(Code.DIV, 3, "xc")]), UnsupportedOpError, "MUL by the reciprocals"),
        (lambda: file_of([(Code.DIV, 0, "xc")]), UnsupportedOpError, "MUL by the reciprocals"),
        (lambda: file_of([(Code.SUB, 3, "cx")]), UnsupportedOpError, "SUB"),
        (lambda: file_of([(Code.SUB, 3, "xc")], fused=1), UnsupportedOpError, "activation"),
        (lambda: file_of([(Code.SUB, np.nan, "xc")]), ModelError, "'c0' is not finite"),
        (lambda: file_of([(Code.SUB, [1, 2], "xc")]), UnsupportedOpError, r"constants \[2\]"),
        (lambda: file_of([(Code.SUB, np.zeros((3, 4)), "xc")]), UnsupportedOpError,
         r"constants \[3, 4\]"),
        (lambda: file_of([(Code.SUB, np.arange(3).reshape(3, 1), "xc")], (3, 4)),
         UnsupportedOpError, "differ from sample to sample"),
        (lambda: file_of([(Code.SUB, np.zeros((300, 1)), "xc")], (1, 300, 300)),
         UnsupportedOpError, "not the last"),
        (lambda: file_of([(Code.SUB, 1, "xc")], constant_type=tflite.TensorType.INT32),
         UnsupportedOpError, "no float32 constant"),
    ],
)  # fmt: skip
def test_not_read(data: Any, error: type[ModelError], words: str) -> None:
    with pytest.raises(error, match=words):
        load_tflite(data())
