"""STRIDED_SLICE, SLICE and GATHER on shape arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.tflite.builder import Builder
from byteprop.tflite.rawmodel import RawOp


def fold_strided_slice(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (4,))
    array = builder.numbers(op, 0)
    begin, end, strides = (_vector(builder, op, operand) for operand in (1, 2, 3))
    if array.ndim != 1 or not len(begin) == len(end) == len(strides) == 1:
        builder.unsupported(op, f"a slice of {array.ndim} dimensions; a shape has one")
    options = builder.options(op, tflite.StridedSliceOptions)
    if options is None:
        options = tflite.StridedSliceOptions()
        builder.fail(op, "its options are missing")
    if options.EllipsisMask() or options.NewAxisMask() or options.Offset():
        builder.unsupported(op, "an ellipsis, a new axis or offsets in a slice")
    if strides[0] == 0:
        builder.fail(op, "a stride of 0")
    if options.ShrinkAxisMask() & 1:
        builder.known(op, np.array(_element(builder, op, array, begin[0]), np.int64))
        return
    first = None if options.BeginMask() & 1 else begin[0]
    last = None if options.EndMask() & 1 else end[0]
    builder.known(op, array[slice(first, last, strides[0])])


def fold_slice(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (3,))
    array = builder.numbers(op, 0)
    begin, size = (_vector(builder, op, operand) for operand in (1, 2))
    if array.ndim != 1 or len(begin) != 1 or len(size) != 1:
        builder.unsupported(op, f"a slice of {array.ndim} dimensions; a shape has one")
    end = len(array) if size[0] == -1 else begin[0] + size[0]
    if not 0 <= begin[0] <= end <= len(array):
        builder.fail(op, f"{size[0]} numbers from {begin[0]} out of {len(array)}")
    builder.known(op, array[begin[0] : end])


def fold_gather(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,))
    array, positions = builder.numbers(op, 0), builder.numbers(op, 1)
    options = builder.options(op, tflite.GatherOptions)
    axis = 0 if options is None else options.Axis()
    if array.ndim != 1 or axis not in (0, -1) or (options is not None and options.BatchDims()):
        builder.unsupported(op, f"along axis {axis} of {array.ndim} dimensions; a shape has one")
    if positions.size and not 0 <= int(positions.min()) <= int(positions.max()) < len(array):
        builder.fail(op, f"positions outside {len(array)} numbers")
    builder.known(op, array[positions])


def _vector(builder: Builder, op: RawOp, operand: int) -> list[int]:
    return [int(number) for number in builder.numbers(op, operand).reshape(-1)]


def _element(builder: Builder, op: RawOp, array: npt.NDArray[np.int64], position: int) -> int:
    if not -len(array) <= position < len(array):
        builder.fail(op, f"position {position} of {len(array)} numbers")
    return int(array[position])
