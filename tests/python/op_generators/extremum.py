from __future__ import annotations

import numpy as np

from byteprop.ops.extremum import Extremum
from op_generators.common import fits, is_int8, like, partner
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    if not is_int8(b.tensors[x]) or not fits(*b.tensors[x].shape):
        return False
    x1, x2, shape = partner(rng, b, x)
    b.add(Extremum(x1, like(b, x, shape), x2, bool(rng.random() < 0.5)))
    return True
