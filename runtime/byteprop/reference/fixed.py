"""Fixed-point arithmetic of docs/numerics.md, from "Scales to multipliers" to "Clamping".

Values are int64 throughout, so nothing wraps but where the definition says modulo 2^32.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import Activation, DType, Tensor

Ints = npt.NDArray[np.int64]

ONE = 1 << 31
INT32_MAX = ONE - 1
LIMITS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}
_BOUNDS: dict[Activation, tuple[float, float]] = {
    Activation.NONE: (-math.inf, math.inf),
    Activation.RELU: (0.0, math.inf),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU_0_TO_1: (0.0, 1.0),
}


def round_half_away(x: npt.NDArray[np.float64]) -> Ints:
    rounded: Ints = (np.sign(x) * np.floor(np.abs(x) + 0.5)).astype(np.int64)
    return rounded


def multiplier(scale: float) -> tuple[int, int]:
    """(mult_q31, lshift) of a real scale."""
    fraction, exponent = math.frexp(scale)
    mult_q31 = math.floor(fraction * ONE + 0.5)
    if mult_q31 == ONE:
        mult_q31, exponent = ONE // 2, exponent + 1
    return (0, 0) if exponent < -31 else (mult_q31, exponent)


def wrap_int32(x: Ints) -> Ints:
    return ((x + ONE) & (2 * ONE - 1)) - ONE


def high_mul(a: Ints, b: Ints | int) -> Ints:
    """a * b / 2^31 with the rounding of docs/numerics.md; |a * b| < 2^62, so nothing saturates."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))


def round_shift(x: Ints, rshift: Ints | int) -> Ints:
    """x / 2^rshift, rounded half away from zero."""
    half = (np.int64(1) << np.asarray(rshift, np.int64)) >> 1
    return np.asarray(np.sign(x) * ((np.abs(x) + half) >> rshift))


def requant(x: Ints, mult_q31: Ints | int, lshift: Ints | int) -> Ints:
    """x * mult_q31 * 2^(lshift - 31) in two roundings."""
    left, right = np.maximum(lshift, 0), np.maximum(np.negative(lshift), 0)
    return round_shift(high_mul(wrap_int32(x << left), mult_q31), right)


def output_range(activation: Activation, target: Tensor) -> tuple[int, int]:
    """What an op's output is clamped to."""
    low, high = LIMITS[target.dtype]
    real_low, real_high = _BOUNDS[activation]
    if math.isfinite(real_low):
        low = max(low, _quantized_bound(real_low, target))
    if math.isfinite(real_high):
        high = min(high, _quantized_bound(real_high, target))
    return low, high


def _quantized_bound(real: float, target: Tensor) -> int:
    steps = np.float64(np.float32(real) / np.float32(target.scale))
    return target.zero_point + int(round_half_away(np.asarray(steps)))


def saturate(x: Ints) -> Ints:
    return np.clip(x, -ONE, INT32_MAX)
