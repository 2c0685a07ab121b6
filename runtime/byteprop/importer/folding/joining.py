"""PACK and CONCATENATION on shape arithmetic."""

from __future__ import annotations

import numpy as np
import tflite

from byteprop.tflite.builder import MAX_FOLDED_ELEMS, Builder
from byteprop.tflite.rawmodel import RawOp


def fold_pack(builder: Builder, op: RawOp) -> None:
    options = builder.options(op, tflite.PackOptions)
    if options is not None and options.ValuesCount() != len(op.inputs):
        builder.fail(op, f"{len(op.inputs)} inputs; its options say {options.ValuesCount()}")
    parts = _parts(builder, op)
    if any(part.ndim for part in parts) or (options is not None and options.Axis() not in (0, -1)):
        builder.unsupported(op, "of other than single numbers; it may build shapes only")
    builder.known(op, np.stack(parts))


def fold_concatenation(builder: Builder, op: RawOp) -> None:
    options = builder.options(op, tflite.ConcatenationOptions)
    if options is not None and (options.Axis() not in (0, -1) or options.FusedActivationFunction()):
        builder.unsupported(op, "of tensors; it may build shapes only")
    parts = _parts(builder, op)
    if any(part.ndim != 1 for part in parts):
        builder.unsupported(op, "of other than vectors; it may build shapes only")
    builder.known(op, np.concatenate(parts))


def _parts(builder: Builder, op: RawOp) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    builder.expect_operands(op, range(1, MAX_FOLDED_ELEMS + 1))
    return [builder.numbers(op, operand) for operand in range(len(op.inputs))]
