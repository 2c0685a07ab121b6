"""Slices, in NumPy; docs/numerics.md, section Moves."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.slice import Slice
from byteprop.reference.fixed import Ints


def run(op: Slice, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """SLICE, STRIDED_SLICE, and a part of SPLIT, SPLIT_V or UNPACK."""
    y = x[0].reshape(len(x[0]), *inputs[0].shape)
    for axis, n in enumerate(outputs[0].shape):
        positions = op.begin[axis] + op.step[axis] * np.arange(n)
        y = np.take(y, positions, axis=axis + 1)
    return [y.reshape(len(y), outputs[0].elems)]
