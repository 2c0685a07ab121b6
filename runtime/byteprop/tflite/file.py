"""Lays tensors and ops down in a .tflite file: flatbuffers, by the schema's generated builders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import tflite

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
# As converters write them, and as kernels want to read them.
_DATA_ALIGNMENT = 16
_LAST_OLD_CODE = 127

# Writes the table of an op's options, gives its position.
OptionsWriter = Callable[[flatbuffers.Builder], int]
Options = tuple[int, OptionsWriter]


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...] | None
    type: int
    name: str
    scales: npt.NDArray[np.float32] | None
    zero_point: int
    axis: int
    buffer: int
    is_variable: bool


@dataclass(frozen=True)
class _Op:
    code: int  # index of the operator code
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Options | None
    intermediates: Sequence[int]


@dataclass
class TfliteFile:
    """Collects tensors and ops of the first subgraph; build() gives the file."""

    description: str = ""
    name: str = "main"
    _tensors: list[_Tensor] = field(default_factory=list)
    _ops: list[_Op] = field(default_factory=list)
    _codes: list[tuple[int, int]] = field(default_factory=list)  # builtin code, version
    _buffers: list[bytes] = field(default_factory=lambda: [b""])  # the first stands for none
    _others: list[TfliteFile] = field(default_factory=list)

    def subgraph(self, name: str) -> tuple[int, TfliteFile]:
        """Adds a subgraph without inputs and outputs, gives its index and what collects it."""
        other = TfliteFile(name=name, _codes=self._codes, _buffers=self._buffers)
        self._others.append(other)
        return len(self._others), other

    def tensor(
        self,
        shape: Sequence[int] | None,
        type: int,
        *,
        name: str,
        scale: Any = None,
        zero_point: int = 0,
        axis: int = 0,
        data: npt.NDArray[Any] | None = None,
        is_variable: bool = False,
    ) -> int:
        """Adds a tensor, gives its index. shape: None leaves it to who reads the file. scale: one
        number, or one for each index of the axis; data: a constant's."""
        scales = None if scale is None else np.atleast_1d(np.asarray(scale, np.float32))
        buffer = 0
        if data is not None:
            self._buffers.append(np.ascontiguousarray(data).tobytes())
            buffer = len(self._buffers) - 1
        known = None if shape is None else tuple(shape)
        made = _Tensor(known, type, name, scales, zero_point, axis, buffer, is_variable)
        self._tensors.append(made)
        return len(self._tensors) - 1

    def op(
        self,
        code: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int = 1,
        options: Options | None = None,
        intermediates: Sequence[int] = (),
    ) -> None:
        """Adds an op after those that there are."""
        if (code, version) not in self._codes:
            self._codes.append((code, version))
        index = self._codes.index((code, version))
        self._ops.append(_Op(index, inputs, outputs, options, intermediates))

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file with these tensors as its inputs and outputs."""
        b = flatbuffers.Builder(1024)
        buffers = vector(b, [write_buffer(b, data) for data in self._buffers])
        others = [other._subgraph(b, (), ()) for other in self._others]
        graphs = vector(b, [self._subgraph(b, inputs, outputs), *others])
        codes = vector(b, [_op_code(b, code, version) for code, version in self._codes])
        description = b.CreateString(self.description)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, SCHEMA_VERSION)
        tflite.ModelAddOperatorCodes(b, codes)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddDescription(b, description)
        tflite.ModelAddBuffers(b, buffers)
        b.Finish(tflite.ModelEnd(b), file_identifier=IDENTIFIER)
        return bytes(b.Output())

    def _subgraph(
        self, b: flatbuffers.Builder, inputs: Sequence[int], outputs: Sequence[int]
    ) -> int:
        tensors = vector(b, [_tensor(b, tensor) for tensor in self._tensors])
        ops = vector(b, [_op(b, op) for op in self._ops])
        ins, outs = ints(b, inputs), ints(b, outputs)
        name = b.CreateString(self.name)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, ins)
        tflite.SubGraphAddOutputs(b, outs)
        tflite.SubGraphAddOperators(b, ops)
        tflite.SubGraphAddName(b, name)
        return int(tflite.SubGraphEnd(b))


def vector(b: flatbuffers.Builder, positions: Sequence[int]) -> int:
    """A vector of tables."""
    b.StartVector(4, len(positions), 4)
    for position in reversed(positions):
        b.PrependUOffsetTRelative(position)
    return int(b.EndVector())


def ints(b: flatbuffers.Builder, values: Sequence[int]) -> int:
    """A vector of int32."""
    return int(b.CreateNumpyVector(np.asarray(values, np.int32)))


def write_data(b: flatbuffers.Builder, data: bytes) -> int:
    """A constant's bytes, aligned."""
    b.StartVector(1, len(data), _DATA_ALIGNMENT)
    b.head -= len(data)
    b.Bytes[b.head : b.head + len(data)] = data
    return int(b.EndVector())


def write_buffer(b: flatbuffers.Builder, data: bytes) -> int:
    """A buffer; one without bytes is what activations name."""
    position = write_data(b, data) if data else None
    tflite.BufferStart(b)
    if position is not None:
        tflite.BufferAddData(b, position)
    return int(tflite.BufferEnd(b))


def options_of(kind: str, **fields: Any) -> Options:
    """Options by the schema's names: options_of("Softmax", Beta=1.0). A list becomes a vector."""

    def stored(b: flatbuffers.Builder, value: Any) -> Any:
        if isinstance(value, str):
            return b.CreateString(value)
        return ints(b, value) if isinstance(value, (list, tuple)) else value

    def write(b: flatbuffers.Builder) -> int:
        values = {name: stored(b, value) for name, value in fields.items()}
        getattr(tflite, f"{kind}OptionsStart")(b)
        for name, value in values.items():
            getattr(tflite, f"{kind}OptionsAdd{name}")(b, value)
        return int(getattr(tflite, f"{kind}OptionsEnd")(b))

    return getattr(tflite.BuiltinOptions, f"{kind}Options"), write


def _op_code(b: flatbuffers.Builder, code: int, version: int) -> int:
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, _LAST_OLD_CODE))
    tflite.OperatorCodeAddBuiltinCode(b, code)
    tflite.OperatorCodeAddVersion(b, version)
    return int(tflite.OperatorCodeEnd(b))


def _tensor(b: flatbuffers.Builder, tensor: _Tensor) -> int:
    name, shape = b.CreateString(tensor.name), ints(b, tensor.shape or ())
    quantization = None
    if tensor.scales is not None:
        quantization = _quantization(b, tensor.scales, tensor.zero_point, tensor.axis)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, tensor.type)
    tflite.TensorAddBuffer(b, tensor.buffer)
    tflite.TensorAddName(b, name)
    tflite.TensorAddHasRank(b, tensor.shape is not None)
    tflite.TensorAddIsVariable(b, tensor.is_variable)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    return int(tflite.TensorEnd(b))


def _quantization(
    b: flatbuffers.Builder, scales: npt.NDArray[np.float32], zero_point: int, axis: int
) -> int:
    scale = b.CreateNumpyVector(scales)
    zeros = b.CreateNumpyVector(np.full(len(scales), zero_point, np.int64))
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scale)
    tflite.QuantizationParametersAddZeroPoint(b, zeros)
    tflite.QuantizationParametersAddQuantizedDimension(b, axis)
    return int(tflite.QuantizationParametersEnd(b))


def _op(b: flatbuffers.Builder, op: _Op) -> int:
    options_type, writer = op.options or (0, None)
    options = writer(b) if writer is not None else None
    ins, outs = ints(b, op.inputs), ints(b, op.outputs)
    between = ints(b, op.intermediates) if op.intermediates else None
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, op.code)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    if between is not None:
        tflite.OperatorAddIntermediates(b, between)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, options_type)
        tflite.OperatorAddBuiltinOptions(b, options)
    return int(tflite.OperatorEnd(b))
