"""Reals m * 2^(e - 31), elementwise, and blocks of integers with one exponent; docs/numerics.md,
section Reals and section Backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Real:
    m: Ints
    e: Ints

    def scaled(self, exponent: int | Ints) -> Real:
        """Times 2^exponent."""
        return Real(self.m, self.e + exponent)


def real_of_float32(x: npt.ArrayLike) -> Real:
    bits = np.asarray(x, np.float32).view(np.uint32).astype(np.int64)
    return Real(((bits & 0x7FFFFF) | 0x800000) << 7, (bits >> 23) - 126)


def real_of_integer(n: int) -> Real:
    exponent = n.bit_length()
    return Real(np.asarray(n << 31 >> exponent, np.int64), np.asarray(exponent, np.int64))


def mul(a: Real, b: Real) -> Real:
    p = a.m * b.m
    is_large = p >= 1 << 61
    return Real(np.where(is_large, p >> 31, p >> 30), a.e + b.e - np.where(is_large, 0, 1))


def div(a: Real, b: Real) -> Real:
    q = (a.m << 31) // b.m
    is_large = q >= 1 << 31
    return Real(np.where(is_large, q >> 1, q), a.e - b.e + np.where(is_large, 1, 0))


def mulsat(x: Ints, a: Real, limit: int) -> Ints:
    """floor(x * a + 1/2), clamped. |x * m| < 2^62, and at least 2^30 where it is not 0."""
    product = x * a.m
    rshift = np.clip(31 - a.e, 1, 62)
    rounded = (product + (np.int64(1) << (rshift - 1))) >> rshift
    rounded = np.where(31 - a.e > 62, 0, rounded)
    beyond = np.sign(product) * limit
    return np.clip(np.where(31 - a.e < 1, beyond, rounded), -limit, limit)


def block_scaled(h: Ints) -> tuple[Ints, int]:
    """int16 values and the exponent that was taken out of them."""
    largest, e = int(np.abs(h).max()), 0
    while largest >> e > 32767:
        e += 1
    if e:
        h = np.clip((h + (1 << (e - 1))) >> e, -32767, 32767)
    return h, e
