from __future__ import annotations

import numpy as np

from byteprop.graph import DType
from byteprop.ops.slice import Slice
from op_generators.common import like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """Positions of each axis but the batch; in steps, or backwards, now and then."""
    t = b.tensors[x]
    if not t.shape:
        return False
    axes = [range(t.shape[0])]
    for dim in t.value_shape[1:]:
        begin, end = sorted(int(i) for i in rng.choice(dim + 1, 2, replace=False))
        step = int(rng.choice([1, 1, 1, 2, 3, -1, -2]))
        axes.append(range(begin, end)[::step])
    if t.dtype is DType.INT16:  # bytes of values that lie side by side
        axes[-1] = range(2 * min(axes[-1]), 2 * max(axes[-1]) + 2)
    steps = tuple(axis.step if len(axis) > 1 else 1 for axis in axes)
    y = like(b, x, tuple(len(axis) for axis in axes))
    b.add(Slice(x, y, tuple(axis.start for axis in axes), steps))
    return True
