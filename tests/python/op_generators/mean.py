from __future__ import annotations

import numpy as np

from byteprop.ops.mean import Mean
from op_generators.common import is_int8, like, rescaled
from random_graphs import Builder


def axes_of(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Some axes; the batch stays."""
    n = int(rng.integers(1, len(shape)))
    return tuple(sorted(int(a) for a in rng.choice(np.arange(1, len(shape)), n, replace=False)))


def reduced(
    rng: np.random.Generator, shape: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[int, ...]:
    """The shape without the axes, or with 1 in their place."""
    if rng.random() < 0.5:
        return tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    if not is_int8(t) or len(t.shape) < 2:
        return False
    axes = axes_of(rng, t.shape)
    shape = reduced(rng, t.shape, axes)
    b.add(Mean(x, like(b, x, shape) if rng.random() < 0.3 else rescaled(rng, b, x, shape), axes))
    return True
