"""Transpose, in NumPy; docs/numerics.md, section Moves."""

from __future__ import annotations

from byteprop.graph.tensor import Tensor
from byteprop.ops.transpose import Transpose
from byteprop.reference.fixed import Ints


def run(op: Transpose, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """TRANSPOSE."""
    axes = (0, *(axis + 1 for axis in op.permutation))
    moved = x[0].reshape(len(x[0]), *inputs[0].shape).transpose(axes)
    return [moved.reshape(len(x[0]), outputs[0].elems)]
