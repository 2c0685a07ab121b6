"""Rescale: integer QUANTIZE, and RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1 on their own.

QUANTIZE from float32 and DEQUANTIZE to it are at the model's boundary, where the host converts:
they leave only a mark on the tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.quantization import Multiplier, activation_range, quantize_multiplier
from byteprop.graph.tensor import Activation, DType, Op, Tensor
from byteprop.ops.reshape import Reshape
from byteprop.ops.spec import (
    ChannelSources,
    InPlace,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    RowWindow,
    range_words,
    same_channels,
    words,
)
from byteprop.tflite.names import quoted
from byteprop.tflite.values import Computed, FloatInput, FloatOutput

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

# The op of TensorFlow Lite, and the version that takes int8.
_TFLITE = {
    Activation.NONE: ("QUANTIZE", 2),
    Activation.RELU: ("RELU", 2),
    Activation.RELU6: ("RELU6", 2),
    Activation.RELU_N1_TO_1: ("RELU_N1_TO_1", 1),
    Activation.RELU_0_TO_1: ("RELU_0_TO_1", 1),
}


@dataclass(frozen=True)
class Rescale(Op):
    """Integer QUANTIZE (activation NONE), or an activation on its own."""

    activation: Activation = Activation.NONE


class RescaleSpec(OpSpec[Rescale]):
    name = "rescale"
    kind = Rescale
    takes = (
        "int8 and uint8; QUANTIZE from int16 to int8; QUANTIZE and DEQUANTIZE from and to float32 "
        "at inputs and outputs of the model"
    )
    in_place = InPlace.LAST_READER

    def check(self, at: Placed[Rescale]) -> None:
        if at.x.elems != at.x.dtype.width * at.y.elems:
            at.refuse(f"shapes {at.x.value_shape} and {at.y.shape} differ in size")
        if at.y.dtype is DType.INT16 or (
            at.x.dtype is DType.INT16 and at.y.dtype is not DType.INT8
        ):
            at.refuse(f"from {at.x.dtype.name} to {at.y.dtype.name}, expected int16 to int8")
        if at.x.dtype is DType.INT16 and at.op.activation is not Activation.NONE:
            at.refuse(f"{at.op.activation.name} of int16, expected a QUANTIZE")

    def params(self, at: Placed[Rescale]) -> Params:
        activation = at.op.activation
        return (
            bytes((activation, 0, 0, 0)),
            range_words(activation_range(activation, at.y)),
            words(*rescale_multiplier(at)),
        )

    def decode(self, record: Record) -> Rescale:
        return Rescale(record.inputs[0], record.outputs[0], Activation(record.params[0]))

    def row_window(self, at: Placed[Rescale]) -> RowWindow | None:
        return RowWindow() if at.x.shape == at.y.shape else None

    def channel_sources(self, at: Placed[Rescale]) -> ChannelSources:
        return same_channels(at) if at.x.dtype.width == 1 else None

    def tflite_readers(self) -> Mapping[str, Reader]:
        relu = {
            name: Reader(partial(_read_activation, activation=activation), version + 1)
            for activation, (name, version) in _TFLITE.items()
            if activation in (Activation.RELU, Activation.RELU6)
        }
        bounded = {
            name: Reader(partial(_read_activation, activation=activation), version)
            for activation, (name, version) in _TFLITE.items()
            if activation in (Activation.RELU_N1_TO_1, Activation.RELU_0_TO_1)
        }
        ends = {"QUANTIZE": Reader(_read_quantize, 2), "DEQUANTIZE": Reader(_read_dequantize, 4)}
        return relu | bounded | ends

    def write_tflite(self, at: Placed[Rescale], writer: Writer) -> None:
        name, version = _TFLITE[at.op.activation]
        x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
        writer.op(name, [x], [y], version=version)

    def activation(self, op: Rescale) -> Activation:
        return op.activation


def rescale_multiplier(at: Placed[Rescale]) -> Multiplier:
    """QUANTIZE divides the scales in double, the RELUs on their own in float32."""
    if at.op.activation is Activation.NONE:
        return quantize_multiplier(float(at.x.scale) / float(at.y.scale))
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(np.float32(at.x.scale) / np.float32(at.y.scale)))


# --- from a .tflite file ---


def _read_quantize(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    value = builder.value(op, 0)
    if isinstance(value, FloatInput):
        _quantize_input(builder, op, value)
    else:
        _emit(builder, op, Activation.NONE)


def _quantize_input(builder: Builder, op: RawOp, value: FloatInput) -> None:
    raw = builder.model.tensors[value.input]
    output = builder.output(op)
    builder.expect_shape(op, output, value.shape)
    dtype = builder.dtype(op, output)
    if dtype is DType.INT16:
        builder.unsupported(op, "float32 to INT16; an input of int16 is taken as it is")
    scale, zero_point = builder.quantization(op, output)
    expected = Tensor(
        raw.name, raw.shape, dtype, scale, zero_point,
        float_border=True, normalization=value.normalization,
    )  # fmt: skip
    index = builder.input_of.get(value.input)
    if index is None:
        index = builder.input_of[value.input] = builder.tensor(expected)
    elif builder.tensors[index] != expected:
        builder.unsupported(
            op, f"input {quoted(raw.name)} is quantised in two ways; byteprop takes one scale"
        )
    if value.shape == raw.shape:
        builder.define(op, Computed(index))
    else:
        builder.ops.append(Reshape(index, builder.result(op, value.shape)))


def _read_dequantize(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    output = builder.output(op)
    if builder.tensors[source].dtype is DType.INT16:
        builder.unsupported(op, "from INT16; an output of int16 is given as it is")
    if output.type_name != "FLOAT32":
        builder.unsupported(op, f"its output is {output.type_name}")
    shape = builder.tensors[source].shape
    builder.expect_shape(op, output, shape)
    builder.define(op, FloatOutput(source, shape))


def _read_activation(builder: Builder, op: RawOp, activation: Activation) -> None:
    rescale: Rescale = _emit(builder, op, activation)
    x, y = builder.tensors[rescale.input], builder.tensors[rescale.output]
    if x.dtype is not y.dtype:
        builder.fail(op, f"from {x.dtype.name} to {y.dtype.name}")
    builder.check_fused_range(op, activation, y.scale)


def _emit(builder: Builder, op: RawOp, activation: Activation) -> Rescale:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    target = builder.result(op, builder.tensors[source].value_shape)
    x, y = builder.tensors[source], builder.tensors[target]
    if y.dtype is DType.INT16 or (x.dtype is DType.INT16 and y.dtype is not DType.INT8):
        builder.unsupported(op, f"from {x.dtype.name} to {y.dtype.name}, expected INT16 to INT8")
    builder.expect_multiplier(op, float(x.scale) / float(y.scale))
    rescale = Rescale(source, target, activation)
    builder.ops.append(rescale)
    return rescale
