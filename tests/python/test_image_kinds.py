"""Constants, state and scratch memory: planned, written into the image, read back and run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byteprop import image, reference
from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import DType, Graph, Kind, Tensor
from byteprop.image.plan import plan
from byteprop.ops import Reshape
from byteprop.ops.dense import DenseSpec
from byteprop.ops.spec import Placed
from random_graphs import small_graph


def delay_line() -> Graph:
    """What goes in comes out one sample later."""
    tensors = tuple(
        Tensor(name, (1, 6), DType.INT8, np.float32(0.5), -3) for name in ("x", "state", "y")
    )
    tensors = (tensors[0], replace(tensors[1], kind=Kind.STATE), tensors[2])
    return Graph(tensors, (Reshape(1, 2), Reshape(0, 1)), (0,), (2,))


def test_state_stays_from_one_sample_to_the_next() -> None:
    encoded = image.encode(delay_line())
    assert image.decode(encoded) == delay_line()
    x = np.arange(18, dtype=np.uint8).reshape(3, 6)
    y = _raw.Engine(encoded).run(x).view(np.int8)
    expected = np.vstack([np.full((1, 6), -3), x[:2]])
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(reference.run(delay_line(), [x.view(np.int8)])[0], expected)
    assert reference.run(delay_line(), [x[:0].view(np.int8)])[0].shape == (0, 6)


def begun(data: bytes = b"abcdef") -> Graph:
    """A delay line whose state has first values."""
    graph = delay_line()
    state = replace(graph.tensors[1], data=data)
    return replace(graph, tensors=(graph.tensors[0], state, graph.tensors[2]))


def test_a_state_begins_with_its_first_values() -> None:
    encoded = image.encode(begun())
    assert image.decode(encoded) == begun() and image.tensor_kinds(encoded) == 0b10101
    engine = _raw.Engine(encoded)
    x = np.arange(18, dtype=np.uint8).reshape(3, 6)
    expected = np.vstack([np.frombuffer(b"abcdef", np.uint8), x[:2]])
    for _ in range(2):
        np.testing.assert_array_equal(engine.run(x), expected)
        engine.reset()
    found = reference.run(begun(), [x.view(np.int8)])[0]
    np.testing.assert_array_equal(found.view(np.uint8), expected)


def test_first_values_that_are_zero_points_take_no_bytes() -> None:
    assert image.encode(begun(b"\xfd" * 6)) == image.encode(delay_line())
    with pytest.raises(ModelError, match="expected 6 bytes to begin with, got 1"):
        image.encode(begun(b"a"))


FIRST = 80 + 3 * 40  # the record of the first values


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (36, b"\3", "E_BOUNDS"),  # of themselves
        (36, b"\xff\xff\xff\xff", "E_BOUNDS"),
        (36, b"\0", "E_KIND"),
        (0, b"\2", "E_PARAM|E_DTYPE"),
        (20, b"\5", "E_SHAPE"),
        (8, b"\5\0\0\0\0\0\0\0\0\0\0\0\5", "E_SHAPE"),
        (24, b"\0\0\0\1", "E_BOUNDS"),
        (24, b"\2", "E_ALIGN|E_BOUNDS"),
        (2, b"\6", "E_KIND"),
        (2, b"\3", "E_ARENA"),
        (3, b"\1", "first values of tensor 1, once"),
        (28, b"\1", "first values of tensor 1, once"),
        (4, b"\2\0\0\0\3", "first values of tensor 1, once"),
    ],
)
def test_first_values_of_other_images(at: int, data: bytes, message: str) -> None:
    bad = bytearray(image.encode(begun(), names=False))
    bad[FIRST + at : FIRST + at + len(data)] = data
    bad[12:16] = _raw.crc32(bytes(bad[16:])).to_bytes(4, "little")
    with pytest.raises(ModelError, match=message):
        image.decode(bytes(bad))


@pytest.mark.parametrize("operand", range(4))
def test_no_op_reads_or_writes_first_values(operand: int) -> None:
    good = image.encode(begun(), names=False)
    (table,) = np.frombuffer(good, "<u4", 1, 36)
    records = np.frombuffer(good, "<u4", 2, int(table))
    bad = bytearray(good)
    bad[int(records[operand // 2]) + 4 + 2 * (operand % 2)] = 3
    bad[12:16] = _raw.crc32(bytes(bad[16:])).to_bytes(4, "little")
    with pytest.raises(ModelError, match="E_KIND"):
        image.decode(bytes(bad))


def test_state_has_bytes_of_its_own() -> None:
    places = plan(delay_line())
    assert sorted(places.offsets) == [0, 8, 16] and places.arena_bytes == 24


def test_a_constant_is_in_the_image_and_not_in_the_arena() -> None:
    graph = small_graph()
    constant = Tensor("c", (4,), DType.INT8, np.float32(1), 0, kind=Kind.CONSTANT, data=b"\1\2\3\4")
    more = replace(graph, tensors=(*graph.tensors, constant))
    encoded = image.encode(more)
    assert image.decode(encoded).tensors[-1] == constant
    assert plan(more).arena_bytes == plan(graph).arena_bytes
    assert image.tensor_kinds(encoded) == 0b11 and image.tensor_kinds(image.encode(graph)) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": Kind.CONSTANT, "data": b"\1"}, "expected 6 bytes of data, got 1"),
        ({"data": b"123456"}, "a tensor of kind ACTIVATION has data"),
        ({"kind": Kind.STATE}, "must be an ACTIVATION, got STATE"),
        ({"kind": Kind.CONSTANT, "data": b"123456"}, "must be an ACTIVATION, got CONSTANT"),
    ],
)
def test_kinds_that_contradict_their_use(changes: dict[str, object], message: str) -> None:
    graph = delay_line()
    first = replace(graph.tensors[0], **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=message):
        image.encode(replace(graph, tensors=(first, *graph.tensors[1:])))


def test_an_op_that_takes_no_constant_refuses_it() -> None:
    graph = delay_line()
    constant = replace(graph.tensors[1], kind=Kind.CONSTANT, data=bytes(6))
    made = replace(graph, tensors=(graph.tensors[0], constant, graph.tensors[2]), ops=graph.ops[:1])
    with pytest.raises(ModelError, match="E_KIND"):
        _raw.Engine(image.encode(made))


def test_scratch_memory_is_planned_for_the_op_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """5 -> dense 3 -> dense 4 -> softmax: the scratch of one layer has no bytes of its tensors."""
    sizes = {3: 10, 4: 0}

    def scratch_bytes(spec: DenseSpec, at: Placed[object]) -> int:
        return sizes[at.y.elems]

    monkeypatch.setattr(DenseSpec, "scratch_bytes", scratch_bytes)
    graph = small_graph()
    places = plan(graph)
    (scratch,) = places.scratch
    assert (scratch.op, scratch.size) == (0, 10)
    spans = [range(scratch.offset, scratch.offset + 10)]
    for t in (0, 1):
        spans.append(range(places.offsets[t], places.offsets[t] + graph.tensors[t].elems))
    assert len({byte for span in spans for byte in span}) == 10 + 5 + 3
    assert places.arena_bytes == 12 + 8 + 4
    with pytest.raises(ModelError, match="E_PARAM"):  # no dense op of an image has one
        _raw.Engine(image.encode(graph))
