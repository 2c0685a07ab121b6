"""LSTM: its functions on every input, its layers against the reference and TensorFlow Lite, and
what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import random_networks
from byteprop import Model, image
from byteprop.engine import _raw
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.graph import Graph
from byteprop.importer import load_tflite
from byteprop.ops.lstm import Lstm
from byteprop.reference import lstm as reference
from op_generators import generators
from op_generators.common import zero_point
from random_graphs import Builder

ALL = np.arange(-(2**15), 2**15, dtype=np.int64)


def drawn(seed: int, shape: tuple[int, ...] = (2, 5, 4)) -> Graph:
    rng = np.random.default_rng(seed)
    b = Builder()
    x = b.tensor(shape, 0.03, zero_point(rng))
    assert generators()["lstm"](rng, b, x)
    return b.graph((x,), (1,))


def lstm_of(graph: Graph) -> Lstm:
    (op,) = graph.ops
    assert isinstance(op, Lstm)
    return op


def test_logistic_of_every_input() -> None:
    found = np.array([_raw.logistic_s16(int(x)) for x in ALL])
    np.testing.assert_array_equal(found, reference.logistic(ALL))
    assert np.abs(found / 2**15 - 1 / (1 + np.exp(-ALL / 2**12))).max() < 2**-9


@pytest.mark.parametrize("bits", range(7))
def test_tanh_of_every_input(bits: int) -> None:
    found = np.array([_raw.tanh_s16(int(x), bits) for x in ALL])
    np.testing.assert_array_equal(found, reference.tanh(ALL, bits))
    assert np.abs(found / 2**15 - np.tanh(ALL / 2 ** (15 - bits))).max() < 2**-8


@pytest.mark.parametrize("seed", range(30))
def test_layers_agree_with_tensorflow_lite(seed: int) -> None:
    """Four calls, of which each goes on with the state of the one before."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 7)), int(rng.integers(1, 9)))
    random_networks.check(drawn(seed, shape), seed)


def test_the_state_goes_on() -> None:
    graph = next(g for g in map(drawn, range(9)) if not lstm_of(g).time_major)
    x = np.random.default_rng(1).integers(-128, 128, (6, 5, 4)).astype(np.int8)
    model = Model(graph)
    first = model.run(x, steps=True)
    model.reset()
    parts = [model.run(x[i : i + 2]) for i in range(0, 6, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), first)
    assert model.arena_bytes >= 2 * 4 * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell_clip": 1 << 15}, "a cell_clip of 32768"),
        ({"weights": ()}, "0 cells of 0 inputs"),
        ({"bias": ()}, "expected 4 arrays"),
    ],
)
def test_layers_that_no_image_holds(changes: dict[str, object], message: str) -> None:
    graph = drawn(3)
    op = replace(lstm_of(graph), **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=message):
        image.encode(replace(graph, ops=(op,)))


def test_a_cell_scale_that_is_no_power_of_two() -> None:
    graph = drawn(3)
    op = lstm_of(graph)
    tensors = list(graph.tensors)
    tensors[op.cell] = replace(tensors[op.cell], scale=np.float32(0.0003))
    with pytest.raises(ModelError, match="expected a power of two"):
        image.encode(replace(graph, tensors=tuple(tensors)))


def test_the_reader_refuses_states_that_are_none() -> None:
    """Operands of a good image are exchanged; the C reader finds each of them."""
    good = image.encode(drawn(3))
    table = int(np.frombuffer(good, "<u4", 1, 36)[0])
    record = int(np.frombuffer(good, "<u4", 1, table)[0])
    operands = np.frombuffer(good, "<u2", 7, record + 4)
    assert operands.tolist() == [0, 2, 3, 1, 2, 3, 4]
    for wrong in ([0, 3, 2, 1, 3, 2, 4], [0, 2, 3, 1, 3, 2, 4], [0, 2, 3, 0, 2, 3, 4],
                  [2, 2, 3, 1, 2, 3, 4], [0, 2, 3, 2, 2, 3, 4], [0, 1, 3, 1, 1, 3, 4]):  # fmt: skip
        bad = bytearray(good)
        bad[record + 4 : record + 18] = np.array(wrong, "<u2").tobytes()
        bad[12:16] = _raw.crc32(bytes(bad[16:])).to_bytes(4, "little")
        with pytest.raises(ModelError):
            image.decode(bytes(bad))


def test_states_keep_their_own_tensors_in_a_file() -> None:
    graph = drawn(5)
    again = load_tflite(write_tflite(graph))
    assert [t.kind for t in again.tensors] == [t.kind for t in graph.tensors]
    assert image.encode(again, names=False) == image.encode(graph, names=False)


def test_what_is_refused_is_named() -> None:
    """A peephole weight, which every reader of the format finds at its place."""
    from byteprop.importer.lowering import lower
    from byteprop.tflite.rawmodel import read

    raw = read(write_tflite(drawn(5)))
    (op,) = raw.ops
    for operand, what in ((9, "peephole"), (16, "projection"), (20, "layer normalization")):
        operands = list(op.inputs)
        operands[operand] = op.inputs[12]
        changed = replace(raw, ops=(replace(op, inputs=tuple(operands)),))
        with pytest.raises(UnsupportedOpError, match=what):
            lower(changed)
