from __future__ import annotations

import numpy as np

from byteprop.ops.pool import Pool, PoolKind
from op_generators.common import fused, is_image, like, window
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    found = window(rng, t.shape) if is_image(t) else None
    if found is None:
        return False
    made, positions = found
    y = like(b, x, (t.shape[0], *positions, t.shape[-1]))
    b.add(Pool(x, y, PoolKind(int(rng.integers(2))), made, fused(rng)))
    return True
