"""The model image (.bpm): bytes from a graph, and a graph from bytes. docs/format.md specifies it.

The layout is that of byteprop/model.h, which is asked for it. Bytes that come from outside are
opened by the C reader first, so nothing is read here that it has not checked; what only the host
uses (names, weight scales) is checked here. An image whose integers do not follow from its scales
is refused, because a graph could not hold it. What belongs to one op is in `ops`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import Graph, Normalization
from byteprop.graph.tensor import DType, Kind, Op, Tensor
from byteprop.image.check import MAX_RANK, check
from byteprop.image.plan import Plan, Scratch, plan
from byteprop.ops import place, spec_of, spec_of_code
from byteprop.ops.spec import WEIGHT_ALIGNMENT, WORD, Block, Params, Record

MAGIC = _raw.const("BP_MODEL_MAGIC")
VERSION = _raw.const("BP_MODEL_VERSION")
_MAX_ARENA_BYTES = _raw.const("BP_MODEL_MAX_ARENA_BYTES")
_MAX_TENSORS = _raw.const("BP_MODEL_MAX_TENSORS")
_FLOAT_BORDER = _raw.const("BP_TENSOR_FLOAT_BORDER")
_ROWS = _raw.const("BP_TENSOR_ROWS")
_SCRATCH = _raw.const("BP_KIND_SCRATCH")
_INITIAL = _raw.const("BP_KIND_INITIAL")
_CRC_FROM = _raw.const("BP_MODEL_CRC_FROM")
_CRC_AT = _raw.const("BP_HEADER_CRC32")
_FEATURES_BYTES = _raw.const("BP_MODEL_FEATURES_BYTES")
_OP_OPERANDS = _raw.const("BP_OP_OPERANDS")
_MAX_BYTES = 2**32 - 1
_LAYOUT_ROWS = _raw.const("BP_LAYOUT_ROWS")
_LAYOUT_HALFWORDS = _raw.const("BP_LAYOUT_HALFWORDS")
_COUNT = struct.Struct("<I")
_BOUNDARY = struct.Struct("<HHI")

Fields = npt.NDArray[Any]


def _layout(prefix: str, size: str, fields: Mapping[str, str]) -> np.dtype[Any]:
    """A record: its fields' types from here, their offsets from the C header."""
    return np.dtype(
        {
            "names": list(fields),
            "formats": list(fields.values()),
            "offsets": [_raw.const(prefix + name.upper()) for name in fields],
            "itemsize": _raw.const(size),
        }
    )


HEADER = _layout(
    "BP_HEADER_", "BP_MODEL_HEADER_BYTES",
    {
        "magic": "<u4", "version": "<u2", "header_bytes": "<u2", "total_bytes": "<u4",
        "crc32": "<u4", "ops_bytes": "<u4", "arena_bytes": "<u4", "n_tensors": "<u2",
        "n_ops": "<u2", "n_inputs": "<u2", "n_outputs": "<u2", "tensors_offset": "<u4",
        "ops_offset": "<u4", "io_offset": "<u4", "data_offset": "<u4", "data_bytes": "<u4",
        "names_offset": "<u4", "names_bytes": "<u4", "boundary_offset": "<u4",
        "features": f"({_FEATURES_BYTES},)u1",
    },
)  # fmt: skip
TENSOR = _layout(
    "BP_TENSOR_", "BP_MODEL_TENSOR_BYTES",
    {
        "dtype": "u1", "rank": "u1", "kind": "u1", "flags": "u1", "dims": f"({MAX_RANK},)<u4",
        "elems": "<u4", "offset": "<u4", "scale": "<f4", "zero_point": "<i4",
        "name_offset": "<u4",
    },
)  # fmt: skip


# ---------------------------------------------------------------------------------------- encode


def encode(graph: Graph, *, names: bool = True, halfwords: bool = False) -> bytes:
    """The image of a graph, with an arena planned for it. ModelError names what the format cannot
    hold. halfwords: with weights in the layout of some CPUs, which `decode` does not take."""
    check(graph)
    arena = _planned(graph)
    drafts = [_draft(graph, index, arena, halfwords) for index in range(len(graph.ops))]
    tensors_offset = HEADER.itemsize
    ops_offset = tensors_offset + _n_tensors(graph, arena) * TENSOR.itemsize
    io_offset = ops_offset + sum(WORD + draft.size for draft in drafts)
    io = np.array(graph.inputs + graph.outputs, "<u2").tobytes()
    data = _Pool(_round_up(io_offset + len(io), WEIGHT_ALIGNMENT))
    ops = _ops_section(drafts, ops_offset, data)
    beginnings = _beginnings(graph)
    constants = [
        data.append(t.data, WORD) if t.kind is Kind.CONSTANT or index in beginnings else 0
        for index, t in enumerate(graph.tensors)
    ]
    pool = _Names(_round_up(data.end, WORD), names)
    tensors = _tensor_records(graph, arena, constants, pool)
    boundary = _encode_boundary(graph)
    boundary_offset = _round_up(pool.start + len(pool.blob), WORD)
    sections: dict[int, bytes | bytearray] = {
        tensors_offset: tensors,
        ops_offset: ops,
        io_offset: io,
        data.start: data.blob,
    }
    sections |= {pool.start: pool.blob} if pool.blob else {}
    sections |= {boundary_offset: boundary} if boundary else {}
    total = _round_up(max(offset + len(section) for offset, section in sections.items()), WORD)
    if total > _MAX_BYTES:
        raise ModelError(f"the model image would have {total} bytes; below 2^32 is allowed")
    fields = {
        "magic": MAGIC, "version": VERSION, "header_bytes": HEADER.itemsize, "total_bytes": total,
        "ops_bytes": len(ops), "arena_bytes": arena.arena_bytes,
        "n_tensors": len(tensors) // TENSOR.itemsize, "n_ops": len(graph.ops),
        "n_inputs": len(graph.inputs), "n_outputs": len(graph.outputs),
        "tensors_offset": tensors_offset, "ops_offset": ops_offset, "io_offset": io_offset,
        "data_offset": data.start, "data_bytes": len(data.blob),
        "names_offset": pool.start if pool.blob else 0, "names_bytes": len(pool.blob),
        "boundary_offset": boundary_offset if boundary else 0,
        "features": np.frombuffer(_features(graph), np.uint8),
    }  # fmt: skip
    return _assembled(fields, sections, total)


def _assembled(
    fields: Mapping[str, Any], sections: Mapping[int, bytes | bytearray], total: int
) -> bytes:
    """Header and sections at their offsets, with the checksum."""
    header = np.zeros((), HEADER)
    for name, value in fields.items():
        header[name] = value
    image = bytearray(total)  # the sections are copied once, for they may be large
    for offset, section in {0: header.tobytes(), **sections}.items():
        image[offset : offset + len(section)] = section
    crc = zlib.crc32(memoryview(image)[_CRC_FROM:])
    image[_CRC_AT : _CRC_AT + WORD] = crc.to_bytes(WORD, "little")
    return bytes(image)


def _planned(graph: Graph) -> Plan:
    arena = plan(graph)
    if arena.arena_bytes > _MAX_ARENA_BYTES:
        raise ModelError(
            f"the model needs an arena of {arena.arena_bytes} bytes; {_MAX_ARENA_BYTES} are allowed"
        )
    n_tensors = _n_tensors(graph, arena)
    if n_tensors > _MAX_TENSORS:
        raise ModelError(
            f"the model has {n_tensors} tensors, scratch memory included; "
            f"a model image of it holds {_MAX_TENSORS} at most"
        )
    return arena


def _n_tensors(graph: Graph, arena: Plan) -> int:
    return len(graph.tensors) + len(_beginnings(graph)) + len(arena.scratch)


def _beginnings(graph: Graph) -> list[int]:
    """States that begin with other values than their zero point."""
    return [
        t
        for t, state in enumerate(graph.tensors)
        if state.kind is Kind.STATE and state.data not in (b"", _zero_points(state))
    ]


def _zero_points(state: Tensor) -> bytes:
    return np.full(state.elems, state.zero_point, state.dtype.numpy).tobytes()


@dataclass(frozen=True)
class _Draft:
    """An op's record before its blocks have their offsets."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    params: Params

    @property
    def operands(self) -> bytes:
        """Tensor indices, filled up to a multiple of 4 bytes."""
        indices = np.array(self.inputs + self.outputs, "<u2").tobytes()
        return indices.ljust(_round_up(len(indices), WORD), b"\0")

    @property
    def words(self) -> int:
        return sum(1 if isinstance(p, Block) else len(p) // WORD for p in self.params)

    @property
    def size(self) -> int:
        return _OP_OPERANDS + len(self.operands) + WORD * self.words

    def encode(self, data: _Pool) -> bytes:
        head = bytes((self.code, len(self.inputs), len(self.outputs), self.words))
        params = (data.put(p) if isinstance(p, Block) else p for p in self.params)
        return b"".join((head, self.operands, *params))


def _draft(graph: Graph, index: int, arena: Plan, halfwords: bool) -> _Draft:
    """Scratch memory follows the op's outputs, as a tensor behind all others."""
    op = graph.ops[index]
    spec = spec_of(op)
    first = len(graph.tensors) + len(_beginnings(graph))
    scratch = [first + i for i, s in enumerate(arena.scratch) if s.op == index]
    at = place(graph.tensors, op, f"op {index} {type(op).__name__}")
    params = spec.halfword_params(at) if halfwords else spec.params(at)
    return _Draft(spec.code, op.inputs, (*op.outputs, *scratch), params)


def _ops_section(drafts: Sequence[_Draft], offset: int, data: _Pool) -> bytes:
    """Offsets of the records, then the records."""
    sizes = [draft.size for draft in drafts]
    begins = offset + WORD * len(drafts) + np.cumsum([0, *sizes])[:-1]
    return begins.astype("<u4").tobytes() + b"".join(draft.encode(data) for draft in drafts)


def _tensor_records(graph: Graph, arena: Plan, constants: Sequence[int], names: _Names) -> bytes:
    records = np.zeros(_n_tensors(graph, arena), TENSOR)
    beginnings = _beginnings(graph)
    for record, tensor, offset, constant in zip(
        records[: len(graph.tensors)], graph.tensors, arena.offsets, constants, strict=True
    ):
        _put_tensor(record, tensor, constant if tensor.kind is Kind.CONSTANT else offset)
        record["name_offset"] = names.add(tensor.name)
    behind = records[len(graph.tensors) :]
    for record, state in zip(behind, beginnings, strict=False):
        _put_tensor(record, graph.tensors[state], constants[state])
        record["kind"], record["flags"], record["name_offset"] = _INITIAL, 0, state
    for record, scratch in zip(behind[len(beginnings) :], arena.scratch, strict=True):
        _put_tensor(record, _scratch_tensor(scratch.size), scratch.offset)
        record["kind"] = _SCRATCH
    return records.tobytes()


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


def _scratch_tensor(size: int) -> Tensor:
    return Tensor("", (size,), DType.INT8, np.float32(1), 0)


def _put_tensor(record: Fields, tensor: Tensor, offset: int) -> None:
    record["dtype"], record["rank"] = tensor.dtype, len(tensor.shape)
    record["kind"] = tensor.kind
    record["flags"] = _FLOAT_BORDER * tensor.float_border | _ROWS * tensor.rows
    record["dims"] = tensor.shape + (1,) * (MAX_RANK - len(tensor.shape))
    record["elems"], record["offset"] = tensor.elems, offset
    record["scale"], record["zero_point"] = tensor.scale, tensor.zero_point


class _Pool:
    """The data section while it grows."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.blob = bytearray()
        self._known: dict[tuple[bytes, int], int] = {}

    @property
    def end(self) -> int:
        return self.start + len(self.blob)

    def put(self, block: Block) -> bytes:
        """The block's offset, as a record has it. Equal blocks that are shared are stored once."""
        data = block.make()
        if not block.shared:
            return self.append(data, block.alignment).to_bytes(WORD, "little")
        key = (bytes(data), block.alignment)
        if key in self._known:
            offset = self._known[key]
        else:
            offset = self._known[key] = self.append(data, block.alignment)
        return offset.to_bytes(WORD, "little")

    def append(self, data: bytes | memoryview, alignment: int) -> int:
        offset = _round_up(self.end, alignment)
        self.blob += b"\0" * (offset - self.end)
        self.blob += data
        return offset


class _Names:
    """The names section while it grows."""

    def __init__(self, start: int, kept: bool) -> None:
        self.start = start
        self.blob = bytearray()
        self._kept = kept

    def add(self, name: str) -> int:
        if not (self._kept and name):
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


def _features(graph: Graph) -> bytes:
    """A bit for the code of each op of the graph."""
    return op_mask(spec_of(op).name for op in graph.ops).to_bytes(_FEATURES_BYTES, "little")


# ---------------------------------------------------------------------------------------- layout


@dataclass(frozen=True)
class ArenaPlace:
    """The address in the arena of an input or an output."""

    tensor: Tensor
    offset: int


@dataclass(frozen=True)
class Layout:
    """What a program that runs an image must know of it."""

    arena_bytes: int
    inputs: tuple[ArenaPlace, ...]
    outputs: tuple[ArenaPlace, ...]


def layout(image: bytes | _raw.Engine) -> Layout:
    """Arena, inputs and outputs of an image; ModelError as from decode."""
    opened = _Opened(image)
    graph = _decode(opened)

    def places(indices: tuple[int, ...]) -> tuple[ArenaPlace, ...]:
        offsets = opened.tensors["offset"].tolist()
        return tuple(ArenaPlace(graph.tensors[t], offsets[t]) for t in indices)

    return Layout(int(opened.header["arena_bytes"]), places(graph.inputs), places(graph.outputs))


def arena(image: bytes | _raw.Engine) -> Plan:
    """The arena as the image has it; ModelError for bytes that the C reader refuses."""
    opened = _Opened(image)
    tensors = _decode_tensors(opened)
    offsets, sizes = (opened.tensors[field].tolist() for field in ("offset", "elems"))
    kinds = (tensor.kind for tensor in tensors)
    return Plan(
        tuple(0 if k is Kind.CONSTANT else o for k, o in zip(kinds, offsets, strict=False)),
        tuple(
            Scratch(index, sizes[t], offsets[t])
            for index in range(len(opened.ops))
            for t in _OpRecord(opened, tensors, index).scratch
        ),
        int(opened.header["arena_bytes"]),
    )


def without_names(image: bytes | _raw.Engine, *, halfwords: bool = False) -> bytes:
    """The same model without names, which a device does not need. halfwords: as in encode."""
    return encode(decode(image), names=False, halfwords=halfwords)


def features(image: bytes) -> frozenset[str]:
    """Names of the ops that an image needs, from its header alone."""
    if len(image) < HEADER.itemsize:
        raise ModelError(f"expected a model image, got {len(image)} bytes")
    return op_names(np.frombuffer(image, HEADER, 1)[0]["features"].tobytes())


def op_names(mask: bytes) -> frozenset[str]:
    """Names of the ops whose bits are set in a mask as the header has it."""
    bits = int.from_bytes(mask, "little")
    return frozenset(_raw.op_name(code) for code in range(8 * len(mask)) if bits >> code & 1)


def op_mask(names: Iterable[str]) -> int:
    """A bit for the code of each op."""
    return sum(1 << _raw.op_code(name) for name in set(names))


def op_defines(ops: Iterable[str]) -> dict[str, str]:
    """The macros with which the C library has these ops and no others (csrc/ops/ops.h), of models
    as they are uploaded."""
    mask = op_mask(ops)
    low, high = mask & (2**64 - 1), mask >> 64
    return {
        "BP_OPS_LOW": f"{low:#x}ULL",
        "BP_OPS_HIGH": f"{high:#x}ULL",
        "BP_LAYOUTS": f"{1 << _LAYOUT_ROWS:#x}",
    }


def model_defines(image: bytes) -> dict[str, str]:
    """The macros with which the C library runs this image and has nothing that it does not need."""
    return {
        **op_defines(features(image)),
        "BP_KINDS": f"{tensor_kinds(image):#x}",
        "BP_LAYOUTS": f"{weight_layouts(image):#x}",
    }


def all_ops() -> frozenset[str]:
    """Names of the ops that the C library of this package has."""
    return op_names(_raw.op_features())


def tensor_kinds(image: bytes | _raw.Engine) -> int:
    """A bit for each kind of tensor that an image has."""
    return int(np.bitwise_or.reduce(1 << _Opened(image).tensors["kind"].astype(np.int64)))


def weight_layouts(image: bytes | _raw.Engine) -> int:
    """A bit for each layout of weights that an image has; that of rows always."""
    opened = _Opened(image)
    records = [_OpRecord(opened, (), index) for index in range(len(opened.ops))]
    halfwords = any(spec_of_code(r.code).has_halfwords(r) for r in records)
    return 1 << _LAYOUT_ROWS | halfwords << _LAYOUT_HALFWORDS


# ---------------------------------------------------------------------------------------- decode


class _Opened:
    """An image that the C library has checked, and its records."""

    def __init__(self, image: bytes | _raw.Engine) -> None:
        engine = image if isinstance(image, _raw.Engine) else _raw.Engine(image)
        self.bytes = engine.image
        self.header = self._records(HEADER, 0, 1)[0]
        h = self.header
        self.tensors = self._records(TENSOR, h["tensors_offset"], h["n_tensors"])
        self.ops = self._records(np.dtype("<u4"), h["ops_offset"], h["n_ops"])
        io = self._records(np.dtype("<u2"), h["io_offset"], int(h["n_inputs"]) + h["n_outputs"])
        self.inputs = tuple(io[: h["n_inputs"]].tolist())
        self.outputs = tuple(io[h["n_inputs"] :].tolist())
        self._left = int(h["data_bytes"])

    def _records(self, layout: np.dtype[Any], offset: Any, n: Any) -> Fields:
        return np.frombuffer(self.bytes, layout, int(n), int(offset))

    def take(self, offset: int, dtype: np.dtype[Any], count: int) -> Fields:
        """Values that belong to one op. Without the limit, a small image whose ops all point to the
        same bytes would stand for gigabytes."""
        self._left -= count * dtype.itemsize
        if self._left < 0:
            raise ModelError(
                f"the ops share their data: {-self._left} bytes more than the data section of "
                f"{self.header['data_bytes']} bytes has"
            )
        return self._records(dtype, offset, count)

    def starts_with(self, data: bytes | memoryview, offset: int) -> bool:
        return self.bytes[offset : offset + len(data)].tobytes() == data

    def normalizations(self) -> dict[int, Normalization]:
        """By tensor. The C reader has checked that the count is inside the image."""
        found: dict[int, Normalization] = {}
        at, end = int(self.header["boundary_offset"]), int(self.header["total_bytes"])
        if at == 0:
            return found
        (count,) = _COUNT.unpack_from(self.bytes.data, at)
        at += _COUNT.size
        for _ in range(count):
            if end - at < _BOUNDARY.size:
                raise ModelError(f"{count} normalizations leave the image")
            index, zero, n = _BOUNDARY.unpack_from(self.bytes.data, at)
            at += _BOUNDARY.size
            if index in found or index >= len(self.tensors) or zero != 0:
                raise ModelError(
                    f"expected one normalization per tensor, got one of tensor {index}"
                )
            if n > (end - at) // 8:
                raise ModelError(f"the normalization of tensor {index} leaves the image")
            constants = self._records(np.dtype("<f4"), at, 2 * n).astype(np.float32)
            found[index] = Normalization(*constants.reshape(2, n))
            at += 8 * n
        return found

    def name(self, offset: int) -> str:
        if offset == 0:
            return ""
        end = int(self.header["names_offset"]) + int(self.header["names_bytes"])
        raw = self.bytes[offset:end].tobytes().split(b"\0", 1)[0]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise ModelError(f"a tensor's name at offset {offset} is not UTF-8") from None


class _OpRecord(Record):
    """One op of an opened image."""

    def __init__(self, opened: _Opened, tensors: Sequence[Tensor], index: int) -> None:
        begin = int(opened.ops[index])
        self._opened = opened
        self._tensors = tensors
        self.code, n_inputs, n_outputs, n_words = opened.bytes[begin : begin + 4].tolist()
        n = n_inputs + n_outputs
        operands = opened._records(np.dtype("<u2"), begin + _OP_OPERANDS, n).tolist()
        self.inputs, outputs = tuple(operands[:n_inputs]), operands[n_inputs:]
        self.outputs = tuple(t for t in outputs if t < len(tensors))
        self.scratch = tuple(t for t in outputs if t >= len(tensors))
        params = begin + _OP_OPERANDS + _round_up(2 * n, WORD)
        self.params = opened.bytes[params : params + WORD * n_words].tobytes()

    def tensor(self, index: int) -> Tensor:
        return self._tensors[index]

    def array(self, word: int, dtype: str, count: int) -> npt.NDArray[Any]:
        return self._opened.take(self.u32(word), np.dtype(dtype), count)


def decode(image: bytes | _raw.Engine) -> Graph:
    """The graph of an image. ModelError for bytes that the C reader refuses, with its status, and
    for an image that no graph stands for."""
    return _decode(_Opened(image))


def _decode(opened: _Opened) -> Graph:
    tensors = _decode_tensors(opened)
    records = [_OpRecord(opened, tensors, index) for index in range(len(opened.ops))]
    for index, r in enumerate(records):
        if spec_of_code(r.code).has_halfwords(r):
            raise ModelError(
                f"op {index} {spec_of_code(r.code).name}: its weights are in halfwords, for "
                "firmware of one CPU; load the model that it was made of"
            )
    ops: tuple[Op, ...] = tuple(spec_of_code(r.code).decode(r) for r in records)
    graph = Graph(tensors, ops, opened.inputs, opened.outputs)
    check(graph)
    for index, record in enumerate(records):
        _check_derived(index, graph, record, opened)
    if opened.header["features"].tobytes() != _features(graph):
        raise ModelError("the header's features are not those of the image's ops")
    return graph


def _decode_tensors(opened: _Opened) -> tuple[Tensor, ...]:
    """Those of the graph; what states begin with comes behind them, and then scratch memory."""
    kinds = opened.tensors["kind"].tolist()
    n = next((i for i, kind in enumerate(kinds) if kind in (_SCRATCH, _INITIAL)), len(kinds))
    n_initial = kinds.count(_INITIAL)
    if set(kinds[n + n_initial :]) - {_SCRATCH} or set(kinds[n : n + n_initial]) - {_INITIAL}:
        raise ModelError(
            f"tensor {n}: expected first values of states and then scratch memory after all "
            "other tensors"
        )
    normalizations = opened.normalizations()
    tensors = [
        _decode_tensor(opened, record, normalizations.get(index))
        for index, record in enumerate(opened.tensors[:n])
    ]
    for index in range(n, n + n_initial):
        _decode_beginning(opened, tensors, index)
    return tuple(tensors)


def _decode_beginning(opened: _Opened, tensors: list[Tensor], index: int) -> None:
    """Gives a state its first values. The C reader has checked that it is one of that size."""
    record = opened.tensors[index]
    state = int(record["name_offset"])
    data = opened.take(int(record["offset"]), np.dtype(np.uint8), int(record["elems"])).tobytes()
    expected = np.zeros((), TENSOR)
    _put_tensor(expected, tensors[state], int(record["offset"]))
    expected["kind"], expected["flags"], expected["name_offset"] = _INITIAL, 0, state
    if tensors[state].data or data == _zero_points(tensors[state]) or expected != record:
        raise ModelError(f"tensor {index}: expected other first values of tensor {state}, once")
    tensors[state] = replace(tensors[state], data=data)


def _decode_tensor(opened: _Opened, record: Fields, normalization: Normalization | None) -> Tensor:
    kind = Kind(int(record["kind"]))
    data = b""
    if kind is Kind.CONSTANT:
        elems = int(record["elems"])
        data = opened.take(int(record["offset"]), np.dtype(np.uint8), elems).tobytes()
    return Tensor(
        name=opened.name(int(record["name_offset"])),
        shape=tuple(record["dims"][: record["rank"]].tolist()),
        dtype=DType(int(record["dtype"])),
        scale=np.float32(record["scale"]),
        zero_point=int(record["zero_point"]),
        float_border=bool(record["flags"] & _FLOAT_BORDER),
        normalization=normalization,
        kind=kind,
        data=data,
        rows=int(record["flags"]) // _ROWS,
    )


def _check_derived(index: int, graph: Graph, record: _OpRecord, opened: _Opened) -> None:
    """The op's integers must be those that its scales lead to."""
    op = graph.ops[index]
    where = f"op {index} {type(op).__name__}"
    word = 0
    spec = spec_of(op)
    for param in spec.params(place(graph.tensors, op, where)):
        if isinstance(param, Block):
            same = not param.derived or opened.starts_with(param.make(), record.u32(word))
            word += 1
        else:
            got = record.params[WORD * word : WORD * word + len(param)]
            same = got == param or (word == 0 and _without(spec.claims, param, got))
            word += len(param) // WORD
        if not same:
            raise ModelError(f"{where}: the image's integers do not follow from its scales")


def _without(claims: int, param: bytes, got: bytes) -> bool:
    """Whether the image left claims out and has nothing else than the writer would have."""
    expected = int.from_bytes(param, "little")
    return expected & ~claims == int.from_bytes(got, "little")
