"""Mul, in NumPy; docs/numerics.md, section Mul."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.mul import Mul
from byteprop.reference.fixed import Ints, multiplier, output_range, requant
from byteprop.reference.pairs import differences


def run(op: Mul, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """MUL."""
    first, second = differences(x, inputs, outputs)
    s1, s2, s_y = (np.float32(t.scale) for t in (*inputs, outputs[0]))
    with np.errstate(under="ignore"):
        scaling = multiplier(float((s1 * s2) / s_y))
    y = requant(first * second, *scaling) + outputs[0].zero_point
    low, high = output_range(op.activation, outputs[0])
    return [np.minimum(np.maximum(y, low), high)]
