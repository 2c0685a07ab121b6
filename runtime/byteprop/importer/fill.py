"""FILL: a constant, as its size is known when the model is loaded. Unrolled layers of Keras begin
with one."""

from __future__ import annotations

import math

import numpy as np

from byteprop.graph import Kind, Tensor
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import DTYPES
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import RawOp
from byteprop.tflite.values import Computed

_MOST_ELEMS = 1 << 16


def read_fill(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,))
    output, raw = builder.output(op), builder.required(op, 1)
    shape = tuple(int(n) for n in builder.numbers(op, 0).reshape(-1)[:9])
    builder.expect_shape(op, output, shape)
    if math.prod(shape) > _MOST_ELEMS:
        builder.unsupported(op, f"{math.prod(shape)} elements, expected at most {_MOST_ELEMS}")
    if output.type not in DTYPES:
        builder.known(op, np.full(shape, int(_one(builder, op, builder.numbers(op, 1)))))
        return
    dtype = builder.dtype(op, output)
    if raw.index in builder.values or raw.data is None or raw.type != output.type:
        builder.unsupported(op, f"{quoted(raw.name)} is no constant of {output.type_name}")
    value = _one(builder, op, builder.constant(op, raw, dtype.numpy.str))
    scale, zero_point = builder.quantization(op, output)
    data = np.full(shape, value, dtype.numpy).tobytes()
    filled = Tensor(output.name, shape, dtype, scale, zero_point, kind=Kind.CONSTANT, data=data)
    builder.define(op, Computed(builder.tensor(filled)))


def _one(builder: Builder, op: RawOp, values: np.ndarray) -> int:  # type: ignore[type-arg]
    if values.size != 1:
        builder.fail(op, f"{values.size} values, expected one")
    return int(values.reshape(()))
