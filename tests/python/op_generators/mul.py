from __future__ import annotations

import numpy as np

from byteprop.ops.mul import Mul
from op_generators.common import fits, fused, is_int8, partner, rescaled
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    if not is_int8(b.tensors[x]) or not fits(*b.tensors[x].shape):
        return False
    x1, x2, shape = partner(rng, b, x)
    y = rescaled(rng, b, x1, shape, 64 * float(b.tensors[x2].scale))
    b.add(Mul(x1, y, x2, fused(rng)))
    return True
