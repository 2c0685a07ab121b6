from __future__ import annotations

import numpy as np

from byteprop.ops import Slice
from op_generators.common import like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """Of all axes but the batch, forwards and backwards."""
    t = b.tensors[x]
    taken = [range(dim) for dim in t.shape]
    for axis in range(1, len(taken)):
        step = int(rng.choice([-3, -2, -1, 1, 1, 1, 2, 3]))
        first, last = sorted(int(p) for p in rng.integers(0, t.shape[axis], 2))
        taken[axis] = range(first, last + 1, step) if step > 0 else range(last, first - 1, step)
    steps = tuple(r.step if len(r) > 1 else 1 for r in taken)
    shape = tuple(map(len, taken))
    if shape == t.shape and set(steps) <= {1}:  # a .tflite file gives back a reshape
        return False
    b.add(Slice(x, like(b, x, shape), tuple(r.start for r in taken), steps))
    return True
