"""Models that compute in uint8, as TensorFlow Lite's first quantised ones do, as models in int8.

Every value and its zero point become 128 less, which leaves their differences as they are, and with
them all sums. docs/numerics.md, section Legacy uint8, says for each op why its bytes are the same.
Inputs and outputs of the model stay uint8, with a QUANTIZE behind or before them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tflite import BuiltinOperator as Code
from tflite import TensorType

from byteprop.errors import UnsupportedOpError
from byteprop.tflite.checks import INT8_SUFFIX, described
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import NO_TENSOR, RawModel, RawOp, RawTensor, op_name

_HALF = 128
_CONVERT = "convert the model again with full integer quantisation to int8"

_VARIABLES = (Code.CALL_ONCE, Code.VAR_HANDLE, Code.READ_VARIABLE, Code.ASSIGN_VARIABLE)
# These run on uint8 as they are: they move bytes, or rescale between 8 bits and 8 bits.
_EITHER = (
    Code.QUANTIZE, Code.DEQUANTIZE, Code.RELU, Code.RELU6, Code.RELU_N1_TO_1, Code.RELU_0_TO_1,
    Code.RESHAPE, Code.EXPAND_DIMS, Code.SQUEEZE, Code.PAD, Code.PADV2, Code.CONCATENATION,
    Code.PACK, Code.SLICE, Code.STRIDED_SLICE, Code.SPLIT, Code.SPLIT_V, Code.UNPACK,
    Code.TRANSPOSE, Code.SHAPE, Code.RANK, *_VARIABLES,
)  # fmt: skip
# These compute in int8 what they compute in uint8.
_ALIKE = (
    Code.FULLY_CONNECTED, Code.CONV_2D, Code.DEPTHWISE_CONV_2D, Code.TRANSPOSE_CONV,
    Code.AVERAGE_POOL_2D, Code.MAX_POOL_2D, Code.SOFTMAX, Code.ADD, Code.SUB, Code.MUL,
    Code.MAXIMUM, Code.MINIMUM, Code.LOGISTIC, Code.TANH, Code.LEAKY_RELU, Code.PRELU,
    Code.HARD_SWISH, Code.REDUCE_MAX, Code.RESIZE_NEAREST_NEIGHBOR, Code.TILE, Code.MEAN,
)  # fmt: skip


def with_int8(model: RawModel) -> RawModel:
    """The model in int8, if it computes in uint8. UnsupportedOpError for an op whose bytes might
    then differ."""
    if not any(_computes(model, op) for op in model.ops):
        return model
    for op in model.ops:
        _check(model, op)
    return _rewritten(model)


def _computes(model: RawModel, op: RawOp) -> bool:
    return op.code not in _EITHER and TensorType.UINT8 in _types(model, op)


def _types(model: RawModel, op: RawOp) -> set[int]:
    """Of the tensors that it reads and writes."""
    return {model.tensors[t].type for t in (*op.inputs, *op.outputs) if t != NO_TENSOR}


def _check(model: RawModel, op: RawOp) -> None:
    types = _types(model, op)
    if op.code in _VARIABLES:
        _refuse(model, op, "variables in a model that computes in uint8")
    if TensorType.UINT8 not in types or op.code == Code.QUANTIZE:
        return
    if TensorType.INT8 in types:
        _refuse(model, op, "both UINT8 and INT8 in one op")
    if op.code not in (*_EITHER, *_ALIKE):
        names = ", ".join(map(op_name, _ALIKE))
        _refuse(
            model, op, "in uint8 it computes otherwise than in int8; as in int8 does, of the ops "
            f"that compute in uint8: {names}",
        )  # fmt: skip
    bare = [t for t in _uint8_tensors(model, op) if t.quantization is None]
    if bare:
        _refuse(model, op, f"{quoted(bare[0].name)} is UINT8 without scale and zero point")


def _uint8_tensors(model: RawModel, op: RawOp) -> list[RawTensor]:
    operands = [model.tensors[t] for t in (*op.inputs, *op.outputs) if t != NO_TENSOR]
    return [t for t in operands if t.type == TensorType.UINT8]


def _refuse(model: RawModel, op: RawOp, what: str) -> None:
    raise UnsupportedOpError(f"{described(model, op)}: {what}: {_CONVERT}")


def _rewritten(model: RawModel) -> RawModel:
    tensors = [_as_int8(t) if t.type == TensorType.UINT8 else t for t in model.tensors]
    was_uint8 = frozenset(t.index for t in model.tensors if t.type == TensorType.UINT8)
    first, last = _Border(model, tensors), _Border(model, tensors)
    inputs = tuple(first.of(t) for t in model.inputs)
    outputs = tuple(last.of(t) for t in model.outputs)
    begin = [_quantize(border, inner) for inner, border in first.made.items()]
    end = [_quantize(inner, border) for inner, border in last.made.items()]
    return replace(
        model, tensors=tuple(tensors), ops=(*begin, *model.ops, *end), inputs=inputs,
        outputs=outputs, was_uint8=was_uint8,
    )  # fmt: skip


def _as_int8(raw: RawTensor) -> RawTensor:
    quantization, data = raw.quantization, raw.data
    if quantization is not None:
        quantization = replace(quantization, zero_points=quantization.zero_points - _HALF)
    return replace(
        raw, type=TensorType.INT8, quantization=quantization,
        data=None if data is None else data ^ np.uint8(_HALF),
    )  # fmt: skip


class _Border:
    """The tensors that the model shows for those that have become int8, which get other names."""

    def __init__(self, model: RawModel, tensors: list[RawTensor]) -> None:
        self.made: dict[int, int] = {}
        self._model, self._tensors = model, tensors

    def of(self, index: int) -> int:
        """Of an input or an output; itself where it was no uint8 tensor."""
        raw = self._model.tensors[index]
        if raw.type != TensorType.UINT8:
            return index
        if index not in self.made:
            self.made[index] = len(self._tensors)
            self._tensors.append(replace(raw, index=self.made[index]))
            inner = self._tensors[index]
            if inner.name == raw.name:
                self._tensors[index] = replace(inner, name=f"{raw.name}{INT8_SUFFIX}")
        return self.made[index]


def _quantize(source: int, target: int) -> RawOp:
    """QUANTIZE between equal scales: a difference of 128. Messages need no index of it."""
    return RawOp(-1, Code.QUANTIZE, "QUANTIZE", 2, (source,), (target,), 0, None)
