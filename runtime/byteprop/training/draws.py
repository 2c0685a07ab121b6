"""Random numbers of training: the counter-based generator of the C library, and what is drawn from
it on the host. Integers only, so the same on every machine and with every version of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

UInt32s = npt.NDArray[np.uint32]

# Steps and layers that training itself never reaches keep the uses of one seed apart.
SHUFFLE_STREAM = 0xFFFF0001
WEIGHT_STREAM = 0xFFFF0002
SPLIT_STREAM = 0xFFFF0003


def draws(seed: int, step: Any, layer: Any, row: Any) -> UInt32s:
    """bp_train_draw, element by element over arrays that broadcast."""
    with np.errstate(over="ignore"):
        h = np.asarray(seed, np.uint32)
        for value in (step, layer, row):
            h = _mix(h, np.asarray(value, np.uint32))
    return h


def _mix(h: UInt32s, value: UInt32s) -> UInt32s:
    h = h ^ (value * np.uint32(0x85EBCA77) + np.uint32(0x9E3779B1))
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def below(bounds: Any, drawn: UInt32s) -> npt.NDArray[np.int64]:
    """Integers in 0 .. bounds - 1: floor(draw * bound / 2^32)."""
    scaled = drawn.astype(np.uint64) * np.asarray(bounds, np.uint64)
    return (scaled >> np.uint64(32)).astype(np.int64)


def permutation(n: int, seed: int, round: int, stream: int = SHUFFLE_STREAM) -> UInt32s:
    """0 .. n - 1 in an order that seed and round choose: Fisher and Yates, from the end."""
    order = list(range(n))
    ends = np.arange(n - 1, 0, -1, dtype=np.int64)
    others = below(ends + 1, draws(seed, round, stream, ends)).tolist()
    for i, j in zip(range(n - 1, 0, -1), others, strict=True):
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.uint32)
