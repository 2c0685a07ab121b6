"""Maximum over axes, in NumPy; docs/numerics.md, section Maximum over axes."""

from __future__ import annotations

from byteprop.graph.tensor import Tensor
from byteprop.ops.reduce_max import ReduceMax
from byteprop.reference.fixed import Ints


def run(op: ReduceMax, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """REDUCE_MAX."""
    values = x[0].reshape(len(x[0]), *inputs[0].shape)
    return [
        values.max(axis=tuple(axis + 1 for axis in op.axes)).reshape(len(x[0]), outputs[0].elems)
    ]
