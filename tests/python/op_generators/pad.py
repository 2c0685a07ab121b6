from __future__ import annotations

import numpy as np

from byteprop.graph import DType
from byteprop.ops import Pad
from op_generators.common import fits, like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """Around all axes but the batch; half of them with the zero point, as PAD has it."""
    t = b.tensors[x]
    around = rng.integers(0, 3, (len(t.shape), 2))
    around[:1] = 0
    shape = tuple((np.array(t.shape, int) + around.sum(axis=1)).tolist())
    if not around.any() or not fits(*shape):
        return False
    low = 0 if t.dtype is DType.UINT8 else -128
    value = t.zero_point if rng.random() < 0.5 else low + int(rng.integers(256))
    b.add(Pad(x, like(b, x, shape), tuple(around[:, 0].tolist()), value))
    return True
