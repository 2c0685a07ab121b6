"""Pad, in NumPy; docs/numerics.md, section Moves."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.pad import Pad
from byteprop.reference.fixed import Ints


def run(op: Pad, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """PAD and PADV2."""
    n, shape = len(x[0]), inputs[0].shape
    y = np.full((n, *outputs[0].shape), op.value, np.int64)
    middle = [slice(b, b + dim) for b, dim in zip((0, *op.before), (n, *shape), strict=True)]
    y[tuple(middle)] = x[0].reshape(n, *shape)
    return [y.reshape(n, outputs[0].elems)]
