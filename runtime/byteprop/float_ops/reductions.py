"""MEAN and REDUCE_MAX in floating point."""

from __future__ import annotations

from typing import Any

from byteprop.float_ops.spec import FloatOp, Scales, own_axes
from byteprop.graph.float_graph import Array, Node


class Mean(FloatOp):
    """The second operand lists the axes."""

    names = ("MEAN",)
    table = "Reducer"
    fields = ("KeepDims",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        axes = own_axes(x[1], x[0].ndim - 1)
        return [x[0].mean(axis=axes, keepdims=bool(node.options.get("KeepDims")))]


class ReduceMax(FloatOp):
    """The second operand lists the axes."""

    names = ("REDUCE_MAX",)
    table = "Reducer"
    fields = ("KeepDims",)
    scales = Scales.SAME

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        axes = own_axes(x[1], x[0].ndim - 1)
        return [x[0].max(axis=axes, keepdims=bool(node.options.get("KeepDims")))]
