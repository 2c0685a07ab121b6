from __future__ import annotations

import numpy as np

from byteprop.ops.add import Add
from op_generators.common import fused, in_any_order, is_int8, rescaled, second
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    if not is_int8(b.tensors[x]) or (found := second(rng, b, x)) is None:
        return False
    x1, x2 = in_any_order(rng, x, found[0])
    coarser = max((x1, x2), key=lambda t: b.tensors[t].scale)
    y = rescaled(rng, b, coarser, found[1])
    b.add(Add(x1, y, x2, bool(rng.random() < 0.4), fused(rng)))
    return True
