from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from byteprop.graph import Kind
from byteprop.ops.push import Push
from op_generators.common import fits, like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """Into a state that has room for a few more, along the first axis of more than one position."""
    shape = b.tensors[x].shape
    if not shape or b.tensors[x].kind is not Kind.ACTIVATION:
        return False
    first = next((i for i, n in enumerate(shape) if n != 1), len(shape) - 1)
    axis = int(rng.integers(first + 1))
    width = b.tensors[x].dtype.width if axis == len(shape) - 1 else 1
    longer = (*shape[:axis], shape[axis] + width * int(rng.integers(4)), *shape[axis + 1 :])
    if not fits(*longer):
        return False
    state = like(b, x, longer)
    data = rng.bytes(math.prod(longer)) if rng.random() < 0.3 else b""
    b.tensors[state] = replace(b.tensors[state], kind=Kind.STATE, data=data)
    b.add(Push(state, state, x))
    return True
