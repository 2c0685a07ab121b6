"""AVERAGE_POOL_2D and MAX_POOL_2D in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.images import padded_window, taps
from byteprop.float_ops.spec import FUSED, FloatOp, Scales, fused, merged, split
from byteprop.graph.float_graph import Array, Node


class Pool(FloatOp):
    """An average is over the positions inside the image."""

    names = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
    table = "Pool2D"
    fields = ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", FUSED)
    scales = Scales.SAME

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        images, o = merged(x[0]), node.options
        kernel = (o["FilterHeight"], o["FilterWidth"])
        window, positions = padded_window(kernel, o, images.shape)
        if node.name == "MAX_POOL_2D":
            y = np.full((len(images), *positions, images.shape[3]), -np.inf, images.dtype)
            for _, _, seen in taps(images, window, positions, -np.inf):
                np.maximum(y, seen, out=y)
        else:
            inside = np.ones((1, *images.shape[1:3], 1), images.dtype)
            sums, counts = (
                np.sum([seen for _, _, seen in taps(part, window, positions)], axis=0)
                for part in (images, inside)
            )
            y = sums / counts
        return [fused(o, split(y, len(x[0])))]
