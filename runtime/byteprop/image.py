"""The model image (.bpm): bytes from a graph, and a graph from bytes. docs/format.md specifies it.

Bytes that come from outside are opened by the C reader first, so nothing is read here that it has
not checked; what only the host uses (names, weight scales) is checked here. An image whose integers
do not follow from its scales is refused, because a graph could not hold it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byteprop import _raw
from byteprop._graph_check import MAX_RANK, check
from byteprop.errors import ModelError
from byteprop.graph import (
    Activation,
    Dense,
    DType,
    Graph,
    Normalization,
    Op,
    Rescale,
    Reshape,
    Softmax,
    Tensor,
)
from byteprop.plan import plan
from byteprop.quantization import (
    activation_range,
    dense_multipliers,
    rescale_multiplier,
    softmax_scaling,
)

MAGIC = _raw.const("BP_MODEL_MAGIC")
VERSION = _raw.const("BP_MODEL_VERSION")
_MAX_ARENA_BYTES = _raw.const("BP_MODEL_MAX_ARENA_BYTES")
_FLOAT_BORDER = _raw.const("BP_TENSOR_FLOAT_BORDER")
_DENSE = _raw.const("BP_OP_DENSE_S8")
_RESCALE = _raw.const("BP_OP_RESCALE")
_SOFTMAX = _raw.const("BP_OP_SOFTMAX_S8")
_RESHAPE = _raw.const("BP_OP_RESHAPE")
_PER_CHANNEL = _raw.const("BP_OP_PER_CHANNEL")
_HAS_BIAS = _raw.const("BP_OP_HAS_BIAS")
_LAYOUT_ROWS = _raw.const("BP_LAYOUT_ROWS")

_WEIGHT_ALIGNMENT = 16
_WORD = 4
_MAX_BYTES = 2**32 - 1
_CRC_AT, _CRC_FROM = 12, 16

_HEADER = struct.Struct("<IHHIIIIHHHHIIIIIIII")
_TENSOR = struct.Struct("<BBH4IIIfiI")
_ARENA_OFFSET_FIELD = 8
_COUNT = _CRC = struct.Struct("<I")
_BOUNDARY = struct.Struct("<HHI")
_OP = struct.Struct("<BBBBHHhh5I")


# ---------------------------------------------------------------------------------------- encode


def encode(graph: Graph, *, names: bool = True) -> bytes:
    """The image of a graph, with an arena planned for it. ModelError names what the format cannot
    hold."""
    check(graph)
    arena = plan(graph)
    if arena.arena_bytes > _MAX_ARENA_BYTES:
        raise ModelError(
            f"the model needs an arena of {arena.arena_bytes} bytes; {_MAX_ARENA_BYTES} are allowed"
        )
    tensors_offset = _HEADER.size
    ops_offset = tensors_offset + _TENSOR.size * len(graph.tensors)
    io_offset = ops_offset + _OP.size * len(graph.ops)
    io = np.array(graph.inputs + graph.outputs, "<u2").tobytes()
    data_offset = _round_up(io_offset + len(io), _WEIGHT_ALIGNMENT)
    data = _Pool(data_offset)
    ops = b"".join(_encode_op(graph, op, data) for op in graph.ops)
    name_pool = _Names(_round_up(data.end, _WORD), names)
    tensors = b"".join(
        _encode_tensor(t, offset, name_pool.add(t.name))
        for t, offset in zip(graph.tensors, arena.offsets, strict=True)
    )
    boundary = _encode_boundary(graph)
    boundary_offset = _round_up(name_pool.start + len(name_pool.blob), _WORD)
    sections: dict[int, bytes | bytearray] = {
        tensors_offset: tensors,
        ops_offset: ops,
        io_offset: io,
    }
    sections |= {data_offset: data.blob, name_pool.start: name_pool.blob}
    sections |= {boundary_offset: boundary} if boundary else {}
    total = _round_up(max(offset + len(section) for offset, section in sections.items()), _WORD)
    if total > _MAX_BYTES:
        raise ModelError(f"the model image would have {total} bytes; below 2^32 is allowed")
    header = _HEADER.pack(
        MAGIC, VERSION, _HEADER.size, total, 0, _features(graph), arena.arena_bytes,
        len(graph.tensors), len(graph.ops), len(graph.inputs), len(graph.outputs),
        tensors_offset, ops_offset, io_offset, data_offset, len(data.blob),
        name_pool.start if name_pool.blob else 0, len(name_pool.blob),
        boundary_offset if boundary else 0,
    )  # fmt: skip
    image = bytearray(total)  # the sections are copied once, for they may be large
    for offset, section in {0: header, **sections}.items():
        image[offset : offset + len(section)] = section
    _CRC.pack_into(image, _CRC_AT, zlib.crc32(memoryview(image)[_CRC_FROM:]))
    return bytes(image)


@dataclass(frozen=True)
class ArenaPlace:
    """Where the arena holds an input or an output."""

    tensor: Tensor
    offset: int


@dataclass(frozen=True)
class Layout:
    """What a program that runs an image must know of it."""

    arena_bytes: int
    inputs: tuple[ArenaPlace, ...]
    outputs: tuple[ArenaPlace, ...]


def layout(image: bytes) -> Layout:
    """Arena and borders of an image; ModelError as from decode."""
    graph = decode(image)
    header = _Header(*_HEADER.unpack_from(image))
    records = list(_records(image, _TENSOR, header.tensors_offset, header.n_tensors))

    def places(indices: tuple[int, ...]) -> tuple[ArenaPlace, ...]:
        return tuple(ArenaPlace(graph.tensors[t], records[t][_ARENA_OFFSET_FIELD]) for t in indices)

    return Layout(header.arena_bytes, places(graph.inputs), places(graph.outputs))


def without_names(image: bytes) -> bytes:
    """The same model without tensor names, which a device does not need."""
    return encode(decode(image), names=False)


class _Pool:
    """The data section while it grows. Equal blobs that are added are stored once; appended are
    those that training changes, which no two ops may share."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.blob = bytearray()
        self._known: dict[tuple[bytes, int], int] = {}

    @property
    def end(self) -> int:
        return self.start + len(self.blob)

    def add(self, data: bytes, alignment: int) -> int:
        key = (data, alignment)
        if key not in self._known:
            self._known[key] = self.append(data, alignment)
        return self._known[key]

    def append(self, data: bytes | memoryview, alignment: int) -> int:
        offset = _round_up(self.end, alignment)
        self.blob += b"\0" * (offset - self.end)
        self.blob += data
        return offset


class _Names:
    """The names section while it grows."""

    def __init__(self, start: int, wanted: bool) -> None:
        self.start = start
        self.blob = bytearray()
        self._wanted = wanted

    def add(self, name: str) -> int:
        if not (self._wanted and name):
            return 0
        if "\0" in name:
            raise ModelError(f"tensor name {name!r} has a zero byte, which ends a name")
        offset = self.start + len(self.blob)
        self.blob += _utf8(name) + b"\0"
        return offset


def _utf8(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise ModelError(f"tensor name {name!r} is not valid text: {error}") from None


def _round_up(n: int, alignment: int) -> int:
    return -(-n // alignment) * alignment


def _features(graph: Graph) -> int:
    mask = 0
    for op in graph.ops:
        mask |= 1 << _CODES[type(op)]
    return mask


_CODES: dict[type, int] = {
    Dense: _DENSE,
    Rescale: _RESCALE,
    Softmax: _SOFTMAX,
    Reshape: _RESHAPE,
}


def _encode_tensor(t: Tensor, arena_offset: int, name_offset: int) -> bytes:
    dims = t.shape + (1,) * (MAX_RANK - len(t.shape))
    flags = _FLOAT_BORDER if t.float_border else 0
    return _TENSOR.pack(
        t.dtype, len(t.shape), flags, *dims, t.elems, arena_offset,
        float(t.scale), t.zero_point, name_offset,
    )  # fmt: skip


def _encode_boundary(graph: Graph) -> bytes:
    """The section of normalizations; nothing where there are none."""
    records = [
        _BOUNDARY.pack(index, 0, len(t.normalization.sub))
        + t.normalization.sub.astype("<f4").tobytes()
        + t.normalization.mul.astype("<f4").tobytes()
        for index, t in enumerate(graph.tensors)
        if t.normalization is not None
    ]
    return _COUNT.pack(len(records)) + b"".join(records) if records else b""


def _encode_op(graph: Graph, op: Op, data: _Pool) -> bytes:
    x, y = graph.tensors[op.input], graph.tensors[op.output]
    activation = _activation(op)
    flags = 0
    args: tuple[int, ...] = ()
    if isinstance(op, Dense):
        flags, args = _dense_flags(op), _dense_args(op, x, y, data)
    elif isinstance(op, Rescale):
        args = _rescale_args(op, x, y)
    elif isinstance(op, Softmax):
        args = data.add(_exp_table(op, x), _WORD), _float_bits(op.beta)
    return _OP.pack(
        _CODES[type(op)], _LAYOUT_ROWS, activation, flags, op.input, op.output,
        *activation_range(activation, y), *args, *[0] * (5 - len(args)),
    )  # fmt: skip


def _activation(op: Op) -> Activation:
    return op.activation if isinstance(op, (Dense, Rescale)) else Activation.NONE


def _float_bits(value: np.float32) -> int:
    return int.from_bytes(np.array(value, "<f4").tobytes(), "little")


def _rescale_args(op: Rescale, x: Tensor, y: Tensor) -> tuple[int, ...]:
    multiplier = rescale_multiplier(op, x, y)
    return multiplier.mult_q31, multiplier.lshift & 0xFFFFFFFF


def _dense_flags(op: Dense) -> int:
    per_channel = _PER_CHANNEL if len(op.weight_scales) > 1 else 0
    return per_channel | (_HAS_BIAS if op.has_bias else 0)


def _dense_args(op: Dense, x: Tensor, y: Tensor, data: _Pool) -> tuple[int, ...]:
    n_out, n_in = op.weights.shape
    rows = op.weights
    if n_in % _WORD:
        rows = np.zeros((n_out, _round_up(n_in, _WORD)), np.int8)
        rows[:, :n_in] = op.weights
    mult_q31, lshift = _multiplier_blobs(op, x, y)
    return (
        data.append(np.ascontiguousarray(rows).data.cast("B"), _WEIGHT_ALIGNMENT),
        data.append(_fold_bias(op, x.zero_point).astype("<i4").tobytes(), _WORD),
        data.add(mult_q31, _WORD),
        data.append(lshift, 1),
        data.append(np.asarray(op.weight_scales, "<f4").tobytes(), _WORD),
    )


def _multiplier_blobs(op: Dense, x: Tensor, y: Tensor) -> tuple[bytes, bytes]:
    multipliers = dense_multipliers(op, x, y)
    mult_q31 = np.array([m.mult_q31 for m in multipliers], "<i4")
    return mult_q31.tobytes(), np.array([m.lshift for m in multipliers], np.int8).tobytes()


def _fold_bias(op: Dense, x_zero_point: int) -> npt.NDArray[np.int32]:
    """bias - x_zp * sum of the row's weights, modulo 2^32."""
    sums = op.weights.sum(axis=1, dtype=np.int64)
    return _wrap_int32(op.bias.astype(np.int64) - x_zero_point * sums)


def _wrap_int32(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def _exp_table(op: Softmax, x: Tensor) -> bytes:
    scaling = softmax_scaling(op, x)
    table = _raw.softmax_exp_table(scaling.mult_q31, scaling.lshift, scaling.diff_min)
    return np.asarray(table, "<i4").tobytes()


# ---------------------------------------------------------------------------------------- decode


@dataclass(frozen=True)
class _Header:
    magic: int
    version: int
    header_bytes: int
    total_bytes: int
    crc32: int
    features: int
    arena_bytes: int
    n_tensors: int
    n_ops: int
    n_inputs: int
    n_outputs: int
    tensors_offset: int
    ops_offset: int
    io_offset: int
    data_offset: int
    data_bytes: int
    names_offset: int
    names_bytes: int
    boundary_offset: int


def decode(image: bytes) -> Graph:
    """The graph of an image. ModelError for bytes that the C reader refuses, with its status, and
    for an image that no graph stands for."""
    _raw.Engine(image)
    header = _Header(*_HEADER.unpack_from(image))
    normalizations = _decode_boundary(image[: header.total_bytes], header)
    tensors = tuple(
        _decode_tensor(image, fields, normalizations.get(index))
        for index, fields in enumerate(
            _records(image, _TENSOR, header.tensors_offset, header.n_tensors)
        )
    )
    records = list(_records(image, _OP, header.ops_offset, header.n_ops))
    ops = tuple(_decode_op(image, tensors, fields) for fields in records)
    io = np.frombuffer(image, "<u2", header.n_inputs + header.n_outputs, header.io_offset).tolist()
    _refuse_shared_weights(header, ops)
    graph = Graph(tensors, ops, tuple(io[: header.n_inputs]), tuple(io[header.n_inputs :]))
    check(graph)
    for index, (op, fields) in enumerate(zip(ops, records, strict=True)):
        _check_integers(index, graph, op, image, fields)
    return graph


def _records(image: bytes, layout: struct.Struct, offset: int, n: int) -> Iterator[tuple[int, ...]]:
    return layout.iter_unpack(image[offset : offset + n * layout.size])


def _decode_boundary(image: bytes, header: _Header) -> dict[int, Normalization]:
    """Normalizations by tensor. The C reader has checked that the count lies in the image."""
    found: dict[int, Normalization] = {}
    if header.boundary_offset == 0:
        return found
    (count,) = _COUNT.unpack_from(image, header.boundary_offset)
    at = header.boundary_offset + _COUNT.size
    for _ in range(count):
        if len(image) - at < _BOUNDARY.size:
            raise ModelError(f"{count} normalizations leave the image")
        index, zero, n = _BOUNDARY.unpack_from(image, at)
        at += _BOUNDARY.size
        if index in found or index >= header.n_tensors or zero != 0:
            raise ModelError(f"expected one normalization per tensor, got one of tensor {index}")
        if n > (len(image) - at) // 8:
            raise ModelError(f"the normalization of tensor {index} leaves the image")
        sub, mul = np.frombuffer(image, "<f4", 2 * n, at).astype(np.float32).reshape(2, n)
        found[index] = Normalization(sub, mul)
        at += 8 * n
    return found


def _decode_tensor(
    image: bytes, fields: tuple[int, ...], normalization: Normalization | None
) -> Tensor:
    dtype, rank, flags = fields[:3]
    scale, zero_point, name_offset = fields[9:]
    return Tensor(
        name=_decode_name(image, name_offset),
        shape=fields[3 : 3 + rank],
        dtype=DType(dtype),
        scale=np.float32(scale),
        zero_point=zero_point,
        float_border=bool(flags & _FLOAT_BORDER),
        normalization=normalization,
    )


def _decode_name(image: bytes, offset: int) -> str:
    if offset == 0:
        return ""
    try:
        return image[offset : image.index(b"\0", offset)].decode()
    except UnicodeDecodeError:
        raise ModelError(f"a tensor's name at offset {offset} is not UTF-8") from None


def _decode_op(image: bytes, tensors: tuple[Tensor, ...], fields: tuple[int, ...]) -> Op:
    code, _layout, activation, _flags, source, target = fields[:6]
    if code == _DENSE:
        return _decode_dense(image, tensors[source], tensors[target], fields)
    if code == _RESCALE:
        return Rescale(source, target, Activation(activation))
    if code == _SOFTMAX:
        beta = np.frombuffer(struct.pack("<I", fields[9]), "<f4")[0]
        return Softmax(source, target, np.float32(beta))
    return Reshape(source, target)


def _decode_dense(image: bytes, x: Tensor, y: Tensor, fields: tuple[int, ...]) -> Dense:
    flags, source, target = fields[3:6]
    weights_at, bias_at, _mult_at, _lshift_at, scales_at = fields[8:]
    n_out = y.shape[-1]
    n_in = x.elems // (y.elems // n_out)
    stride = _round_up(n_in, _WORD)
    rows = np.frombuffer(image, np.int8, n_out * stride, weights_at).reshape(n_out, stride)
    weights = np.ascontiguousarray(rows[:, :n_in])
    folded = np.frombuffer(image, "<i4", n_out, bias_at).astype(np.int64)
    sums = weights.sum(axis=1, dtype=np.int64)
    n_scales = n_out if flags & _PER_CHANNEL else 1
    return Dense(
        input=source,
        output=target,
        weights=weights,
        bias=_wrap_int32(folded + x.zero_point * sums),
        weight_scales=np.frombuffer(image, "<f4", n_scales, scales_at).astype(np.float32),
        activation=Activation(fields[2]),
        has_bias=bool(flags & _HAS_BIAS),
    )


def _refuse_shared_weights(header: _Header, ops: tuple[Op, ...]) -> None:
    """Else a small image whose ops all point to the same bytes would stand for gigabytes."""
    weight_bytes = sum(op.weights.size for op in ops if isinstance(op, Dense))
    if weight_bytes > header.data_bytes:
        raise ModelError(
            f"{weight_bytes} weights share a data section of {header.data_bytes} bytes"
        )


def _check_integers(
    index: int, graph: Graph, op: Op, image: bytes, fields: tuple[int, ...]
) -> None:
    """The op's integers must be those that its scales lead to."""
    x, y = graph.tensors[op.input], graph.tensors[op.output]
    args = fields[8:]
    if isinstance(op, Dense):
        same = _same_blobs(image, args[2:4], *_multiplier_blobs(op, x, y))
    elif isinstance(op, Softmax):
        same = _same_blobs(image, args[:1], _exp_table(op, x))
    elif isinstance(op, Rescale):
        same = args[:2] == _rescale_args(op, x, y)
    else:
        same = True
    if not same or fields[6:8] != activation_range(_activation(op), y):
        raise ModelError(
            f"op {index} {type(op).__name__}: the image's integers do not follow from its scales"
        )


def _same_blobs(image: bytes, offsets: tuple[int, ...], *blobs: bytes) -> bool:
    return all(image.startswith(blob, at) for at, blob in zip(offsets, blobs, strict=True))
