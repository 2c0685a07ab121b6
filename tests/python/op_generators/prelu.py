from __future__ import annotations

import numpy as np

from byteprop.ops.prelu import Prelu
from op_generators.common import constant, is_int8, rescaled
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    if not is_int8(t):
        return False
    shape = tuple(1 if rng.random() < 0.5 else d for d in t.shape)
    slopes = constant(rng, b, shape)
    b.add(Prelu(x, rescaled(rng, b, x, t.shape), slopes))
    return True
