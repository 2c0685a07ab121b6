"""Concatenation, in NumPy; docs/numerics.md, section Moves."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.concatenate import Concatenate
from byteprop.reference.fixed import Ints


def run(op: Concatenate, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """CONCATENATION, and PACK after its reshapes."""
    parts = [v.reshape(len(v), *t.shape) for v, t in zip(x, inputs, strict=True)]
    return [np.concatenate(parts, axis=op.axis + 1).reshape(len(x[0]), outputs[0].elems)]
