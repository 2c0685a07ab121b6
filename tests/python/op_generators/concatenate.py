from __future__ import annotations

import numpy as np

from byteprop.ops import Concatenate
from op_generators.common import fits, like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """With up to three others of the same scale, or with itself."""
    t = b.tensors[x]
    if len(t.shape) < 2:
        return False
    axis = int(rng.integers(1, len(t.shape)))

    def kind(i: int) -> tuple[object, ...]:
        o = b.tensors[i]
        rest = (len(o.shape), o.shape[:axis], o.shape[axis + 1 :])
        return (*rest, o.scale, o.zero_point, o.dtype)

    alike = [i for i in range(len(b.tensors)) if kind(i) == kind(x)]
    others = tuple(int(i) for i in rng.choice(alike, int(rng.integers(0, 4))))
    total = sum(b.tensors[i].shape[axis] for i in (x, *others))
    shape = (*t.shape[:axis], total, *t.shape[axis + 1 :])
    if not fits(*shape):
        return False
    b.add(Concatenate(x, like(b, x, shape), others, axis))
    return True
