from __future__ import annotations

import numpy as np

from byteprop.ops.concatenate import Concatenate
from op_generators.common import fits, is_readable, like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """With itself, or with others of its scale and zero point; the batch stays."""
    t = b.tensors[x]
    if len(t.shape) < 2:
        return False
    axis = int(rng.integers(1, len(t.shape)))

    def rest(shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[:axis] + shape[axis + 1 :]

    fitting = [
        i
        for i, other in enumerate(b.tensors)
        if is_readable(b, i)
        and other.dtype is t.dtype
        and (other.scale, other.zero_point) == (t.scale, t.zero_point)
        and len(other.shape) == len(t.shape)
        and rest(other.shape) == rest(t.shape)
    ]
    others = tuple(int(i) for i in rng.choice(fitting, int(rng.integers(1, 4))))
    n = sum(b.tensors[i].shape[axis] for i in (x, *others))
    shape = (*t.shape[:axis], n, *t.shape[axis + 1 :])
    if not fits(*shape):
        return False
    b.add(Concatenate(x, like(b, x, shape), others, axis))
    return True
