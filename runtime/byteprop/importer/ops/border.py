"""QUANTIZE and DEQUANTIZE. Between integers, QUANTIZE is an op of the device. From and to float32
they stand at the model's border, where the host converts, and leave only a mark on the tensor."""

from __future__ import annotations

import tflite

from byteprop.graph import Activation, Tensor
from byteprop.importer.ops.normalize import normalization_of
from byteprop.importer.ops.rescale import emit_rescale
from byteprop.ops import Reshape
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import quoted
from byteprop.tflite.rawmodel import RawOp
from byteprop.tflite.values import Computed, FloatInput, FloatOutput


def lower_quantize(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    value = builder.value(op, 0)
    if isinstance(value, FloatInput):
        _quantize_input(builder, op, value)
    else:
        emit_rescale(builder, op, Activation.NONE)


def _quantize_input(builder: Builder, op: RawOp, value: FloatInput) -> None:
    raw = builder.model.tensors[value.input]
    output = builder.output(op)
    builder.expect_shape(op, output, value.shape)
    dtype = builder.dtype(op, output)
    scale, zero_point = builder.quantization(op, output)
    wanted = Tensor(
        raw.name, raw.shape, dtype, scale, zero_point,
        float_border=True, normalization=normalization_of(value),
    )  # fmt: skip
    index = builder.input_of.get(value.input)
    if index is None:
        index = builder.input_of[value.input] = builder.tensor(wanted)
    elif builder.tensors[index] != wanted:
        builder.unsupported(
            op, f"input {quoted(raw.name)} is quantised in two ways; byteprop takes one scale"
        )
    if value.shape == raw.shape:
        builder.define(op, Computed(index))
    else:
        builder.ops.append(Reshape(index, builder.result(op, value.shape)))


def lower_dequantize(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    output = builder.output(op)
    if output.type != tflite.TensorType.FLOAT32:
        builder.unsupported(op, f"its output is {output.type_name}")
    shape = builder.tensors[source].shape
    builder.expect_shape(op, output, shape)
    builder.define(op, FloatOutput(source, shape))
