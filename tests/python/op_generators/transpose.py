from __future__ import annotations

import numpy as np

from byteprop.ops import Transpose
from op_generators.common import like
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """The batch stays the first axis."""
    shape = b.tensors[x].shape
    permutation = (0, *(1 + rng.permutation(max(len(shape) - 1, 0))).tolist())
    long = [axis for axis in permutation if shape and shape[axis] != 1]
    if long == sorted(long):  # a .tflite file gives back a reshape
        return False
    b.add(Transpose(x, like(b, x, tuple(shape[axis] for axis in permutation)), permutation))
    return True
