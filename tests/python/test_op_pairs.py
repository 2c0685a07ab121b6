"""ADD, SUB, MUL, MAXIMUM, MINIMUM and PRELU against tflite-runtime's reference kernels and the
NumPy reference."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop import image, reference
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.graph import Activation, Kind
from byteprop.ops.add import Add
from byteprop.ops.extremum import Extremum
from byteprop.ops.mul import Mul
from byteprop.ops.prelu import Prelu

NAMES = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "PRELU")
FUSES = ("ADD", "SUB", "MUL")
CODES = {"ADD": 17, "SUB": 17, "MUL": 18, "MAXIMUM": 19, "MINIMUM": 19, "PRELU": 21}
Array = np.ndarray[Any, Any]


def int8s(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    if rng.random() < 0.3:
        return rng.choice([-128, -127, -1, 0, 1, 126, 127], shape).astype(np.int8)
    return rng.integers(-128, 128, shape).astype(np.int8)


def scale(rng: np.random.Generator, low: float, high: float) -> np.float32:
    return np.float32(2 ** rng.uniform(low, high))


def shapes(rng: np.random.Generator, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Same shape, per channel, a scalar, or 1 in any dimension of either."""
    full = tuple(int(d) for d in rng.integers(1, 6, 4))
    if rng.random() < 0.2:
        full = (*full[:3], int(rng.integers(30, 70)))
    kind = rng.integers(0, 5)
    if kind == 0:
        return full, full
    if kind == 1:
        return full, full[-1:]
    if kind == 2:
        return full, ()
    other = tuple(1 if rng.random() < 0.5 else d for d in full)[int(rng.integers(0, 3)) :]
    if kind == 4 and name != "PRELU":
        return tuple(1 if rng.random() < 0.3 else d for d in full), other
    return full, other


def scales(rng: np.random.Generator, name: str) -> tuple[np.float32, np.float32, np.float32]:
    s1, s2 = scale(rng, -6, 0), scale(rng, -6, 0)
    if name == "MUL":
        return s1, s2, np.float32(s1 * s2 * 2 ** rng.uniform(0, 10))
    return s1, s2, scale(rng, -6, 1)


def pair_model(
    name: str,
    x1: tuple[int, ...],
    x2: Array | tuple[int, ...],
    *,
    swapped: bool = False,
    s: tuple[Any, Any, Any] = (0.1, 0.1, 0.1),
    z: tuple[int, ...] = (0, 0, 0),
    activation: str = "NONE",
) -> bytes:
    """x2: a shape for a second input, or a constant. swapped: x2 comes first."""
    builder = tb.ModelBuilder()
    first = builder.tensor(x1, scale=s[0], zero_point=z[0], name="x1")
    shape, data = (x2.shape, x2) if isinstance(x2, np.ndarray) else (x2, None)
    second = builder.tensor(shape, scale=s[1], zero_point=z[1], data=data, name="x2")
    y_shape = np.broadcast_shapes(x1, shape)
    y = builder.tensor(y_shape, scale=s[2], zero_point=z[2], name="y")
    fused = getattr(tflite.ActivationFunctionType, activation)
    options = (
        tb.options_of(name.capitalize(), FusedActivationFunction=fused) if name in FUSES else None
    )
    operands = [second, first] if swapped else [first, second]
    version = 1 if name == "PRELU" else 2
    builder.op(
        getattr(tflite.BuiltinOperator, name), operands, [y], version=version, options=options
    )
    return builder.build([first] if data is not None else [first, second], [y])


def check(file: bytes, inputs: list[Array]) -> None:
    loaded = byteprop.load(file)
    expected = builtin_ref.run(file, inputs)[0]
    given = inputs[0] if len(inputs) == 1 else inputs
    np.testing.assert_array_equal(loaded.run(given), expected.reshape(loaded.run(given).shape))
    by_numpy = reference.run(loaded.graph, inputs)[0]
    np.testing.assert_array_equal(by_numpy, expected.reshape(by_numpy.shape))
    assert image.decode(image.encode(loaded.graph)) == loaded.graph
    assert byteprop.load(write_tflite(loaded.graph)).graph == loaded.graph


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(60))
def test_every_byte(name: str, seed: int) -> None:
    rng = np.random.default_rng([seed, CODES[name], len(name)])
    x1, x2 = shapes(rng, name)
    activation = "NONE"
    if name in FUSES:
        activation = str(rng.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]))
    z = tuple(int(v) for v in rng.choice([-128, 127, *rng.integers(-128, 128, 6)], 3))
    is_constant = bool(rng.random() < 0.5)
    file = pair_model(
        name, x1, int8s(rng, x2) if is_constant else x2, s=scales(rng, name), z=z,
        swapped=name != "PRELU" and bool(rng.random() < 0.4), activation=activation,
    )  # fmt: skip
    # The runtime takes one batch at a time, and byteprop the first dimension as the batch.
    inputs = [int8s(rng, x1)] + ([] if is_constant else [int8s(rng, x2 or (1,))])
    check(file, inputs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zeros", [(-128, -128), (127, 127), (-128, 127), (5, -3)])
def test_every_pair_of_integers(name: str, zeros: tuple[int, int]) -> None:
    """All 65,536 pairs, with scales that are equal, far apart, and odd."""
    every = np.arange(-128, 128, dtype=np.int8)
    x1, x2 = every.reshape(1, 256, 1), every.reshape(1, 1, 256)
    if name == "PRELU":  # whose output has the shape of x
        x1 = np.repeat(x1, 256, axis=2)
    for s in ((0.02, 0.02, 0.03), (0.5, 2**-20, 0.5), (0.0117, 0.083, 0.0931)):
        check(pair_model(name, x1.shape, x2, s=s, z=(*zeros, 3)), [x1])


def test_what_the_graph_says_of_them() -> None:
    ops = [byteprop.load(pair_model(n, (1, 4), (1, 4))).graph.ops[0] for n in NAMES]
    assert ops[0] == Add(0, 2, 1) and ops[1] == Add(0, 2, 1, subtracts=True)
    assert ops[2] == Mul(0, 2, 1)
    assert ops[3] == Extremum(0, 2, 1, greater=True)
    assert ops[4] == Extremum(0, 2, 1, greater=False)
    assert ops[5] == Prelu(0, 2, 1)
    fused = byteprop.load(pair_model("SUB", (1, 4), (1, 4), activation="RELU6")).graph.ops[0]
    assert fused == Add(0, 2, 1, subtracts=True, activation=Activation.RELU6)


@pytest.mark.parametrize("name", NAMES)
def test_the_image_names_the_op(name: str) -> None:
    graph = byteprop.load(pair_model(name, (1, 4), (1, 4))).graph
    code = CODES[name]
    assert image.features(image.encode(graph)) == {
        {17: "add", 18: "mul", 19: "extremum", 21: "prelu"}[code]
    }


# --- memory ---


def test_the_output_takes_the_bytes_of_an_input_of_its_size() -> None:
    assert byteprop.load(pair_model("ADD", (1, 64), (1, 64))).arena_bytes == 128
    assert byteprop.load(pair_model("ADD", (1, 1), (1, 64))).arena_bytes == 4 + 64
    assert byteprop.load(pair_model("MUL", (1, 64), np.ones(64, np.int8))).arena_bytes == 64
    assert byteprop.load(pair_model("MUL", (8, 1), (1, 8))).arena_bytes == 8 + 8 + 64


def test_an_input_that_is_read_later_keeps_its_bytes() -> None:
    """x + (x + x): the second op overwrites the sum, not x."""
    builder = tb.ModelBuilder()
    x, a, y = (builder.tensor((1, 32), scale=0.1, name=n) for n in "xay")
    options = tb.options_of("Add", FusedActivationFunction=0)
    code = tflite.BuiltinOperator.ADD
    builder.op(code, [x, x], [a], version=2, options=options)
    builder.op(code, [x, a], [y], version=2, options=options)
    file = builder.build([x], [y])
    assert byteprop.load(file).arena_bytes == 64
    check(file, [int8s(np.random.default_rng(0), (1, 32))])


def test_a_constant_of_several_ops_is_stored_once() -> None:
    builder = tb.ModelBuilder()
    x, a, y = (builder.tensor((1, 32), scale=0.1, name=n) for n in "xay")
    data = int8s(np.random.default_rng(1), (32,))
    c = builder.tensor((32,), scale=0.1, data=data, name="c")
    options = tb.options_of("Add", FusedActivationFunction=0)
    code = tflite.BuiltinOperator.ADD
    builder.op(code, [x, c], [a], version=2, options=options)
    builder.op(code, [c, a], [y], version=2, options=options)
    file = builder.build([x], [y])
    graph = byteprop.load(file).graph
    assert [t.kind for t in graph.tensors].count(Kind.CONSTANT) == 1
    check(file, [int8s(np.random.default_rng(2), (1, 32))])


# --- refusals ---


@pytest.mark.parametrize("name", ["ADD", "SUB"])
def test_an_output_that_is_too_fine(name: str) -> None:
    """The output's multiplier would shift to the left, at which TensorFlow Lite aborts."""
    file = pair_model(name, (1, 4), (1, 4), s=(1.0, 0.5, 2**-19 * 1.01))
    assert byteprop.load(file)
    for finest in (2**-19, 2**-20):
        with pytest.raises(UnsupportedOpError, match=rf"op 0, {name} .*2\^19 times as fine"):
            byteprop.load(pair_model(name, (1, 4), (1, 4), s=(1.0, 0.5, finest)))
    graph = byteprop.load(file).graph
    fine = replace(graph.tensors[2], scale=np.float32(2**-20))
    with pytest.raises(ModelError, match=r"op 0 Add .*2\^19 times as fine"):
        image.encode(replace(graph, tensors=(*graph.tensors[:2], fine)))


@pytest.mark.parametrize("name", ["MUL", "PRELU"])
def test_a_multiplier_that_is_too_large(name: str) -> None:
    with pytest.raises(UnsupportedOpError, match=r"expected less than 2\^30"):
        byteprop.load(pair_model(name, (1, 4), (1, 4), s=(2.0**10, 2.0**10, 2.0**-11)))


def test_shapes_that_do_not_go_together() -> None:
    builder = tb.ModelBuilder()
    x1, x2, y = (builder.tensor((1, n), scale=0.1) for n in (4, 3, 4))
    builder.op(tflite.BuiltinOperator.MAXIMUM, [x1, x2], [y], version=2)
    with pytest.raises(ModelError, match=r"inputs of the shapes \[1, 4\] and \[1, 3\]"):
        byteprop.load(builder.build([x1, x2], [y]))


def test_slopes_larger_than_the_input() -> None:
    with pytest.raises(ModelError, match=r"slopes of the shape \[2, 4\] for \[1, 4\]"):
        byteprop.load(pair_model("PRELU", (1, 4), (2, 4)))


def test_operands_of_two_types() -> None:
    builder = tb.ModelBuilder()
    types = {"x1": tb.UINT8, "x2": tb.UINT8, "y": tb.INT8}
    x1, x2, y = (builder.tensor((1, 4), t, scale=0.1, name=n) for n, t in types.items())
    builder.op(tflite.BuiltinOperator.MAXIMUM, [x1, x2], [y], version=2)
    with pytest.raises(UnsupportedOpError, match="both UINT8 and INT8 in one op"):
        byteprop.load(builder.build([x1, x2], [y]))


def test_an_activation_that_cannot_be_fused() -> None:
    with pytest.raises(UnsupportedOpError, match="fused activation TANH"):
        byteprop.load(pair_model("ADD", (1, 4), (1, 4), activation="TANH"))


def test_a_constant_of_another_size_than_its_shape() -> None:
    builder = tb.ModelBuilder()
    x, y = (builder.tensor((1, 4), scale=0.1) for _ in range(2))
    c = builder.tensor((4,), scale=0.1, data=b"\1\2\3", name="c")
    builder.op(tflite.BuiltinOperator.MUL, [x, c], [y], version=2)
    with pytest.raises(ModelError, match="constant 'c': expected 4 bytes, got 3"):
        byteprop.load(builder.build([x], [y]))


# --- records of images that no encoder writes ---


def changed(file: bytes, change: Callable[[Any, Any, bytearray], None]) -> bytes:
    """The image with tensors, the op's parameters (i32), or any byte changed, and a checksum."""
    blob = bytearray(byteprop.load(file).image)
    header = np.frombuffer(blob, image.HEADER, 1)[0]
    tensors = np.frombuffer(blob, image.TENSOR, int(header["n_tensors"]), header["tensors_offset"])
    (record,) = np.frombuffer(blob, "<u4", 1, int(header["ops_offset"]))
    words = np.frombuffer(blob, "<i4", blob[record + 3], int(record) + 4 + 8)
    change(tensors, words, blob)
    blob[12:16] = zlib.crc32(blob[16:]).to_bytes(4, "little")
    return bytes(blob)


def set_word(word: int, value: int) -> Callable[[Any, Any, bytearray], None]:
    def change(tensors: Any, words: Any, blob: bytearray) -> None:
        words[word] = value

    return change


def set_dims(tensor: int, *dims: int) -> Callable[[Any, Any, bytearray], None]:
    def change(tensors: Any, words: Any, blob: bytearray) -> None:
        tensors[tensor]["dims"][: len(dims)] = dims
        tensors[tensor]["elems"] = np.prod(dims)

    return change


def on_the_output(tensors: Any, words: Any, blob: bytearray) -> None:
    tensors[1]["offset"] = tensors[2]["offset"]


@pytest.mark.parametrize(
    ("name", "change", "status"),
    [
        ("ADD", set_word(0, 0x0200), "PARAM"),  # neither added nor subtracted
        ("ADD", set_word(1, 0x7F << 16 | 0xFF00), "PARAM"),  # y_min below int8
        ("ADD", set_word(3, 1), "PARAM"),  # a shift to the left
        ("ADD", set_word(7, 1), "PARAM"),
        ("ADD", set_word(2, 5), "PARAM"),  # no multiplier
        ("MUL", set_word(3, 31), "PARAM"),
        ("MAXIMUM", set_word(0, 2), "PARAM"),
        ("PRELU", set_word(3, -32), "PARAM"),
        ("ADD", set_dims(0, 1, 3), "SHAPE"),  # 3 and 1 do not give 4
        ("MUL", set_dims(2, 4, 1), "SHAPE"),
        ("PRELU", set_dims(0, 1, 1), "SHAPE"),
        ("MINIMUM", on_the_output, "OVERLAP"),  # a repeated input is overwritten while it is read
    ],
)
def test_a_record_that_cannot_be_run(
    name: str, change: Callable[[Any, Any, bytearray], None], status: str
) -> None:
    file = pair_model(name, (1, 4), (1, 1))
    with pytest.raises(ModelError, match=f"E_{status}"):
        byteprop.load(changed(file, change))
