from __future__ import annotations

import numpy as np

from byteprop.graph import DType
from byteprop.ops.pad import Pad
from op_generators.common import fits, like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """The batch stays. The value is the zero point, or another."""
    t = b.tensors[x]
    if not t.shape or t.dtype is DType.INT16:
        return False
    around = rng.integers(0, 3, (2, len(t.shape)))
    around[:, 0] = 0
    shape = tuple(int(n) for n in np.add(t.shape, around.sum(axis=0)))
    if not fits(*shape):
        return False
    low, high = np.iinfo(t.dtype.numpy).min, np.iinfo(t.dtype.numpy).max
    value = t.zero_point if rng.random() < 0.5 else int(rng.integers(low, high + 1))
    b.add(Pad(x, like(b, x, shape), tuple(map(int, around[0])), value))
    return True
