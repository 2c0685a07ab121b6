from __future__ import annotations

import numpy as np

from byteprop.ops.mul import Mul
from op_generators.common import fused, in_any_order, is_int8, rescaled, second
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    if not is_int8(b.tensors[x]) or (found := second(rng, b, x)) is None:
        return False
    other, shape = found
    y = rescaled(rng, b, x, shape, 64 * float(b.tensors[other].scale))
    x1, x2 = in_any_order(rng, x, other)
    b.add(Mul(x1, y, x2, fused(rng)))
    return True
