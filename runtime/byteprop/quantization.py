"""From scales to the integers that the device computes with, as TensorFlow Lite derives them.

Where TensorFlow Lite multiplies or divides in float32 and where in double decides on the last bit
of a multiplier, so each function says which it is. docs/numerics.md has the formulas.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from byteprop.errors import ModelError
from byteprop.graph import Activation, Dense, DType, Rescale, Softmax, Tensor

MAX_LSHIFT = 30
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_SOFTMAX_INTEGER_BITS = 5

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


class SoftmaxScaling(NamedTuple):
    """Differences to the maximum, times this, are in Q5.26; below diff_min the result is 0."""

    mult_q31: int
    lshift: int
    diff_min: int


def quantize_multiplier(scale: float) -> Multiplier:
    """The fixed-point form of a positive real scale; 0 when it is below 2^-32."""
    if not (math.isfinite(scale) and scale >= 0):
        raise ModelError(f"effective scale {scale} is not a finite positive number")
    if scale == 0:
        return Multiplier(0, 0)
    fraction, exponent = math.frexp(scale)
    mult_q31 = math.floor(fraction * 2**31 + 0.5)
    if mult_q31 == 2**31:
        mult_q31 //= 2
        exponent += 1
    if exponent < -31:
        return Multiplier(0, 0)
    if exponent > MAX_LSHIFT:
        raise ModelError(f"effective scale {scale:g} is too large: it must be below 2^{MAX_LSHIFT}")
    return Multiplier(mult_q31, exponent)


def dense_multipliers(op: Dense, x: Tensor, y: Tensor) -> list[Multiplier]:
    """One a weight scale. With one scale the product in * w is rounded to float32 before the
    division in double; with one a row all of it is in double."""
    x_scale, y_scale = np.float32(x.scale), float(y.scale)
    if len(op.weight_scales) == 1:
        with np.errstate(over="ignore", under="ignore"):
            product = x_scale * np.float32(op.weight_scales[0])
        return [quantize_multiplier(float(product) / y_scale)]
    return [quantize_multiplier(float(x_scale) * float(w) / y_scale) for w in op.weight_scales]


def rescale_multiplier(op: Rescale, x: Tensor, y: Tensor) -> Multiplier:
    """QUANTIZE divides the scales in double, the RELUs on their own in float32."""
    if op.activation is Activation.NONE:
        return quantize_multiplier(float(x.scale) / float(y.scale))
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(np.float32(x.scale) / np.float32(y.scale)))


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


def softmax_scaling(op: Softmax, x: Tensor) -> SoftmaxScaling:
    """Rescaling of softmax's input to Q5.26, all in double, and the difference it cuts off at."""
    fraction_bits = 31 - _SOFTMAX_INTEGER_BITS
    real = min(float(op.beta) * float(x.scale) * 2**fraction_bits, 2.0**31 - 1)
    if not real > 1:
        raise ModelError(
            f"softmax: beta {float(op.beta):g} times input scale {float(x.scale):g} is too small: "
            f"it must be above 2^-{fraction_bits}"
        )
    fraction, exponent = math.frexp(real)
    mult_q31 = math.floor(fraction * 2**31 + 0.5)
    if mult_q31 == 2**31:
        mult_q31 //= 2
        exponent += 1
    widest = (2**_SOFTMAX_INTEGER_BITS - 1) * 2**fraction_bits
    # With an exponent of 31 nothing but the maximum itself, whose difference is 0, is kept.
    return SoftmaxScaling(mult_q31, min(exponent, MAX_LSHIFT), -(widest // 2**exponent))
