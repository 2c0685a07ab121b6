"""The model image: bytes from a graph and back, and what is refused on either way."""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import image, reference
from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import Activation, DType, Graph, Normalization, Tensor
from byteprop.ops import Dense, Rescale, Reshape, Softmax, place
from byteprop.ops.dense import dense_multipliers
from random_graphs import (
    Builder,
    graph_of_every_op,
    normalized_graph,
    small_graph,
)
from random_networks import networks, samples


def same(a: Graph, b: Graph) -> bool:
    """Equality of graphs, arrays by value."""
    return (
        (a.tensors, a.inputs, a.outputs) == (b.tensors, b.inputs, b.outputs)
        and len(a.ops) == len(b.ops)
        and all(
            type(p) is type(q) and _fields(p) == _fields(q)
            for p, q in zip(a.ops, b.ops, strict=True)
        )
    )


def _fields(op: object) -> dict[str, object]:
    return {k: _by_value(v) for k, v in vars(op).items()}


def _by_value(field: object) -> object:
    if isinstance(field, tuple):
        return tuple(map(_by_value, field))
    return (field.dtype, field.shape, field.tobytes()) if isinstance(field, np.ndarray) else field


def sealed(blob: bytearray) -> bytes:
    """The bytes with a checksum that fits."""
    struct.pack_into("<I", blob, 12, zlib.crc32(blob[16:]))
    return bytes(blob)


def patched(offset: int, layout: str, value: float, graph: Graph | None = None) -> bytes:
    blob = bytearray(image.encode(graph or small_graph()))
    struct.pack_into(layout, blob, offset, value)
    return sealed(blob)


def header_at(field: str) -> int:
    return int(image.HEADER.fields[field][1])  # type: ignore[index]


def tensor_at(index: int, field: str = "dtype") -> int:
    return image.HEADER.itemsize + image.TENSOR.itemsize * index + image.TENSOR.fields[field][1]  # type: ignore[index]


def params_at(index: int, graph: Graph) -> int:
    """Parameters of an op with two operands."""
    encoded = image.encode(graph)
    (record,) = struct.unpack_from("<I", encoded, tensor_at(len(graph.tensors)) + 4 * index)
    return int(record) + 8


def parts_at(index: int, graph: Graph) -> int:
    """Where a dense op's record has the offsets of its parts."""
    return params_at(index, graph) + 8


def test_the_header_names_the_ops_that_the_image_needs() -> None:
    assert image.features(image.encode(small_graph())) == {"dense", "softmax"}
    every = {"dense", "rescale", "reshape", "softmax"}
    assert image.features(image.encode(graph_of_every_op())) == every
    with pytest.raises(ModelError, match="got 3 bytes"):
        image.features(b"BPM")


@given(networks())
@settings(max_examples=150, deadline=None)
def test_decode_undoes_encode(graph: Graph) -> None:
    encoded = image.encode(graph)
    decoded = image.decode(encoded)
    assert same(decoded, graph)
    assert image.encode(decoded) == encoded


@given(st.integers(0, 2**32 - 1), networks())
@settings(max_examples=150, deadline=None)
def test_the_c_library_runs_what_the_reference_computes(seed: int, graph: Graph) -> None:
    xs = samples(graph, seed, 3)
    engine = _raw.Engine(image.encode(graph))
    x = np.concatenate([x.view(np.uint8).reshape(3, -1) for x in xs], axis=1)
    wanted = [y.view(np.uint8).reshape(3, -1) for y in reference.run(graph, xs)]
    np.testing.assert_array_equal(engine.run(x), np.concatenate(wanted, axis=1))


def test_names_can_be_cut() -> None:
    whole = image.encode(graph_of_every_op())
    cut = image.without_names(whole)
    assert len(cut) < len(whole)
    assert cut == image.encode(graph_of_every_op(), names=False) == image.without_names(cut)
    assert [t.name for t in image.decode(cut).tensors] == [""] * 6
    nameless = tuple(replace(t, name="") for t in graph_of_every_op().tensors)
    assert same(image.decode(cut), replace(graph_of_every_op(), tensors=nameless))


def test_names_of_any_language() -> None:
    graph = small_graph()
    tensors = (replace(graph.tensors[0], name="entrée/層"), *graph.tensors[1:])
    assert image.decode(image.encode(replace(graph, tensors=tensors))).tensors == tensors


def test_what_training_changes_belongs_to_one_op_and_other_equal_data_is_stored_once() -> None:
    b = Builder()
    t = [b.tensor((1, 8)) for _ in range(3)]
    weights = np.arange(64, dtype=np.int8).reshape(8, 8)
    scales = (0.02,) * 8
    b.dense(t[0], weights, t[1], scales=scales)
    b.dense(t[1], weights, t[2], scales=scales)
    graph = b.graph((t[0],), (t[2],))
    encoded = image.encode(graph)
    assert encoded.count(weights.tobytes()) == 2
    assert encoded.count(struct.pack("<8i", *(7 * j - 5 for j in range(8)))) == 2
    assert encoded.count(np.array(scales, "<f4").tobytes()) == 2
    (multiplier, lshift), *_ = dense_multipliers(graph.ops[0], place(graph.tensors, graph.ops[0]))
    assert encoded.count(struct.pack("<8i", *[multiplier] * 8)) == 1
    assert encoded.count(struct.pack("<8b", *[lshift] * 8)) == 2


def test_shared_weights_do_not_stand_for_gigabytes() -> None:
    b = Builder()
    t = [b.tensor((1, 64)) for _ in range(9)]
    for x, y in itertools.pairwise(t):
        b.dense(x, np.ones((64, 64), np.int8), y)
    graph = b.graph((t[0],), (t[8],))
    blob = bytearray(image.encode(graph))
    (data,) = struct.unpack_from("<I", blob, header_at("data_offset"))
    for index in range(8):
        at = parts_at(index, graph)
        weights, bias, mult, lshift, scales = struct.unpack_from("<5I", blob, at)
        if index == 0:
            shared = weights, bias, mult, lshift, scales
        struct.pack_into("<5I", blob, at, *shared)
    assert same(image.decode(sealed(bytearray(blob))), graph)  # room for all of them is still there
    struct.pack_into("<I", blob, header_at("data_bytes"), 64 * 64 + 64 * 4 + 16)
    assert data == shared[0]
    with pytest.raises(ModelError, match="share their data: .* more than the data section of 4368"):
        image.decode(sealed(blob))


def test_weights_are_aligned_by_16() -> None:
    graph = small_graph()
    encoded = image.encode(graph)
    for index in range(2):
        (weights,) = struct.unpack_from("<I", encoded, parts_at(index, graph))
        assert weights % 16 == 0


def test_layout_tells_where_the_borders_lie() -> None:
    layout = image.layout(image.encode(small_graph()))
    assert layout.arena_bytes == _raw.Engine(image.encode(small_graph())).arena_bytes == 12
    assert [p.tensor.name for p in layout.inputs + layout.outputs] == ["t0", "t3"]
    assert layout.inputs[0].offset == 0


# --- graphs that no image can hold ---


def dense_graph(n_in: int, n_out: int, **changes: object) -> Graph:
    b = Builder()
    x, y = b.tensor((1, n_in)), b.tensor((1, n_out))
    b.dense(x, np.zeros((n_out, n_in), np.int8), y)
    b.ops[0] = replace(b.ops[0], **changes)  # type: ignore[arg-type]
    return b.graph((x,), (y,))


def with_tensor(index: int, **changes: object) -> Graph:
    graph = small_graph()
    tensors = list(graph.tensors)
    tensors[index] = replace(tensors[index], **changes)  # type: ignore[arg-type]
    return replace(graph, tensors=tuple(tensors))


def long_graph(n_ops: int) -> Graph:
    b = Builder()
    first = b.tensor((1, 1))
    for index in range(n_ops):
        b.add(Reshape(index, b.tensor((1, 1))))
    return b.graph((first,), (n_ops,))


def softmax_graph(n: int, **y: object) -> Graph:
    b = Builder()
    b.tensor((1, n))
    b.tensor((1, n), 1 / 256, -128)
    b.tensors[1] = replace(b.tensors[1], **y)  # type: ignore[arg-type]
    b.add(Softmax(0, 1))
    return b.graph((0,), (1,))


REFUSED = {
    "n_in is 65533; 1..65532": lambda: dense_graph(65533, 1),
    "n_out is 65536; 1..65535": lambda: dense_graph(1, 65536),
    "1025 tensors": lambda: long_graph(1024),
    r"with 1\.\.4095 classes": lambda: softmax_graph(4096),
    "1/256 and -128": lambda: softmax_graph(4, scale=np.float32(0.1)),
    "INT8 to INT8, got INT8 to UINT8": lambda: softmax_graph(4, dtype=DType.UINT8, zero_point=0),
    "5 dimensions; 4": lambda: with_tensor(0, shape=(1, 1, 1, 1, 5)),
    "must be at least 1": lambda: with_tensor(0, shape=(0, 5)),
    r"more than 16777216 elements": lambda: with_tensor(0, shape=(1, 2**24 + 1)),
    "tensor 1 't1': scale 0.0": lambda: with_tensor(1, scale=np.float32(0)),
    "tensor 1 't1': scale nan": lambda: with_tensor(1, scale=np.float32("nan")),
    "zero point 128 is not in -128..127": lambda: with_tensor(0, zero_point=128),
    "do not map shape": lambda: with_tensor(1, shape=(1, 4)),
    "zero byte": lambda: with_tensor(0, name="a\0b"),
    "not valid text": lambda: with_tensor(0, name="\ud800"),
    "weight scale is not finite": lambda: dense_graph(1, 1, weight_scales=np.float32([np.inf])),
    r"weight scales; 1 or 3": lambda: dense_graph(1, 3, weight_scales=np.float32([1, 1])),
    "bias must be int32": lambda: dense_graph(1, 1, bias=np.zeros(1, np.int64)),
    "has_bias is False": lambda: dense_graph(1, 1, bias=np.ones(1, np.int32), has_bias=False),
    "weights must be int8": lambda: dense_graph(1, 1, weights=np.zeros((1, 1), np.uint8)),
    "effective scale .* too large": lambda: with_tensor(1, scale=np.float32(1e-30)),
    "too small for the activation": lambda: Graph(
        (Tensor("a", (1,), DType.INT8, np.float32(1e-12), 0),) * 2,
        (Rescale(0, 1, Activation.RELU6),), (0,), (1,),
    ),
    "op 0 Softmax.*below|softmax: beta": lambda: replace(
        softmax_graph(4), ops=(Softmax(0, 1, np.float32(1e-9)),)
    ),
    "twice as an input": lambda: replace(small_graph(), inputs=(0, 0)),
    "reads tensor 1 before": lambda: replace(small_graph(), ops=small_graph().ops[1:]),
    "writes tensor 0 a second time": lambda: replace(small_graph(), ops=(Reshape(0, 0),)),
    "is never written": lambda: replace(small_graph(), ops=small_graph().ops[:2]),
    "names tensor 9 and has 4": lambda: replace(small_graph(), outputs=(9,)),
    "no inputs or no outputs": lambda: replace(small_graph(), outputs=()),
    "5 outputs": lambda: replace(small_graph(), outputs=(3,) * 5),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_encode_names_what_it_cannot_hold(message: str) -> None:
    with pytest.raises(ModelError, match=message):
        image.encode(REFUSED[message]())


def test_an_arena_beyond_16_megabytes_is_refused() -> None:
    b = Builder()
    x, y = b.tensor((2**12, 2**12)), b.tensor((2**12, 1))
    b.dense(x, np.zeros((1, 2**12), np.int8), y)
    with pytest.raises(ModelError, match="arena of 16781312 bytes; 16777216 are allowed"):
        image.encode(b.graph((x,), (y,)))


def test_more_weights_than_fit_are_refused_before_memory_is_taken() -> None:
    weights = np.zeros((2**12, 2**12), np.int8)
    b = Builder()
    t = [b.tensor((1, 2**12)) for _ in range(18)]
    for x, y in itertools.pairwise(t):
        b.dense(x, weights, y)
    with pytest.raises(ModelError, match="285212672 weights; 268435456 are supported"):
        image.encode(b.graph((t[0],), (t[-1],)))


def test_the_largest_that_fit() -> None:
    assert image.decode(image.encode(long_graph(1023))).outputs == (1023,)
    assert len(image.encode(softmax_graph(4095))) < 2000
    graph = dense_graph(65532, 1)
    assert same(image.decode(image.encode(graph)), graph)


# --- bytes that are no image ---


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damage_is_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    """With a checksum that fits: whatever still opens is an image of some graph."""
    graph = data.draw(st.sampled_from([graph_of_every_op(), normalized_graph()]))
    blob = bytearray(image.encode(graph))
    (header_and_records,) = struct.unpack_from("<I", blob, header_at("data_offset"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, header_and_records) | st.integers(0, len(blob) - 1))
        blob[at] = data.draw(st.integers(0, 255))
    try:
        graph = image.decode(sealed(blob))
    except ModelError:
        return
    assert same(image.decode(image.encode(graph)), graph)


@given(st.integers(0, 2000))
@settings(deadline=None)
def test_truncation_is_refused(size: int) -> None:
    whole = image.encode(graph_of_every_op())
    with pytest.raises(ModelError, match=r"E_TRUNCATED|E_CRC"):
        image.decode(whole[: size % len(whole)])


def test_bytes_after_the_image_are_not_part_of_it() -> None:
    whole = image.encode(small_graph())
    assert same(image.decode(whole + b"later"), small_graph())


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (header_at("magic"), "<I", 0, "E_MAGIC"),
        (header_at("features"), "<B", 0xFF, "features are not those of the image's ops"),
        (header_at("version"), "<H", 3, "E_VERSION"),
        (header_at("n_tensors"), "<H", 0xFFFF, "E_BOUNDS"),
        (header_at("arena_bytes"), "<I", 4, "E_ARENA"),
        (tensor_at(0, "name_offset"), "<I", 65, "E_BOUNDS|name"),
        (tensor_at(0, "scale"), "<f", float("nan"), "scale nan"),
        (tensor_at(0, "scale"), "<f", 0.3, "integers do not follow from its scales"),
        (params_at(0, small_graph()) + 1, "<B", int(Activation.RELU6), "integers do not follow"),
        (params_at(0, small_graph()) + 1, "<B", 9, "E_PARAM"),
        (params_at(2, small_graph()) + 4, "<I", 0x3F000000, "integers do not follow"),
        (parts_at(0, small_graph()) + 16, "<I", 0xFFFFFFFC, "E_BOUNDS"),
    ],
)
def test_one_wrong_field(offset: int, layout: str, value: float, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        image.decode(patched(offset, layout, value))


def test_version_1_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"expected version 2, got 1; .* byteprop convert"):
        image.decode(patched(header_at("version"), "<H", 1))


def test_names_that_are_not_text_are_refused() -> None:
    blob = bytearray(image.encode(small_graph()))
    (names,) = struct.unpack_from("<I", blob, header_at("names_offset"))
    blob[names] = 0xFF
    with pytest.raises(ModelError, match="not UTF-8"):
        image.decode(sealed(blob))


# --- normalization ---


def with_normalization(sub: list[float], mul: list[float], **changes: object) -> Graph:
    graph = graph_of_every_op()
    constants = Normalization(np.float32(sub), np.float32(mul))
    first = replace(graph.tensors[0], **{"normalization": constants, **changes})  # type: ignore[arg-type]
    return replace(graph, tensors=(first, *graph.tensors[1:]))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_a_normalization_is_carried(n: int) -> None:
    graph = with_normalization([1.5] * n, [0.1 * (i + 1) for i in range(n)])
    encoded = image.encode(graph)
    plain = image.encode(graph_of_every_op())
    assert len(encoded) == len(plain) + 4 + 8 + 8 * n
    assert same(image.decode(encoded), graph) and not same(graph, graph_of_every_op())
    assert image.encode(image.decode(encoded)) == encoded
    without = image.decode(image.without_names(encoded))
    assert without.tensors[0].normalization == graph.tensors[0].normalization


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            with_normalization([1] * 2, [1] * 2),
            r"expected .* float32 \[1 or 3 or 6\], got .* \[2\]",
        ),
        (with_normalization([1], [1] * 3), "expected as many mul as sub, got 3 and 1"),
        (with_normalization([math.nan], [1]), "tensor 0 't0': expected .* by finite numbers"),
        (with_normalization([1], [math.inf]), "expected a normalization by finite numbers"),
        (with_normalization([1], [1], float_border=False), "but of a float32 input"),
    ],
)
def test_a_normalization_that_cannot_be_is_refused(graph: Graph, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        image.encode(graph)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 2, "2 normalizations leave the image"),
        (0, 0xFFFFFFFF, "4294967295 normalizations leave the image"),
        (4, 77, "expected one normalization per tensor, got one of tensor 77"),
        (4, 1, "expected no normalization but of a float32 input"),
        (8, 0x20000000, "the normalization of tensor 0 leaves the image"),
        (8, 2, r"expected .* float32 \[1 or 3 or 6\], got"),
        (12, 0x7F800000, "by finite numbers"),
    ],
)
def test_a_damaged_boundary_section_is_refused(at: int, value: int, message: str) -> None:
    blob = bytearray(image.encode(normalized_graph()))
    (boundary,) = struct.unpack_from("<I", blob, header_at("boundary_offset"))
    struct.pack_into("<I", blob, boundary + at, value)
    with pytest.raises(ModelError, match=message):
        image.decode(sealed(blob))


def test_the_bias_wraps_as_the_device_adds() -> None:
    """A folded bias beyond int32 comes back from modulo 2^32."""
    b = Builder()
    x, y = b.tensor((1, 4), zero_point=-128), b.tensor((1, 1))
    b.dense(x, np.full((1, 4), 127, np.int8), y)
    assert isinstance(b.ops[0], Dense)
    b.ops[0] = replace(b.ops[0], bias=np.array([2**31 - 1], np.int32))
    graph = b.graph((x,), (y,))
    assert same(image.decode(image.encode(graph)), graph)
