"""SOFTMAX, int8."""

from __future__ import annotations

import numpy as np
import tflite

from byteprop.graph import DType
from byteprop.image.check import MAX_CLASSES
from byteprop.ops import Softmax
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import quoted
from byteprop.tflite.rawmodel import RawOp

_OUTPUT_SCALE = np.float32(1 / 256)
_OUTPUT_ZERO_POINT = -128
_INPUT_FRACTION_BITS = 26


def lower(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    x = builder.tensors[source]
    if x.dtype is not DType.INT8:
        builder.unsupported(op, f"its input {quoted(x.name)} is {x.dtype.name}")
    if not x.shape or x.shape[-1] > MAX_CLASSES:
        builder.unsupported(
            op, f"an input of shape {list(x.shape)}; the last dimension may be 1 to {MAX_CLASSES}"
        )
    beta = _beta(builder, op, x.scale)
    target = builder.result(op, x.shape)
    y = builder.tensors[target]
    if y.dtype is not DType.INT8:
        builder.unsupported(op, f"its output is {y.dtype.name}")
    if y.scale != _OUTPUT_SCALE or y.zero_point != _OUTPUT_ZERO_POINT:
        builder.fail(
            op, f"expected output scale 1/256, zero point -128, got {y.scale}, {y.zero_point}"
        )
    builder.ops.append(Softmax(source, target, beta))


def _beta(builder: Builder, op: RawOp, x_scale: np.float32) -> np.float32:
    options = builder.options(op, tflite.SoftmaxOptions)
    beta = np.float32(0.0 if options is None else options.Beta())
    if not (np.isfinite(beta) and beta > 0):
        builder.fail(op, f"beta is {beta}")
    if float(beta) * float(x_scale) * 2.0**_INPUT_FRACTION_BITS <= 1.0:
        builder.fail(op, f"beta {beta} times the input's scale {x_scale} is not above 2^-26")
    return beta
