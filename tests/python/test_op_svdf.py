"""SVDF: layers against the reference and TensorFlow Lite over long sequences, and what is
refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tflite import TensorType

import builtin_ref
import random_networks
from byteprop import Model, image, reference
from byteprop.engine import _raw
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.graph import Graph
from byteprop.importer import load_tflite
from byteprop.importer.lowering import lower
from byteprop.ops.svdf import Svdf
from byteprop.tflite.rawmodel import RawOp, RawTensor, read
from op_generators import generators
from op_generators.common import zero_point
from random_graphs import Builder

N = 100


def drawn(seed: int, shape: tuple[int, int] = (2, 9)) -> Graph:
    rng = np.random.default_rng(seed)
    b = Builder()
    x = b.tensor(shape, 0.03, zero_point(rng))
    assert generators()["svdf"](rng, b, x)
    return b.graph((x,), (1,))


def svdf_of(graph: Graph) -> Svdf:
    (op,) = graph.ops
    assert isinstance(op, Svdf)
    return op


def with_tensor(graph: Graph, index: int, **changes: Any) -> Graph:
    tensors = list(graph.tensors)
    tensors[index] = replace(tensors[index], **changes)
    return replace(graph, tensors=tuple(tensors))


@pytest.mark.parametrize("seed", range(20))
def test_layers_agree_with_tensorflow_lite(seed: int) -> None:
    """Four calls, of which each goes on with the state of the one before."""
    rng = np.random.default_rng(seed)
    random_networks.check(drawn(seed, (int(rng.integers(1, 4)), int(rng.integers(1, 30)))), seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_sequence(seed: int) -> None:
    graph = drawn(seed)
    xs = random_networks.samples(graph, seed, N)
    (expected,) = builtin_ref.run(write_tflite(graph), xs)
    assert len(np.unique(expected)) > 20
    np.testing.assert_array_equal(Model(graph).run(xs[0], steps=True), expected)
    np.testing.assert_array_equal(reference.run(graph, xs)[0], expected)


# --- a state of int8 ---


COARSER = (32, 512)


def with_narrow_state(graph: Graph, coarser: int) -> tuple[Graph, Graph]:
    """The layer with time weights and a state of int8, whose scale is this many times as large, and
    the same time weights and scale with a state of int16."""
    op = svdf_of(graph)
    state = graph.tensors[op.state]
    time = (op.time >> 8).astype(np.int8)
    bias = op.bias // (256 * coarser)
    scales = {"time_scale": op.time_scale * np.float32(256), "bias": bias}
    wide = with_tensor(graph, op.state, scale=state.scale * np.float32(coarser))
    wide = replace(wide, ops=(replace(op, time=time.astype(np.int16), **scales),))
    narrow = with_tensor(wide, op.state, shape=(*state.shape[:3], 1))
    return replace(narrow, ops=(replace(op, time=time, **scales),)), wide


@pytest.mark.parametrize("seed", range(8))
def test_a_state_of_int8_is_one_of_int16_unless_it_saturates(seed: int) -> None:
    """TensorFlow Lite runs the second alone."""
    narrow, wide = with_narrow_state(drawn(seed), COARSER[seed % 2])
    xs = random_networks.samples(narrow, seed, N)
    values = reference.run_states(wide, xs, reference.first_states(wide))
    assert narrow.tensors[2].elems * 2 == wide.tensors[2].elems == len(values[2])
    (expected,) = builtin_ref.run(write_tflite(wide), xs)
    found = Model(narrow).run(xs[0], steps=True)
    np.testing.assert_array_equal(reference.run(narrow, xs)[0], found)
    np.testing.assert_array_equal(Model(load_tflite(write_tflite(narrow))).run(xs[0], steps=True),
                                  found)  # fmt: skip
    assert image.encode(image.decode(image.encode(narrow))) == image.encode(narrow)
    if not saturates(wide, xs):
        np.testing.assert_array_equal(found, expected)


def saturates(wide: Graph, xs: list[Any]) -> bool:
    """Whether a value of the state, in any step, leaves int8."""
    states = reference.first_states(wide)
    for x in xs[0].reshape(-1, *wide.tensors[0].shape):
        states = reference.run_states(wide, [x], states)
        values = states[2].view("<i2")
        if values.min() < -128 or values.max() > 127:
            return True
    return False


def test_both_cases_of_a_state_of_int8_occur() -> None:
    found = set()
    for seed in range(8):
        narrow, wide = with_narrow_state(drawn(seed), COARSER[seed % 2])
        found.add(saturates(wide, random_networks.samples(narrow, seed, N)))
    assert found == {False, True}


@pytest.mark.parametrize("seed", range(8))
def test_a_state_of_int8_with_a_zero_point(seed: int) -> None:
    """It changes nothing but what is stored, unless a value leaves int8 on one side."""
    narrow, _ = with_narrow_state(drawn(seed), COARSER[1])
    moved = with_tensor(narrow, 2, zero_point=(-1) ** seed * 9 * seed)
    xs = random_networks.samples(narrow, seed, N)
    found = Model(moved).run(xs[0], steps=True)
    np.testing.assert_array_equal(reference.run(moved, xs)[0], found)
    again = load_tflite(write_tflite(moved))
    np.testing.assert_array_equal(Model(again).run(xs[0], steps=True), found)
    assert image.encode(image.decode(image.encode(moved))) == image.encode(moved)
    values = Model(moved)
    values.run(xs[0], steps=True)
    (kept,) = values.get_state()
    if kept.min() > -128 and kept.max() < 127 and abs(9 * seed) < 60:
        np.testing.assert_array_equal(found, Model(narrow).run(xs[0], steps=True))


# --- refused ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 0}, "filters of rank 0"),
        ({"rank": 5}, "filters of rank 5"),
        ({"time": np.zeros((3, 2), np.int16)}, "time weights"),
        ({"bias": np.zeros(1, np.int32)}, "biases"),
        ({"time": np.zeros((0, 0), np.int16)}, "0 steps"),
    ],
)
def test_layers_that_no_image_holds(changes: dict[str, Any], message: str) -> None:
    graph = drawn(3)
    with pytest.raises(ModelError, match=message):
        image.encode(replace(graph, ops=(replace(svdf_of(graph), **changes),)))


def test_states_that_no_image_holds() -> None:
    graph = drawn(3)
    with pytest.raises(ModelError, match="of int16 with the zero point 0, got 1"):
        image.encode(with_tensor(graph, 2, zero_point=1))
    with pytest.raises(ModelError, match="a state of shape"):
        image.encode(with_tensor(graph, 2, shape=(2, 1, 1, 2)))


def test_the_reader_refuses_what_it_cannot_run() -> None:
    """Operands, words and shapes of a good image are changed; the C reader finds each of them."""
    good = image.encode(drawn(3), names=False)
    table, tensors = (int(np.frombuffer(good, "<u4", 1, at)[0]) for at in (36, 32))
    record = int(np.frombuffer(good, "<u4", 1, table)[0])
    assert np.frombuffer(good, "<u2", 4, record + 4).tolist() == [0, 2, 1, 2]
    words, state = record + 12, tensors + 2 * 40
    changes = [
        (record + 4, np.array(operands, "<u2").tobytes())
        for operands in (
            [0, 1, 1, 2],
            [2, 2, 1, 2],
            [0, 2, 0, 2],
            [0, 2, 2, 2],
            [0, 2, 1, 1],
            [1, 2, 1, 2],
        )
    ]
    changes += [(words, b"\0\0"), (words, b"\xff\xff"), (words + 4, b"\xff\xff\xff\0")]
    changes += [(words + 4 * word, b"\1") for word in (1, 2, 3, 4)]
    changes += [(words + 20, b"\1\0\0\0"), (words + 32, b"\x7f")]
    changes += [(state + 1, b"\3"), (state + 2, b"\0")]  # rank, kind
    for at, data in changes:
        bad = bytearray(good)
        bad[at : at + len(data)] = data
        bad[12:16] = _raw.crc32(bytes(bad[16:])).to_bytes(4, "little")
        with pytest.raises(ModelError):
            image.decode(bytes(bad))


def changed(op: RawOp, operand: int, **changes: Any) -> Any:
    raw = read(write_tflite(drawn(5)))
    tensors = list(raw.tensors)
    index = op.inputs[operand]
    tensors[index] = replace(tensors[index], **changes)
    return replace(raw, tensors=tuple(tensors))


@pytest.mark.parametrize(
    ("operand", "changes", "message"),
    [
        (2, {"type": TensorType.INT32}, "its time weights 't1/time' are INT32"),
        (4, {"is_variable": False}, "a state 't2' that is no variable of INT16"),
        (4, {"type": TensorType.INT8}, "a state 't2' that is no variable of INT16"),
        (4, {"quantization": None}, "'t2' has not one scale"),
        (4, {"shape": (2, 7)}, "a state 't2' of shape"),
    ],
)
def test_what_is_refused_is_named(operand: int, changes: dict[str, Any], message: str) -> None:
    (op,) = read(write_tflite(drawn(5))).ops
    with pytest.raises(ModelError, match=message):
        lower(changed(op, operand, **changes))


def test_a_state_with_a_zero_point() -> None:
    (op,) = read(write_tflite(drawn(5))).ops
    state: RawTensor = read(write_tflite(drawn(5))).tensors[op.inputs[4]]
    assert state.quantization is not None
    moved = replace(state.quantization, zero_points=np.array([3]))
    with pytest.raises(UnsupportedOpError, match="a zero point of 3 for 't2'"):
        lower(changed(op, 4, quantization=moved))


def test_an_activation_that_tensorflow_lite_does_not_run() -> None:
    from byteprop.graph.tensor import Activation
    from byteprop.tflite.writer import Writer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "fused", lambda self, activation: int(Activation.NONE))
        file = write_tflite(drawn(5))
    with pytest.raises(UnsupportedOpError, match="fused activation NONE; supported is RELU"):
        load_tflite(file)


def test_states_keep_their_own_tensors_in_a_file() -> None:
    graph = drawn(5)
    again = load_tflite(write_tflite(graph))
    assert [t.kind for t in again.tensors] == [t.kind for t in graph.tensors]
    assert image.encode(again, names=False) == image.encode(graph, names=False)
