from __future__ import annotations

import math

import numpy as np

from byteprop.ops import Reshape
from op_generators.common import like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """The batch stays; the other dimensions become one, or are divided at random."""
    t = b.tensors[x]
    if not t.shape:
        return False
    batch, rest = t.shape[0], math.prod(t.value_shape[1:])
    parts = [rest]
    for _ in range(int(rng.integers(0, 3))):
        divisors = [d for d in range(1, parts[-1] + 1) if parts[-1] % d == 0]
        first = int(rng.choice(divisors))
        parts[-1:] = [first, parts[-1] // first]
    b.add(Reshape(x, like(b, x, t.dtype.of_values((batch, *parts)))))
    return True
