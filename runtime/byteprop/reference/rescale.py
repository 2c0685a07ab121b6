"""Rescale, in NumPy; docs/numerics.md, section Rescale."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Activation, DType, Tensor
from byteprop.ops import Rescale
from byteprop.reference.fixed import Ints, multiplier, output_range, requant


def run(op: Rescale, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """Integer QUANTIZE, and activations on their own."""
    values = x[0]
    if inputs[0].dtype is DType.INT16:
        values = values[:, 0::2] % 256 + 256 * values[:, 1::2]
    return [rescale(op, values, inputs[0], outputs[0])]


def rescale(op: Rescale, x: Ints, source: Tensor, target: Tensor) -> Ints:
    if op.activation is Activation.NONE:
        scale = float(source.scale) / float(target.scale)
    else:
        scale = float(np.float32(source.scale) / np.float32(target.scale))
    y = requant(x - source.zero_point, *multiplier(scale)) + target.zero_point
    low, high = output_range(op.activation, target)
    return np.minimum(np.maximum(y, low), high)
