"""Depthwise convolution, in NumPy; docs/numerics.md, section Convolution."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.depthwise import Depthwise
from byteprop.reference.conv import finish, images_of, taps_of
from byteprop.reference.fixed import Ints


def run(op: Depthwise, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """DEPTHWISE_CONV_2D."""
    image = images_of(x[0], inputs[0])
    n_out = op.weights.shape[3]
    taken = np.arange(n_out) // (n_out // image.shape[3])
    sums = np.zeros((len(image), *outputs[0].shape[1:]), np.int64)
    for ky, kx, values in taps_of(op, image, outputs[0].shape):
        sums += values[..., taken] * op.weights[0, ky, kx]
    return [finish(op, sums, inputs[0], outputs[0]).reshape(len(x[0]), outputs[0].elems)]
