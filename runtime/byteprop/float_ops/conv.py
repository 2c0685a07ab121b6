"""CONV_2D in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.images import padded_window, taps
from byteprop.float_ops.spec import FUSED, FloatOp, Weights, fused, merged, split
from byteprop.graph.float_graph import Array, Node

WINDOW_FIELDS = ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", FUSED)


class Conv(FloatOp):
    """Weights [n_out, height, width, channels of a group]."""

    names = ("CONV_2D",)
    table = "Conv2D"
    fields = WINDOW_FIELDS
    weights = Weights(1, 2, 0)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        images, weights = merged(x[0]), x[1][0]
        window, positions = padded_window(weights.shape[1:3], node.options, images.shape)
        n_out, n_in = weights.shape[0], weights.shape[3]
        groups = images.shape[3] // n_in
        y = np.zeros((len(images), *positions, n_out), np.result_type(images, weights))
        for g in range(groups):
            outs = slice(g * n_out // groups, (g + 1) * n_out // groups)
            part = images[..., g * n_in : (g + 1) * n_in]
            for r, c, seen in taps(part, window, positions):
                y[..., outs] += seen @ weights[outs, r, c].T
        if len(x) > 2 and x[2] is not None:
            y += x[2].reshape(-1)
        return [fused(node.options, split(y, len(x[0])))]
