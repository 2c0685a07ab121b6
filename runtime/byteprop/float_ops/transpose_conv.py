"""TRANSPOSE_CONV in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.images import padded_window
from byteprop.float_ops.spec import FUSED, FloatOp, Weights, fused, merged, split
from byteprop.graph.float_graph import Array, Node


class TransposeConv(FloatOp):
    """Operands: the output's shape, weights [n_out, height, width, n_in], input, bias."""

    names = ("TRANSPOSE_CONV",)
    table = "TransposeConv"
    fields = ("Padding", "StrideH", "StrideW", FUSED)
    weights = Weights(1, 3, 0)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        weights, images = x[1][0], merged(x[2])
        shape = (len(images), *(int(d) for d in x[0][1:3]), len(weights))
        window, _ = padded_window(weights.shape[1:3], node.options, shape)
        (height, width), (rows, columns) = window.axes, images.shape[1:3]
        full = [
            max((n - 1) * axis.stride + axis.kernel, axis.pad + n_out)
            for axis, n, n_out in zip(window.axes, (rows, columns), shape[1:3], strict=True)
        ]
        y = np.zeros((len(images), *full, len(weights)), np.result_type(images, weights))
        for r in range(height.kernel):
            for c in range(width.kernel):
                at = y[:, r : r + (rows - 1) * height.stride + 1 : height.stride,
                       c : c + (columns - 1) * width.stride + 1 : width.stride]  # fmt: skip
                at += images @ weights[:, r, c].T
        y = y[:, height.pad : height.pad + shape[1], width.pad : width.pad + shape[2]]
        if len(x) > 3 and x[3] is not None:
            y = y + x[3].reshape(-1)
        return [fused(node.options, split(y, len(x[2])))]
