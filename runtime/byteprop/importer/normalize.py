"""SUB, MUL, ADD and DIV by constants that stand between a float32 input and its QUANTIZE: the host
computes them, and they leave a normalization at the input. Elsewhere they serve shapes alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.graph.normalization import feature_counts
from byteprop.importer.folding import arithmetic
from byteprop.tflite.builder import Builder
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import RawOp
from byteprop.tflite.values import FloatInput

Floats = npt.NDArray[np.float32]
Options = (
    type[tflite.AddOptions] | type[tflite.SubOptions] | type[tflite.MulOptions]
    | type[tflite.DivOptions]
)  # fmt: skip

# Repeating a constant along the axes of a sample takes no more room than this, or the file.
_MOST_REPEATED = 1 << 16
_ORDER = "byteprop takes one SUB or ADD and one MUL or DIV, in this order, before the QUANTIZE"


def lower_add(builder: Builder, op: RawOp) -> None:
    if not _normalizes(builder, op, (0, 1)):
        arithmetic.fold_add(builder, op)
        return
    value, constant = _operands(builder, op, tflite.AddOptions)
    _subtract(builder, op, value, -constant)


def lower_sub(builder: Builder, op: RawOp) -> None:
    if not _normalizes(builder, op, (0,)):
        arithmetic.fold_sub(builder, op)
        return
    value, constant = _operands(builder, op, tflite.SubOptions)
    _subtract(builder, op, value, constant)


def lower_mul(builder: Builder, op: RawOp) -> None:
    if not _normalizes(builder, op, (0, 1)):
        arithmetic.fold_mul(builder, op)
        return
    value, constant = _operands(builder, op, tflite.MulOptions)
    _multiply(builder, op, value, constant)


def lower_div(builder: Builder, op: RawOp) -> None:
    if not _normalizes(builder, op, (0,)):
        arithmetic.fold_div(builder, op)
        return
    value, constant = _operands(builder, op, tflite.DivOptions)
    with np.errstate(all="ignore"):
        factor = (1 / constant).astype(np.float32)
    fraction, _ = np.frexp(constant)
    if not (np.abs(fraction) == 0.5).all() or not (np.isfinite(factor) & (factor != 0)).all():
        builder.unsupported(
            op,
            "an input is divided by other numbers than powers of two, which is not the same as a "
            "multiplication; MUL by the reciprocals is supported",
        )
    _multiply(builder, op, value, factor)


def _normalizes(builder: Builder, op: RawOp, operands: tuple[int, ...]) -> bool:
    """Whether one of these operands is a float32 input of the model."""
    builder.expect_operands(op, (2,))
    return any(isinstance(builder.value(op, operand), FloatInput) for operand in operands)


def _operands(builder: Builder, op: RawOp, kind: Options) -> tuple[FloatInput, Floats]:
    """The input, and the constant as one number per feature that it distinguishes."""
    options = builder.options(op, kind)
    if options is not None and options.FusedActivationFunction():
        builder.unsupported(op, "an activation on an input that is not quantised yet")
    place = 0 if isinstance(builder.value(op, 0), FloatInput) else 1
    value, other = builder.value(op, place), builder.value(op, 1 - place)
    raw = builder.required(op, 1 - place)
    assert isinstance(value, FloatInput)
    if other is not None or raw.type != tflite.TensorType.FLOAT32:
        builder.unsupported(op, f"{quoted(raw.name)} is no float32 constant")
    constant = builder.constant(op, raw, "<f4").astype(np.float32)
    if not np.isfinite(constant).all():
        builder.fail(op, f"constant {quoted(raw.name)} is not finite")
    builder.expect_shape(op, builder.output(op), value.shape)
    return value, _features(builder, op, constant, value)


def _subtract(builder: Builder, op: RawOp, value: FloatInput, constant: Floats) -> None:
    if value.sub is not None or value.mul is not None:
        builder.unsupported(op, _ORDER)
    builder.define(op, replace(value, sub=constant))


def _multiply(builder: Builder, op: RawOp, value: FloatInput, constant: Floats) -> None:
    if value.mul is not None:
        builder.unsupported(op, _ORDER)
    builder.define(op, replace(value, mul=constant))


def _features(builder: Builder, op: RawOp, constant: Floats, value: FloatInput) -> Floats:
    """[n] for the last axes of a sample, or [size of a sample]."""
    stated = constant.shape
    if not _broadcasts(stated, value.shape):
        builder.unsupported(op, f"constants {list(stated)} with an input {list(value.shape)}")
    shape = builder.model.tensors[value.input].shape
    last_axes = value.shape[len(value.shape) - len(_without_ones(stated)) :]
    flat = constant.reshape(-1)
    if _without_ones(stated) == last_axes and flat.size in feature_counts(shape):
        return flat
    if math.prod(value.shape) > max(_MOST_REPEATED, flat.size):
        builder.unsupported(op, f"constants {list(stated)} along axes that are not the last")
    samples = shape[0] if shape else 1
    rows = np.broadcast_to(constant, value.shape).reshape(samples, -1)
    if not (rows == rows[0]).all():
        builder.unsupported(op, "constants that differ from sample to sample")
    return np.ascontiguousarray(rows[0])


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without the leading axes of length 1."""
    first = next((i for i, dim in enumerate(shape) if dim != 1), len(shape))
    return shape[first:]


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False
