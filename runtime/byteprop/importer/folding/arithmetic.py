"""Sums, products and quotients of dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.tflite.builder import MAX_FOLDED_ELEMS, Builder
from byteprop.tflite.rawmodel import RawOp

_Array = npt.NDArray[Any]
# Products of numbers below this fit 64 bits; no shape has larger ones.
_LARGEST = 2**31
_OPTIONS_WITH_ACTIVATION = {
    tflite.BuiltinOptions.AddOptions: tflite.AddOptions,
    tflite.BuiltinOptions.SubOptions: tflite.SubOptions,
    tflite.BuiltinOptions.MulOptions: tflite.MulOptions,
    tflite.BuiltinOptions.DivOptions: tflite.DivOptions,
}


def fold_add(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, np.add)


def fold_sub(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, np.subtract)


def fold_mul(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, np.multiply)


def fold_div(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, _truncated_quotient, quotient=True)


def fold_floor_div(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, np.floor_divide, quotient=True)


def fold_maximum(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, np.maximum)


def fold_minimum(builder: Builder, op: RawOp) -> None:
    _fold(builder, op, np.minimum)


def fold_reduce_prod(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,))
    options = builder.options(op, tflite.ReducerOptions)
    array, axes = builder.numbers(op, 0), builder.numbers(op, 1)
    if array.ndim != 1 or any(int(axis) not in (0, -1) for axis in axes.reshape(-1)):
        builder.unsupported(op, "over other than the dimensions of a shape")
    product = 1
    for number in array if axes.size else ():
        product *= int(number)
        if abs(product) >= _LARGEST:
            builder.fail(op, "shape arithmetic overflows")
    if not axes.size:
        builder.known(op, array)
        return
    keep = options is not None and bool(options.KeepDims())
    builder.known(op, np.array([product] if keep else product, np.int64))


def _fold(
    builder: Builder,
    op: RawOp,
    function: Callable[[_Array, _Array], _Array],
    quotient: bool = False,
) -> None:
    builder.expect_operands(op, (2,))
    if not (builder.is_number(op, 0) and builder.is_number(op, 1)):
        builder.unsupported(op, "of tensors; it may compute shapes only")
    _expect_no_activation(builder, op)
    a, b = builder.numbers(op, 0), builder.numbers(op, 1)
    if max(a.size, b.size) > MAX_FOLDED_ELEMS or max(a.ndim, b.ndim) > 1:
        builder.unsupported(op, "of other than single numbers and vectors")
    if a.ndim and b.ndim and len(a) != len(b) and 1 not in (len(a), len(b)):
        builder.fail(op, f"{len(a)} numbers with {len(b)}")
    if np.any(np.abs(a) >= _LARGEST) or np.any(np.abs(b) >= _LARGEST):
        builder.fail(op, "shape arithmetic overflows")
    if quotient and not np.all(b):
        builder.fail(op, "a division by 0")
    builder.known(op, np.asarray(function(a, b), np.int64))


def _expect_no_activation(builder: Builder, op: RawOp) -> None:
    kind = _OPTIONS_WITH_ACTIVATION.get(op.options_type)
    if kind is not None:
        options = builder.options(op, kind)
        if options is not None and options.FusedActivationFunction():
            builder.unsupported(op, "shape arithmetic with a fused activation")


def _truncated_quotient(a: _Array, b: _Array) -> _Array:
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))
