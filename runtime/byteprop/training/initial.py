"""Scales and weights that a network begins with: powers of two, and integers drawn by our own
generator. docs/numerics.md states the rule."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from byteprop.training.draws import WEIGHT_STREAM, below, draws

# Weights begin at half of what int8 holds at most: room to grow before the scale has to double.
_LARGEST_INITIAL = 64
_MAX_EXPONENT = 30
_FIRST_CONV = 256  # convolutions are numbered from it


def initial_weights(
    n_in: int, n_out: int, *, seed: int, layer: int
) -> tuple[npt.NDArray[np.int8], np.float32]:
    """int8 [n_out, n_in] of a dense layer and their scale: uniform within Glorot's bound
    sqrt(6 / (n_in + n_out))."""
    return _uniform(n_out, n_in, n_in + n_out, seed=seed, layer=layer)


def initial_filters(
    rows: int, n: int, *, seed: int, number: int
) -> tuple[npt.NDArray[np.int8], np.float32]:
    """int8 [rows, n] of a convolution and their scale: uniform within He's bound sqrt(6 / n)."""
    return _uniform(rows, n, n, seed=seed, layer=_FIRST_CONV + number)


def _uniform(
    rows: int, n: int, fans: int, *, seed: int, layer: int
) -> tuple[npt.NDArray[np.int8], np.float32]:
    """Within sqrt(6 / fans), whose square is all that is used of it."""
    exponent = next(
        k for k in range(_MAX_EXPONENT, -_MAX_EXPONENT, -1)
        if _bound(fans, k) <= _LARGEST_INITIAL
    )  # fmt: skip
    bound = _bound(fans, exponent)
    columns = np.arange(n, dtype=np.uint32)
    weights = np.empty((rows, n), np.int8)
    for j in range(rows):
        drawn = draws(seed, columns, WEIGHT_STREAM + 16 * layer, j)
        weights[j] = below(2 * bound + 1, drawn) - bound
    return weights, np.float32(2.0**-exponent)


def _bound(fans: int, exponent: int) -> int:
    """floor(sqrt(6 / fans) * 2^exponent)."""
    if exponent >= 0:
        return math.isqrt((6 << 2 * exponent) // fans)
    return math.isqrt(6 // (fans << -2 * exponent))


def input_scale(low: float, high: float) -> tuple[np.float32, int]:
    """Power-of-two scale and zero point for low .. high and 0. A range without negative values gets
    all 256 steps above zero, so zero is the smallest integer; others are centred on zero if they
    fit. The last step may be missing: 1.0 is 255/256 in a range of 0 .. 1."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == 0.0:
        return power_of_two(high / 256), -128
    scale = power_of_two((high - low) / 256)
    if low >= -128 * float(scale) and high <= 128 * float(scale):
        return scale, 0
    return scale, max(-128, min(127, -128 - math.floor(low / float(scale))))


def output_scale(low: float, high: float) -> np.float32:
    """Power-of-two scale that reaches low and high around a zero point of 0."""
    return power_of_two(max(abs(low), abs(high)) / 127)


def power_of_two(at_least: float) -> np.float32:
    """The least power of two that is not below; 1 for 0."""
    if at_least == 0.0:
        return np.float32(1.0)
    fraction, exponent = math.frexp(at_least)
    with np.errstate(over="ignore"):  # an infinite scale is refused with the network
        return np.float32(math.ldexp(1.0, exponent - (fraction == 0.5)))
