"""Softmax, in NumPy; docs/numerics.md, section Softmax."""

from __future__ import annotations

import math

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops import Softmax
from byteprop.reference.fixed import (
    INT32_MAX,
    ONE,
    Ints,
    high_mul,
    multiplier,
    round_shift,
    saturate,
)

# exp(-1/8), 1/3, exp(-2^k) for k = -2 .. 4 in Q0.31; 48/17 and -32/17 in Q2.29.
_EXP_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
_EXP_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_48_17THS_Q2_29 = 1515870810
_MINUS_32_17THS_Q2_29 = -1010580540
_DIFF_FRACTION_BITS = 26
_MIN_INT8 = -128


def run(op: Softmax, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """SOFTMAX."""
    return [softmax(op, x[0], inputs[0])]


def softmax(op: Softmax, x: Ints, source: Tensor) -> Ints:
    n = source.shape[-1]
    rows = x.reshape(-1, n)
    diff = rows - rows.max(axis=1, keepdims=True)
    mult_q31, lshift = multiplier(
        min(float(op.beta) * float(source.scale) * 2.0**_DIFF_FRACTION_BITS, ONE - 1.0)
    )
    diff_min = -math.floor(31.0 * 2.0**_DIFF_FRACTION_BITS / 2.0**lshift)
    counts = diff >= diff_min
    scaled = high_mul(np.where(counts, diff, 0) << lshift, mult_q31)
    exps = _exp_of_negative(scaled)
    sums = np.where(counts, round_shift(exps, 12), 0).sum(axis=1, keepdims=True)
    headroom = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    reciprocal = _reciprocal_of_one_plus((sums << headroom) - ONE)
    y = round_shift(high_mul(exps, reciprocal), 12 - headroom + 31 - 8) + _MIN_INT8
    return np.where(counts, np.clip(y, -128, 127), _MIN_INT8).reshape(len(x), source.elems)


def _exp_of_negative(a: Ints) -> Ints:
    """exp of a <= 0 in Q5.26, as Q0.31."""
    quarter = 1 << (_DIFF_FRACTION_BITS - 2)
    remainder = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(remainder << 5)
    powers = remainder - a
    for bit, factor in enumerate(_EXP_MINUS_POWERS, _DIFF_FRACTION_BITS - 2):
        result = np.where(powers & (1 << bit), high_mul(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def _exp_near_minus_eighth(a: Ints) -> Ints:
    """exp of -1/4 <= a < 0 in Q0.31: the Taylor polynomial of degree 4 around -1/8."""
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4 = high_mul(x2, x2)
    tail = high_mul(round_shift(x4, 2) + x3, _THIRD) + x2
    return _EXP_MINUS_EIGHTH + high_mul(x + round_shift(tail, 1), _EXP_MINUS_EIGHTH)


def _reciprocal_of_one_plus(a: Ints) -> Ints:
    """1 / (1 + a) for 0 <= a < 1 in Q0.31: three Newton steps."""
    total = a + INT32_MAX
    half_denominator = (total + 1) >> 1
    x = _48_17THS_Q2_29 + high_mul(half_denominator, _MINUS_32_17THS_Q2_29)
    for _ in range(3):
        error = (1 << 29) - high_mul(half_denominator, x)
        x = x + saturate(high_mul(x, error) << 2)
    return saturate(x << 1)
