"""From scales to the integers that the device computes with, as TensorFlow Lite derives them.

Where TensorFlow Lite multiplies or divides in float32 and where in double decides on the last bit
of a multiplier; each op's file says which it is. docs/numerics.md has the formulas.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from byteprop.errors import ModelError
from byteprop.graph.tensor import Activation, DType, Tensor

MAX_LSHIFT = 30
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1

_REAL_RANGE: dict[Activation, tuple[float, float]] = {
    Activation.NONE: (-math.inf, math.inf),
    Activation.RELU: (0.0, math.inf),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU_0_TO_1: (0.0, 1.0),
}


class Multiplier(NamedTuple):
    """mult_q31 * 2^(lshift - 31); mult_q31 is 0 or 2^30 .. 2^31 - 1."""

    mult_q31: int
    lshift: int


class Range(NamedTuple):
    """What an op's output is clamped to, in quantised values."""

    y_min: int
    y_max: int


def normalised(scale: float) -> Multiplier:
    """A positive scale as 2^30 .. 2^31 - 1 times a power of two, however large."""
    fraction, exponent = math.frexp(scale)
    mult_q31 = math.floor(fraction * 2**31 + 0.5)
    return Multiplier(mult_q31, exponent) if mult_q31 < 2**31 else Multiplier(2**30, exponent + 1)


def quantize_multiplier(scale: float) -> Multiplier:
    """The fixed-point form of a positive real scale; 0 when it is below 2^-32."""
    if not (math.isfinite(scale) and scale >= 0):
        raise ModelError(f"effective scale {scale} is not a finite positive number")
    if scale == 0:
        return Multiplier(0, 0)
    mult_q31, exponent = normalised(scale)
    if exponent < -31:
        return Multiplier(0, 0)
    if exponent > MAX_LSHIFT:
        raise ModelError(f"effective scale {scale:g} is too large: it must be below 2^{MAX_LSHIFT}")
    return Multiplier(mult_q31, exponent)


def limits(dtype: DType) -> Range:
    """Smallest and largest value of a data type."""
    info = np.iinfo(np.uint8 if dtype is DType.UINT8 else np.int8)
    return Range(int(info.min), int(info.max))


def activation_range(activation: Activation, y: Tensor) -> Range:
    """The quantised range of an activation: bounds divided by the scale in float32, rounded half
    away from zero, moved by the zero point, cut to the data type."""
    lowest, highest = limits(y.dtype)
    real_min, real_max = _REAL_RANGE[activation]
    y_min = lowest if math.isinf(real_min) else max(lowest, _quantized_bound(real_min, y))
    y_max = highest if math.isinf(real_max) else min(highest, _quantized_bound(real_max, y))
    return Range(y_min, y_max)


def _quantized_bound(real: float, y: Tensor) -> int:
    with np.errstate(over="ignore"):
        steps = float(np.float32(real) / np.float32(y.scale))
    if not _INT32_MIN <= steps <= _INT32_MAX:
        raise ModelError(
            f"tensor {y.name!r}: scale {float(y.scale):g} is too small "
            f"for the activation's bound {real:g}"
        )
    return y.zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))
