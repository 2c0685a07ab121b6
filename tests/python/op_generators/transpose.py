from __future__ import annotations

import numpy as np

from byteprop.graph import DType
from byteprop.ops.transpose import Transpose
from op_generators.common import like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """The batch stays."""
    shape = b.tensors[x].shape
    if len(shape) < 3 or b.tensors[x].dtype is DType.INT16:
        return False
    permutation = (0, *(int(axis) for axis in rng.permutation(np.arange(1, len(shape)))))
    b.add(Transpose(x, like(b, x, tuple(shape[axis] for axis in permutation)), permutation))
    return True
