from __future__ import annotations

import numpy as np

from byteprop.ops.add import Add
from op_generators.common import fits, fused, is_int8, partner, rescaled
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    if not is_int8(b.tensors[x]) or not fits(*b.tensors[x].shape):
        return False
    x1, x2, shape = partner(rng, b, x)
    coarser = max((x1, x2), key=lambda t: b.tensors[t].scale)
    b.add(Add(x1, rescaled(rng, b, coarser, shape), x2, bool(rng.random() < 0.4), fused(rng)))
    return True
