"""Rescale, in NumPy; docs/numerics.md, section Rescale."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Activation, Tensor
from byteprop.ops import Rescale
from byteprop.reference.fixed import Ints, multiplier, output_range, requant


def run(op: Rescale, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """Integer QUANTIZE, and activations on their own."""
    return [rescale(op, x[0], inputs[0], outputs[0])]


def rescale(op: Rescale, x: Ints, source: Tensor, target: Tensor) -> Ints:
    if op.activation is Activation.NONE:
        scale = float(source.scale) / float(target.scale)
    else:
        scale = float(np.float32(source.scale) / np.float32(target.scale))
    y = requant(x - source.zero_point, *multiplier(scale)) + target.zero_point
    low, high = output_range(op.activation, target)
    return np.minimum(np.maximum(y, low), high)
