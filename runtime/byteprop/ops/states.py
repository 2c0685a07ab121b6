"""States that a layer keeps for itself: variables of a .tflite file that nothing else reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from byteprop.tflite.names import quoted
from byteprop.tflite.values import OwnState

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp, RawTensor


def take_state(builder: Builder, op: RawOp, operand: int, kind: str, elems: int) -> RawTensor:
    """The variable of a layer, of the type `kind` and with so many values; from now on it is the
    layer's own."""
    raw = builder.required(op, operand)
    if raw.type_name != kind or not raw.is_variable or raw.index in builder.values:
        builder.unsupported(op, f"a state {quoted(raw.name)} that is no variable of {kind}")
    if math.prod(raw.shape) != elems:
        builder.fail(op, f"a state {quoted(raw.name)} of shape {list(raw.shape)}")
    builder.values[raw.index] = OwnState()
    return raw


def scale_of(builder: Builder, op: RawOp, raw: RawTensor) -> tuple[np.float32, int]:
    """Scale and zero point of a tensor of any integer type."""
    quantization = raw.quantization
    if quantization is None or len(quantization.scales) != 1:
        builder.fail(op, f"{quoted(raw.name)} has not one scale")
    scale = np.float32(quantization.scales[0])
    if not (np.isfinite(scale) and scale > 0):
        builder.fail(op, f"{quoted(raw.name)} has the scale {scale}")
    return scale, int(quantization.zero_points[0])
