from __future__ import annotations

import numpy as np

from byteprop.ops.reduce_max import ReduceMax
from op_generators.common import is_int8, like
from op_generators.mean import axes_of, reduced
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    if not is_int8(t) or len(t.shape) < 2:
        return False
    axes = axes_of(rng, t.shape)
    b.add(ReduceMax(x, like(b, x, reduced(rng, t.shape, axes)), axes))
    return True
