"""FULLY_CONNECTED in floating point."""

from __future__ import annotations

from typing import Any

from byteprop.float_ops.spec import FUSED, FloatOp, Weights, fused
from byteprop.graph.float_graph import Array, Node


class Dense(FloatOp):
    """Weights [n_out, n_in]."""

    names = ("FULLY_CONNECTED",)
    table = "FullyConnected"
    fields = (FUSED, "WeightsFormat", "KeepNumDims")
    weights = Weights(1, 2, 0)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        weights = x[1][0]
        n_out, n_in = weights.shape
        rows = x[0] if node.options.get("KeepNumDims") else x[0].reshape(len(x[0]), -1, n_in)
        y = rows.reshape(-1, n_in) @ weights.T
        if len(x) > 2 and x[2] is not None:
            y = y + x[2].reshape(-1)
        return [fused(node.options, y.reshape(*rows.shape[:-1], n_out))]
