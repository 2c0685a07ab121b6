"""Models that are fed row by row: the same bytes as the whole model, in less RAM; and images of
them that promise rows which the arena does not have."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop import image, reference
from byteprop.engine import _raw
from byteprop.errors import ArgumentError, ModelError, TrainingError
from byteprop.graph import DType, Graph, Kind, Normalization
from byteprop.image.plan import fed_ops, plan
from byteprop.image.rows import candidates, with_rows, without_rows
from byteprop.ops import Conv, Depthwise
from byteprop.ops.rescale import Rescale
from byteprop.ops.window import Axis, Window
from random_graphs import Builder, convolution_graph
from row_networks import row_network

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
NETWORKS = 30


@pytest.fixture
def every_isa() -> Iterator[list[str]]:
    names = _raw.isa_names()
    yield names
    assert _raw.isa_select(names[0])


def samples(engine: _raw.Engine, seed: int, n: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, engine.input_bytes)).astype(np.uint8)


def in_parts(feeding: _raw.Feeding, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The answer to an input that comes in parts of any size."""
    answer, at = None, 0
    while at < x.size:
        assert answer is None
        n = int(rng.integers(1, min(40, x.size - at) + 1))
        answer, at = feeding.feed(x[at : at + n]), at + n
    assert answer is not None
    return answer


def test_random_networks_give_the_same_bytes(every_isa: list[str]) -> None:
    """However many ops are fed, on every CPU's code, in parts of any size."""
    plans = smaller = 0
    for seed in range(NETWORKS):
        graph = row_network(seed)
        whole = _raw.Engine(image.encode(graph))
        x = samples(whole, seed)
        expected = whole.run(x)
        for fed in candidates(graph) if fed_or_none(graph) else ():
            engine = _raw.Engine(image.encode(fed))
            plans += 1
            smaller += engine.arena_bytes < whole.arena_bytes
            for name in {every_isa[0], every_isa[plans % len(every_isa)]}:
                assert _raw.isa_select(name)
                np.testing.assert_array_equal(engine.run(x), expected, f"{seed} {name}")
            feeding, rng = engine.feeding(), np.random.default_rng(seed)
            for sample, y in zip(x, expected, strict=True):
                np.testing.assert_array_equal(in_parts(feeding, sample, rng), y)
            assert image.decode(engine).tensors == fed.tensors
    assert plans > 3 * NETWORKS and smaller > plans // 3


def fed_or_none(graph: Graph) -> Graph | None:
    try:
        return with_rows(graph)
    except ModelError:
        return None


def test_the_reference_agrees() -> None:
    for seed in range(20):
        fed = fed_or_none(row_network(seed))
        if fed is None:
            continue
        engine = _raw.Engine(image.encode(fed))
        x = samples(engine, seed)
        tensor = fed.tensors[fed.inputs[0]]
        array = x.view(tensor.dtype.numpy).reshape(len(x), *tensor.shape[1:])
        (y,) = reference.run(fed, [array])
        assert engine.run(x).tobytes() == y.tobytes()


# --- a network of known sizes ---


def pipeline(height: int = 12) -> Graph:
    """Conv 3x3, depthwise 3x3 of stride 2, conv 1x1."""
    rng = np.random.default_rng(3)
    b = Builder()
    x = b.tensor((1, height, 8, 3), 0.5, -3)
    a = b.tensor((1, height, 8, 4), 1.0, 5)
    c = b.tensor((1, height // 2, 4, 4), 1.0, -128)
    d = b.tensor((1, height // 2, 4, 6), 1.0, 0)
    three, two, one = Axis(3, pad=1), Axis(3, 2), Axis(1)

    def constants(n: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(n, np.int32), np.full(n, 0.01, np.float32)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-127, 128, shape).astype(np.int8)

    b.add(Conv(x, a, weights(4, 3, 3, 3), *constants(4), Window(three, three)))
    b.add(Depthwise(a, c, weights(1, 3, 3, 4), *constants(4), Window(two, two)))
    b.add(Conv(c, d, weights(6, 1, 1, 4), *constants(6), Window(one, one)))
    return b.graph((x,), (d,))


def test_the_arena_has_the_rows_of_a_window() -> None:
    *_, fed = candidates(pipeline())
    assert [t.rows for t in fed.tensors] == [3, 3, 1, 0] and fed_ops(fed) == 3
    tensors = 3 * 24 + 3 * 32 + 1 * 16 + 6 * 24
    assert plan(fed).arena_bytes == tensors + max(s.size for s in plan(fed).scratch)
    best = with_rows(fed)
    assert plan(best).arena_bytes <= plan(fed).arena_bytes
    assert with_rows(pipeline()).tensors == best.tensors
    assert without_rows(fed).tensors == pipeline().tensors
    assert image.tensor_kinds(image.encode(fed)) >> Kind.ROWS & 1


def test_a_model_takes_rows() -> None:
    model = byteprop.Model(pipeline())
    fed = model.with_rows()
    assert fed.arena_bytes < model.arena_bytes
    x = np.random.default_rng(1).integers(-128, 128, (2, 12, 8, 3)).astype(np.int8)
    np.testing.assert_array_equal(fed.run(x), model.run(x))
    assert fed.feed(x[0, 0]) is None and fed.feed(x[0, 1:11]) is None
    np.testing.assert_array_equal(fed.run(x[1:]), model.run(x[1:]))  # disturbs nothing
    np.testing.assert_array_equal(fed.feed(x[0, 11:]), model.run(x[:1]))
    assert fed.feed(x[1, :5]) is None
    fed.reset()
    np.testing.assert_array_equal(fed.feed(x[1]), model.run(x[1:]))


def test_rows_of_real_numbers_are_normalized_where_they_are() -> None:
    graph = pipeline()
    sub = np.arange(12 * 8 * 3, dtype=np.float32)
    for n in (sub.size, 24, 3, 1):
        constants = Normalization(sub[:n], np.full(n, 0.25, np.float32))
        first = replace(graph.tensors[0], float_border=True, normalization=constants)
        model = byteprop.Model(replace(graph, tensors=(first, *graph.tensors[1:])))
        fed = model.with_rows()
        x = np.random.default_rng(n).uniform(-200, 400, (1, 12, 8, 3)).astype(np.float32)
        assert fed.feed(x[0, :7]) is None
        np.testing.assert_array_equal(fed.feed(x[0, 7:]), model.run(x))


def test_wrong_rows_are_named() -> None:
    fed = byteprop.Model(pipeline()).with_rows()
    x = np.zeros((12, 8, 3), np.int8)
    with pytest.raises(ArgumentError, match="rows: expected an array of int8, got dtype float64"):
        fed.feed(np.zeros((8, 3)))
    with pytest.raises(ArgumentError, match=r"shape \(N, 8, 3\), or \(8, 3\) for one row, got"):
        fed.feed(x[:, :7])
    fed.feed(x[:10])
    with pytest.raises(ArgumentError, match="at most 2, as the image has 12 and 10 were fed"):
        fed.feed(x[:3])
    with pytest.raises(ArgumentError, match=r"Model.with_rows\(\) makes one"):
        byteprop.Model(pipeline()).feed(x)
    with pytest.raises(TrainingError, match="the model is fed row by row; train the whole one"):
        fed.fit(np.zeros((1, 12, 8, 3)), np.zeros(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: replace(g, outputs=(0, 3)), "what layer 0 .Conv. reads is read elsewhere"),
        (lambda g: replace(g, inputs=(0, 3), ops=g.ops[:2]), "it has 2 inputs"),
        (lambda g: byteprop.Model(convolution_graph()).graph, "fed row by row"),
    ],
)
def test_what_is_in_the_way_is_named(change: Callable[[Graph], Graph], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        with_rows(change(pipeline()))


# --- images from outside ---


def header(blob: bytes, name: str) -> int:
    assert image.HEADER.fields is not None
    return int(np.frombuffer(blob, image.HEADER, 1)[0][name])


def tensor_field(blob: bytes, tensor: int, name: str) -> int:
    assert image.TENSOR.fields is not None
    begin = header(blob, "tensors_offset") + tensor * image.TENSOR.itemsize
    return begin + int(image.TENSOR.fields[name][1])


def changed(arena: int | None = None, **fields: tuple[int, str, int]) -> bytes:
    """The image of the pipeline, with another arena and other values in fields of tensors."""
    *_, fed = candidates(pipeline())
    blob = bytearray(image.encode(fed))
    for name, (tensor, form, value) in fields.items():
        struct.pack_into(form, blob, tensor_field(blob, tensor, name), value)
    if arena is not None:
        assert image.HEADER.fields is not None
        struct.pack_into("<I", blob, int(image.HEADER.fields["arena_bytes"][1]), arena)
    blob[12:16] = struct.pack("<I", zlib.crc32(blob[16:]))
    return bytes(blob)


SCRATCH = 4


def moved(tensor: int, to: int) -> bytes:
    """With one tensor where another one begins."""
    *_, fed = candidates(pipeline())
    return changed(1 << 16, offset=(tensor, "<I", plan(fed).offsets[to]))


@pytest.mark.parametrize(
    ("image_bytes", "status"),
    [
        (changed(flags=(0, "B", 2 * 2)), "E_SHAPE"),  # fewer rows than the window
        (changed(flags=(0, "B", 0)), "E_SHAPE"),
        (changed(flags=(1, "B", 2 * 13)), "E_SHAPE"),  # more than there are
        (changed(flags=(3, "B", 2)), "E_PARAM"),  # rows of a tensor that is whole
        (changed(kind=(1, "B", Kind.ACTIVATION), flags=(1, "B", 0)), "E_ARENA"),
        (changed(kind=(0, "B", Kind.ACTIVATION), flags=(0, "B", 0)), "E_ARENA"),
        (changed(kind=(3, "B", Kind.ROWS), flags=(3, "B", 2)), "E_KIND"),  # the output
        (changed(kind=(1, "B", Kind.STATE), flags=(1, "B", 0)), "E_ARENA"),
        *((moved(t, to), "E_OVERLAP") for t in range(4) for to in range(4) if t != to),
        *((moved(SCRATCH, to), "E_OVERLAP") for to in range(4)),
        (changed(offset=(0, "<I", 1 << 20)), "E_ARENA"),
    ],
)
def test_images_that_contradict_themselves_are_refused(image_bytes: bytes, status: str) -> None:
    with pytest.raises(ModelError, match=status):
        _raw.Engine(image_bytes)


def test_ops_that_take_a_whole_input_get_no_rows() -> None:
    """A rescale that changes the shape, and one that is not the first in the chain."""
    b = Builder()
    x = b.tensor((1, 4, 6, 1), 0.5, 0)
    y = b.tensor((1, 6, 4, 1), 1.0, 0)
    b.add(Rescale(x, y))
    graph = b.graph((x,), (y,))
    with pytest.raises(ModelError, match="needs its whole input"):
        with_rows(graph)
    first = replace(graph.tensors[0], kind=Kind.ROWS, rows=1)
    with pytest.raises(ModelError, match="E_SHAPE"):
        _raw.Engine(image.encode(replace(graph, tensors=(first, graph.tensors[1]))))
    two = replace(pipeline(), inputs=(0,))
    late = replace(two.tensors[1], kind=Kind.ROWS, rows=3)
    with pytest.raises(ModelError, match="E_KIND"):
        _raw.Engine(image.encode(replace(two, tensors=(two.tensors[0], late, *two.tensors[2:]))))


@pytest.mark.parametrize(
    ("rows", "message"), [(0, "expected 1..12 rows"), (13, "expected 1..12 rows in the arena")]
)
def test_a_graph_says_how_many_rows_there_are(rows: int, message: str) -> None:
    graph = pipeline()
    first = replace(graph.tensors[0], kind=Kind.ROWS, rows=rows)
    with pytest.raises(ModelError, match=message):
        image.encode(replace(graph, tensors=(first, *graph.tensors[1:])))
    with pytest.raises(ModelError, match="of kind ACTIVATION has 2 rows"):
        image.encode(replace(graph, tensors=(replace(first, kind=Kind.ACTIVATION, rows=2),
                                             *graph.tensors[1:])))  # fmt: skip


# --- files ---


@pytest.mark.parametrize(
    ("name", "most"),
    [("vww_mobilenet_96", 16_384), ("person_detect_patched", 16_384), ("kws_dscnn", 8_960)],
)
def test_public_models(name: str, most: int) -> None:
    if not PUBLIC.is_dir():
        pytest.skip(f"{PUBLIC} is not there")
    path = PUBLIC / f"{name}.tflite"
    fed = byteprop.load(path, rows=True)
    assert fed.arena_bytes <= most
    with np.load(PUBLIC / f"{name}.vectors.npz") as vectors:
        x, y = vectors["x"][:8, 0], vectors["y"][:8]
    np.testing.assert_array_equal(fed.run(x).reshape(y.shape), y)
    assert fed.graph.tensors[fed.graph.inputs[0]].dtype is DType.INT8
