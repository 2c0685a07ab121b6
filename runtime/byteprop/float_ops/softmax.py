"""SOFTMAX in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.spec import LEAST_SCALE, Fixed, FloatOp
from byteprop.graph.float_graph import Array, Node


class Softmax(FloatOp):
    """Over the last axis."""

    names = ("SOFTMAX",)
    table = "Softmax"
    fields = ("Beta",)
    scales = Fixed(1 / 256, -128)
    least_scale = LEAST_SCALE

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        scaled = x[0] * x[0].dtype.type(node.options.get("Beta", 1.0))
        e = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        return [e / e.sum(axis=-1, keepdims=True)]
