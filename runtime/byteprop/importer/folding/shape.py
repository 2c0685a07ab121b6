"""SHAPE, RANK and CAST."""

from __future__ import annotations

import numpy as np
import tflite

from byteprop.tflite.builder import Builder
from byteprop.tflite.rawmodel import RawOp, type_name
from byteprop.tflite.values import Computed, FloatInput, FloatOutput


def fold_shape(builder: Builder, op: RawOp) -> None:
    shape = _shape(builder, op)
    options = builder.options(op, tflite.ShapeOptions)
    if options is not None and options.OutType() != builder.output(op).type:
        builder.fail(op, f"its option says {type_name(options.OutType())}, its output does not")
    builder.known(op, np.array(shape, np.int64))


def fold_rank(builder: Builder, op: RawOp) -> None:
    builder.known(op, np.array(len(_shape(builder, op)), np.int64))


def fold_cast(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    builder.known(op, builder.numbers(op, 0))


def _shape(builder: Builder, op: RawOp) -> tuple[int, ...]:
    builder.expect_operands(op, (1,))
    value = builder.value(op, 0)
    if isinstance(value, Computed):
        return builder.tensors[value.index].shape
    if isinstance(value, (FloatInput, FloatOutput)):
        return value.shape
    return builder.numbers(op, 0).shape
