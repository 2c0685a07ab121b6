"""Add, in NumPy; docs/numerics.md, section Add."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.add import Add
from byteprop.reference.fixed import Ints, multiplier, output_range, requant
from byteprop.reference.pairs import differences


def run(op: Add, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """ADD and SUB."""
    scales = [float(t.scale) for t in inputs]
    widest = 2 * max(scales)
    first, second = (
        requant(v << 20, *multiplier(scale / widest))
        for v, scale in zip(differences(x, inputs, outputs), scales, strict=True)
    )
    total = first - second if op.subtracts else first + second
    scaled = requant(total, *multiplier(widest / (2.0**20 * float(outputs[0].scale))))
    low, high = output_range(op.activation, outputs[0])
    return [np.minimum(np.maximum(scaled + outputs[0].zero_point, low), high)]
