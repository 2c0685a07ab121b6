"""Builds small .tflite models for tests, among them many that no converter would write.

ModelBuilder takes tensors and ops one by one; the functions below it build models of one op or of a
few, with every parameter open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from byteprop.tflite.file import OptionsWriter, ints, options_of, vector, write_data

INT8, UINT8, INT16, INT32, INT64, FLOAT32 = (
    tflite.TensorType.INT8,
    tflite.TensorType.UINT8,
    tflite.TensorType.INT16,
    tflite.TensorType.INT32,
    tflite.TensorType.INT64,
    tflite.TensorType.FLOAT32,
)
NO_TENSOR = -1


@dataclass
class _Tensor:
    shape: tuple[int, ...]
    type: int
    name: str
    scales: Any = None
    zero_points: Any = None
    dimension: int = 0
    buffer: int = 0
    signature: tuple[int, ...] | None = None
    has_rank: bool = False
    is_variable: bool = False
    sparse: bool = False
    custom_quantization: bool = False


@dataclass
class _Op:
    code: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    version: int
    options_type: int
    options: OptionsWriter | None
    custom_code: str | None


@dataclass
class ModelBuilder:
    """Collects tensors and ops; build() writes the file."""

    schema_version: int = 3
    identifier: bytes = b"TFL3"
    subgraphs: int = 1
    metadata: Sequence[tuple[str, int]] = ()  # names and buffers
    external_buffer: int | None = None  # index of a buffer said to be outside the file
    modern_op_codes: bool = True  # whether the newer field of the op's code is written
    old_op_codes: bool = True  # and the older one
    _tensors: list[_Tensor] = field(default_factory=list)
    _ops: list[_Op] = field(default_factory=list)
    _buffers: list[bytes] = field(default_factory=lambda: [b""])

    def tensor(
        self,
        shape: Sequence[int],
        type: int = INT8,
        *,
        scale: Any = None,
        zero_point: Any = 0,
        data: np.ndarray[Any, Any] | bytes | None = None,
        name: str | None = None,
        **more: Any,
    ) -> int:
        """Adds a tensor, gives its index. scale: one number, or one a row; data: a constant's."""
        scales = None if scale is None else np.atleast_1d(np.asarray(scale, np.float32))
        zeros = None
        if scales is not None and zero_point is not None:
            zeros = np.broadcast_to(np.asarray(zero_point, np.int64), scales.shape)
        name = f"t{len(self._tensors)}" if name is None else name
        made = _Tensor(tuple(shape), type, name, scales, zeros, **more)
        if data is not None:
            raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
            self._buffers.append(raw)
            made.buffer = len(self._buffers) - 1
        self._tensors.append(made)
        return len(self._tensors) - 1

    def op(
        self,
        code: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int = 1,
        options: tuple[int, OptionsWriter] | None = None,
        custom_code: str | None = None,
    ) -> None:
        options_type, writer = options or (0, None)
        self._ops.append(_Op(code, inputs, outputs, version, options_type, writer, custom_code))

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        b = flatbuffers.Builder(1024)
        buffers = vector(b, [self._buffer(b, i) for i in range(len(self._buffers))])
        graphs = vector(b, [self._subgraph(b, inputs, outputs) for _ in range(self.subgraphs)])
        codes = vector(b, [self._op_code(b, op) for op in self._ops])
        entries = [_metadata(b, *entry) for entry in self.metadata]
        metadata = vector(b, entries) if entries else None
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, self.schema_version)
        tflite.ModelAddOperatorCodes(b, codes)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffers)
        if metadata is not None:
            tflite.ModelAddMetadata(b, metadata)
        b.Finish(tflite.ModelEnd(b), file_identifier=self.identifier)
        return bytes(b.Output())

    def _buffer(self, b: flatbuffers.Builder, index: int) -> int:
        data = self._buffers[index]
        position = write_data(b, data) if data else None
        tflite.BufferStart(b)
        if position is not None:
            tflite.BufferAddData(b, position)
        if index == self.external_buffer:
            tflite.BufferAddOffset(b, 4096)
            tflite.BufferAddSize(b, 16)
        return int(tflite.BufferEnd(b))

    def _subgraph(
        self, b: flatbuffers.Builder, inputs: Sequence[int], outputs: Sequence[int]
    ) -> int:
        tensors = vector(b, [_tensor(b, tensor) for tensor in self._tensors])
        ops = vector(b, [_op(b, i, op) for i, op in enumerate(self._ops)])
        ins, outs = ints(b, inputs), ints(b, outputs)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, ins)
        tflite.SubGraphAddOutputs(b, outs)
        tflite.SubGraphAddOperators(b, ops)
        return int(tflite.SubGraphEnd(b))

    def _op_code(self, b: flatbuffers.Builder, op: _Op) -> int:
        custom = None if op.custom_code is None else b.CreateString(op.custom_code)
        tflite.OperatorCodeStart(b)
        if self.old_op_codes:
            tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(op.code, 127))
        if self.modern_op_codes:
            tflite.OperatorCodeAddBuiltinCode(b, op.code)
        tflite.OperatorCodeAddVersion(b, op.version)
        if custom is not None:
            tflite.OperatorCodeAddCustomCode(b, custom)
        return int(tflite.OperatorCodeEnd(b))


def _metadata(b: flatbuffers.Builder, name: str, buffer: int) -> int:
    text = b.CreateString(name)
    tflite.MetadataStart(b)
    tflite.MetadataAddName(b, text)
    tflite.MetadataAddBuffer(b, buffer)
    return int(tflite.MetadataEnd(b))


def _tensor(b: flatbuffers.Builder, tensor: _Tensor) -> int:
    name = b.CreateString(tensor.name)
    shape = ints(b, tensor.shape)
    signature = None if tensor.signature is None else ints(b, tensor.signature)
    quantization = _quantization(b, tensor)
    sparsity = None
    if tensor.sparse:
        tflite.SparsityParametersStart(b)
        sparsity = tflite.SparsityParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, tensor.type)
    tflite.TensorAddBuffer(b, tensor.buffer)
    tflite.TensorAddName(b, name)
    tflite.TensorAddHasRank(b, tensor.has_rank)
    tflite.TensorAddIsVariable(b, tensor.is_variable)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    if signature is not None:
        tflite.TensorAddShapeSignature(b, signature)
    if sparsity is not None:
        tflite.TensorAddSparsity(b, sparsity)
    return int(tflite.TensorEnd(b))


def _quantization(b: flatbuffers.Builder, tensor: _Tensor) -> int | None:
    if tensor.scales is None:
        return None
    scales = b.CreateNumpyVector(tensor.scales)
    zeros = None
    if tensor.zero_points is not None:
        zeros = b.CreateNumpyVector(np.ascontiguousarray(tensor.zero_points, np.int64))
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scales)
    if zeros is not None:
        tflite.QuantizationParametersAddZeroPoint(b, zeros)
    tflite.QuantizationParametersAddQuantizedDimension(b, tensor.dimension)
    if tensor.custom_quantization:
        details_type = tflite.QuantizationDetails.CustomQuantization
        tflite.QuantizationParametersAddDetailsType(b, details_type)
    return int(tflite.QuantizationParametersEnd(b))


def _op(b: flatbuffers.Builder, index: int, op: _Op) -> int:
    options = op.options(b) if op.options is not None else None
    ins, outs = ints(b, op.inputs), ints(b, op.outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, index)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    tflite.OperatorAddBuiltinOptionsType(b, op.options_type)
    if options is not None:
        tflite.OperatorAddBuiltinOptions(b, options)
    return int(tflite.OperatorEnd(b))


# Models of one op.


def dense_model(
    *,
    weights: np.ndarray[Any, Any],
    bias: np.ndarray[Any, Any] | None = None,
    x_scale: float = 0.5,
    x_zero_point: int = 0,
    weight_scale: Any = 0.01,
    y_scale: float = 1.0,
    y_zero_point: int = 0,
    activation: str = "NONE",
    x_shape: Sequence[int] | None = None,
    y_shape: Sequence[int] | None = None,
    keep_num_dims: bool = False,
    missing_bias: str = "absent",
    version: int | None = None,
) -> bytes:
    """FULLY_CONNECTED. weight_scale: one number, or one a row. missing_bias: "absent" leaves the
    third input out, "minus one" says that it is none."""
    n_out, n_in = weights.shape
    model = ModelBuilder()
    x_shape = (1, n_in) if x_shape is None else tuple(x_shape)
    if y_shape is None:
        rows = int(np.prod(x_shape)) // n_in
        y_shape = (*x_shape[:-1], n_out) if keep_num_dims else (rows, n_out)
    x = model.tensor(x_shape, scale=x_scale, zero_point=x_zero_point, name="x")
    w = model.tensor(
        weights.shape, scale=weight_scale, data=weights.astype(np.int8), name="weights"
    )
    inputs = [x, w]
    if bias is not None:
        bias_scale = np.float32(x_scale) * np.asarray(weight_scale, np.float32)
        data = np.asarray(bias, np.int32)
        inputs.append(model.tensor((n_out,), INT32, scale=bias_scale, data=data, name="bias"))
    elif missing_bias == "minus one":
        inputs.append(NO_TENSOR)
    y = model.tensor(y_shape, scale=y_scale, zero_point=y_zero_point, name="y")
    options = options_of(
        "FullyConnected",
        FusedActivationFunction=getattr(tflite.ActivationFunctionType, activation),
        KeepNumDims=keep_num_dims,
    )
    if version is None:
        version = 5 if keep_num_dims else (4 if len(inputs) == 3 else 6)
    model.op(tflite.BuiltinOperator.FULLY_CONNECTED, inputs, [y], version=version, options=options)
    return model.build([x], [y])


def rescale_model(
    op: str,
    *,
    shape: Sequence[int] = (1, 256),
    x_type: int = INT8,
    y_type: int = INT8,
    x_scale: float = 0.05,
    x_zero_point: int = 0,
    y_scale: float = 0.05,
    y_zero_point: int = 0,
    version: int | None = None,
) -> bytes:
    """QUANTIZE between integers, RELU, RELU6, RELU_N1_TO_1 or RELU_0_TO_1."""
    versions = {"QUANTIZE": 2, "RELU": 2, "RELU6": 2, "RELU_N1_TO_1": 1, "RELU_0_TO_1": 1}
    model = ModelBuilder()
    x = model.tensor(shape, x_type, scale=x_scale, zero_point=x_zero_point, name="x")
    y = model.tensor(shape, y_type, scale=y_scale, zero_point=y_zero_point, name="y")
    code = getattr(tflite.BuiltinOperator, op)
    model.op(code, [x], [y], version=versions[op] if version is None else version)
    return model.build([x], [y])


def softmax_model(
    *,
    shape: Sequence[int] = (1, 10),
    x_scale: float = 0.1,
    x_zero_point: int = 0,
    beta: float = 1.0,
    y_scale: float = 1 / 256,
    y_zero_point: int = -128,
    version: int = 2,
) -> bytes:
    model = ModelBuilder()
    x = model.tensor(shape, scale=x_scale, zero_point=x_zero_point, name="x")
    y = model.tensor(shape, scale=y_scale, zero_point=y_zero_point, name="y")
    options = options_of("Softmax", Beta=beta)
    model.op(tflite.BuiltinOperator.SOFTMAX, [x], [y], version=version, options=options)
    return model.build([x], [y])


def float_border_model(
    *,
    shape: Sequence[int] = (1, 64),
    type: int = INT8,
    scale: float = 0.1,
    zero_point: int = 3,
    y_scale: float | None = None,
) -> bytes:
    """float32, QUANTIZE, RELU, DEQUANTIZE, float32."""
    model = ModelBuilder()
    x = model.tensor(shape, FLOAT32, name="x")
    q = model.tensor(shape, type, scale=scale, zero_point=zero_point, name="q")
    out_scale = scale if y_scale is None else y_scale
    r = model.tensor(shape, type, scale=out_scale, zero_point=zero_point, name="r")
    y = model.tensor(shape, FLOAT32, name="y")
    model.op(tflite.BuiltinOperator.QUANTIZE, [x], [q])
    model.op(tflite.BuiltinOperator.RELU, [q], [r], version=2)
    model.op(tflite.BuiltinOperator.DEQUANTIZE, [r], [y], version=2)
    return model.build([x], [y])


def reshape_model(
    shapes: Sequence[Sequence[int]], *, scale: float = 0.1, zero_point: int = 0
) -> bytes:
    """RESHAPE from each shape to the next; a -1 among the dimensions is worked out."""
    model = ModelBuilder()
    elems = int(np.prod(shapes[0]))
    first = last = model.tensor(shapes[0], scale=scale, zero_point=zero_point, name="x")
    for shape in shapes[1:]:
        wanted = model.tensor((len(shape),), INT32, data=np.asarray(shape, np.int32))
        known = -int(np.prod(shape)) if -1 in shape else 1
        full = [elems // known if dim == -1 else dim for dim in shape]
        following = model.tensor(full, scale=scale, zero_point=zero_point)
        model.op(tflite.BuiltinOperator.RESHAPE, [last, wanted], [following])
        last = following
    return model.build([first], [last])
