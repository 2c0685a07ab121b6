"""A .tflite file as plain Python values, before any of it is understood.

Everything here is bounded by the verifier's budget. Constants are views of the file's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite
from flatbuffers.number_types import Int32Flags

from byteprop.errors import ModelError
from byteprop.tflite import schema
from byteprop.tflite.verify import verify

SCHEMA_VERSION = 3
NO_TENSOR = -1
NO_OPTIONS = tflite.BuiltinOptions.NONE

_TYPE_NAMES: dict[int, str] = {
    value: name for name, value in vars(tflite.TensorType).items() if isinstance(value, int)
}
_OP_NAMES: dict[int, str] = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}
_OPTIONS_NAMES: dict[int, str] = {
    value: name for name, value in vars(tflite.BuiltinOptions).items() if isinstance(value, int)
}
_BUILTIN_CODE_SLOT = 10  # in the vtable of OperatorCode
# TensorFlow Lite's own limit.
_MAX_RANK = 8
_MAX_OPERANDS = 1024
_MAX_CUSTOM_NAME = 80


@dataclass(frozen=True)
class RawQuantization:
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    dimension: int
    custom: bool


@dataclass(frozen=True)
class RawTensor:
    index: int
    name: str
    type: int
    shape: tuple[int, ...]
    signature: tuple[int, ...] | None
    has_rank: bool
    data: npt.NDArray[np.uint8] | None
    quantization: RawQuantization | None
    is_variable: bool
    is_sparse: bool

    @property
    def type_name(self) -> str:
        return type_name(self.type)


@dataclass(frozen=True)
class RawOp:
    index: int
    code: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int
    options: Any  # a flatbuffers Table, or None
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True)
class RawModel:
    """A subgraph of a file. others: with the first one, those that follow it. was_uint8: tensors
    that are int8 here and uint8 in the file."""

    tensors: tuple[RawTensor, ...]
    ops: tuple[RawOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    file_bytes: int
    others: tuple[RawModel, ...] = ()
    was_uint8: frozenset[int] = frozenset()

    @property
    def subgraphs(self) -> int:
        """Subgraphs of the file, with the first one."""
        return 1 + len(self.others)


def type_name(code: int) -> str:
    return _TYPE_NAMES.get(code, f"type {code}")


def options_name(code: int) -> str:
    return _OPTIONS_NAMES.get(code, f"type {code}")


def op_name(code: int) -> str:
    return _OP_NAMES.get(code, f"operator {code}")


def read(data: bytes) -> RawModel:
    """Verifies a file and reads its subgraphs."""
    verify(data)
    model = tflite.Model.GetRootAs(data, 0)
    if model.Version() != SCHEMA_VERSION:
        raise ModelError(
            f"schema version {model.Version()} of the .tflite file; byteprop reads {SCHEMA_VERSION}"
        )
    if not model.SubgraphsLength():
        raise ModelError("0 subgraphs in the .tflite file, expected at least 1")
    buffers = [_buffer(model.Buffers(i), i) for i in range(model.BuffersLength())]
    codes = [_op_code(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
    first, *others = (
        _subgraph(model.Subgraphs(i), buffers, codes, len(data))
        for i in range(model.SubgraphsLength())
    )
    return replace(first, others=tuple(others))


def _subgraph(
    graph: tflite.SubGraph,
    buffers: list[npt.NDArray[np.uint8] | None],
    codes: list[tuple[int, str, int]],
    file_bytes: int,
) -> RawModel:
    tensors = tuple(_tensor(graph.Tensors(i), i, buffers) for i in range(graph.TensorsLength()))
    return RawModel(
        tensors,
        tuple(_op(graph.Operators(i), i, codes, tensors) for i in range(graph.OperatorsLength())),
        _indices(graph.InputsAsNumpy(), len(tensors), "inputs of the model"),
        _indices(graph.OutputsAsNumpy(), len(tensors), "outputs of the model"),
        file_bytes,
    )


def _buffer(buffer: tflite.Buffer, index: int) -> npt.NDArray[np.uint8] | None:
    if buffer.Offset() > 1 or buffer.Size() > 1:
        raise ModelError(
            f"buffer {index} is outside the flatbuffer (offset {buffer.Offset()}, as files above "
            "2 GB do it); byteprop reads constants inside it only"
        )
    return buffer.DataAsNumpy() if buffer.DataLength() else None


def _tensor(
    tensor: tflite.Tensor, index: int, buffers: list[npt.NDArray[np.uint8] | None]
) -> RawTensor:
    buffer = tensor.Buffer()
    if buffer >= len(buffers):
        raise ModelError(f"tensor {index} names buffer {buffer}; the file has {len(buffers)}")
    quantization = tensor.Quantization()
    return RawTensor(
        index=index,
        name=_text(tensor.Name()),
        type=tensor.Type(),
        shape=_numbers(tensor.ShapeAsNumpy(), _MAX_RANK, f"dimensions in tensor {index}"),
        signature=_numbers(
            tensor.ShapeSignatureAsNumpy(), _MAX_RANK, f"dimensions in tensor {index}"
        )
        or None,
        has_rank=bool(tensor.HasRank()),
        data=buffers[buffer],
        quantization=_quantization(quantization, index) if quantization is not None else None,
        is_variable=bool(tensor.IsVariable()),
        is_sparse=tensor.Sparsity() is not None,
    )


def _quantization(parameters: tflite.QuantizationParameters, index: int) -> RawQuantization | None:
    scales = parameters.ScaleAsNumpy() if parameters.ScaleLength() else np.empty(0, "<f4")
    zeros = parameters.ZeroPointAsNumpy() if parameters.ZeroPointLength() else np.empty(0, "<i8")
    custom = parameters.DetailsType() != tflite.QuantizationDetails.NONE
    if not len(scales) and not custom:
        return None
    if len(scales) != len(zeros):
        raise ModelError(f"tensor {index} has {len(scales)} scales, but {len(zeros)} zero points")
    return RawQuantization(scales, zeros, parameters.QuantizedDimension(), custom)


def _op_code(code: tflite.OperatorCode) -> tuple[int, str, int]:
    # As TensorFlow Lite: old writers fill the older field alone, others may fill the newer one
    # alone. The package's accessor takes the older field for codes below 127, so it does not do.
    builtin = max(_newer_code(code), code.DeprecatedBuiltinCode())
    name = op_name(builtin)
    if builtin == tflite.BuiltinOperator.CUSTOM:
        name = f"custom op {_text(code.CustomCode())[:_MAX_CUSTOM_NAME]!r}"
    return builtin, name, code.Version()


def _newer_code(code: tflite.OperatorCode) -> int:
    offset = code._tab.Offset(_BUILTIN_CODE_SLOT)
    if not offset:
        return 0
    return int(code._tab.Get(Int32Flags, code._tab.Pos + offset))


def _op(
    op: tflite.Operator,
    index: int,
    codes: list[tuple[int, str, int]],
    tensors: tuple[RawTensor, ...],
) -> RawOp:
    if op.OpcodeIndex() >= len(codes):
        raise ModelError(
            f"op {index} names operator code {op.OpcodeIndex()}; the file has {len(codes)}"
        )
    code, name, version = codes[op.OpcodeIndex()]
    options_type = op.BuiltinOptionsType()
    expected = schema.OPTIONS_OF_OP.get(code)
    if expected is not None and options_type not in (NO_OPTIONS, expected):
        raise ModelError(
            f"op {index}, {name}: options of another op, expected {options_name(expected)}, got "
            f"{options_name(options_type)}"
        )
    return RawOp(
        index=index,
        code=code,
        name=name,
        version=version,
        inputs=_indices(
            op.InputsAsNumpy(), len(tensors), f"inputs of op {index} ({name})", optional=True
        ),
        outputs=_indices(op.OutputsAsNumpy(), len(tensors), f"outputs of op {index} ({name})"),
        options_type=options_type,
        options=op.BuiltinOptions() if options_type in schema.OPTIONS else None,
        intermediates=_indices(
            op.IntermediatesAsNumpy(), len(tensors), f"intermediates of op {index} ({name})"
        ),
    )


def _indices(
    vector: npt.NDArray[np.int32] | int, count: int, what: str, *, optional: bool = False
) -> tuple[int, ...]:
    lowest = NO_TENSOR if optional else 0
    indices = _numbers(vector, _MAX_OPERANDS, what)
    for index in indices:
        if not lowest <= index < count:
            raise ModelError(f"{what} name tensor {index}; the file has {count} tensors")
    return indices


def _numbers(vector: npt.NDArray[np.int32] | int, limit: int, what: str) -> tuple[int, ...]:
    """flatbuffers gives 0 for a vector that is absent."""
    if isinstance(vector, int):
        return ()
    if len(vector) > limit:
        raise ModelError(f"{len(vector)} {what}; byteprop reads up to {limit}")
    return tuple(int(value) for value in vector)


def _text(raw: bytes | None) -> str:
    """Up to a zero byte, as in C."""
    return (raw or b"").split(b"\0")[0].decode("utf-8", "replace")
