"""ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM and PRELU in floating point."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.spec import FUSED, FloatOp, Scales, fused
from byteprop.graph.float_graph import Array, Node


def aligned(a: Array, b: Array) -> tuple[Array, Array]:
    """With as many axes each, so that they broadcast behind the axis of samples."""
    rank = max(a.ndim, b.ndim)
    a, b = (t.reshape(len(t), *(1,) * (rank - t.ndim), *t.shape[1:]) for t in (a, b))
    return a, b


class Arithmetic(FloatOp):
    """Element by element, of shapes that broadcast."""

    names = ("ADD", "SUB", "MUL")
    fields = (FUSED,)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        a, b = aligned(*x)
        if node.name == "MUL":
            return [fused(node.options, a * b)]
        return [fused(node.options, a + b if node.name == "ADD" else a - b)]


class Extremum(FloatOp):
    """The greater, or the lesser, of two."""

    names = ("MAXIMUM", "MINIMUM")
    scales = Scales.SAME

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        a, b = aligned(*x)
        return [np.maximum(a, b) if node.name == "MAXIMUM" else np.minimum(a, b)]


class Prelu(FloatOp):
    """The second operand is the slope below 0."""

    names = ("PRELU",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        a, slope = aligned(*x)
        return [np.where(a >= 0, a, a * slope)]
