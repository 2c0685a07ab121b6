"""DEPTHWISE_CONV_2D in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.conv import WINDOW_FIELDS
from byteprop.float_ops.images import padded_window, taps
from byteprop.float_ops.spec import FloatOp, Weights, fused, merged, split
from byteprop.graph.float_graph import Array, Node


class Depthwise(FloatOp):
    """Weights [1, height, width, n_out]."""

    names = ("DEPTHWISE_CONV_2D",)
    table = "DepthwiseConv2D"
    fields = (*WINDOW_FIELDS, "DepthMultiplier")
    weights = Weights(1, 2, 3)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        images, weights = merged(x[0]), x[1][0][0]
        window, positions = padded_window(weights.shape[:2], node.options, images.shape)
        times = weights.shape[2] // images.shape[3]
        repeated = np.repeat(images, times, axis=3) if times != 1 else images
        y = np.zeros((len(images), *positions, weights.shape[2]), np.result_type(images, weights))
        for r, c, seen in taps(repeated, window, positions):
            y += seen * weights[r, c]
        if len(x) > 2 and x[2] is not None:
            y += x[2].reshape(-1)
        return [fused(node.options, split(y, len(x[0])))]
