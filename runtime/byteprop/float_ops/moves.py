"""Ops that move numbers: PAD, PADV2, CONCATENATION, PACK, RESHAPE, EXPAND_DIMS,
SQUEEZE, TRANSPOSE and TILE."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.spec import FUSED, FloatOp, Scales, own_axes
from byteprop.graph.float_graph import Array, Node


class Move(FloatOp):
    """Base of these ops."""

    scales = Scales.SAME


class Reshape(Move):
    """The second operand, or else the option, is the new shape."""

    names = ("RESHAPE",)
    table = "Reshape"
    fields = ("NewShape",)
    lists = ("NewShape",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        stated = x[1] if len(x) > 1 and x[1] is not None and x[1].ndim == 1 else None
        shape = node.options.get("NewShape", ()) if stated is None else stated.tolist()
        return [x[0].reshape(len(x[0]), *(() if list(shape) == [0] else shape))]


class ExpandDims(Move):
    """The second operand is the new axis."""

    names = ("EXPAND_DIMS",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.expand_dims(x[0], own_axes(x[1], x[0].ndim)[0])]


class Squeeze(Move):
    """Without the axes that the options list, or without all of length 1."""

    names = ("SQUEEZE",)
    table = "Squeeze"
    fields = ("SqueezeDims",)
    lists = ("SqueezeDims",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        axes = own_axes(node.options.get("SqueezeDims", ()), x[0].ndim - 1)
        if not axes:
            axes = tuple(a for a in range(1, x[0].ndim) if x[0].shape[a] == 1)
        return [x[0].squeeze(axis=axes)]


class Pad(Move):
    """The second operand has two numbers per axis; PADV2 has the value as its third."""

    names = ("PAD", "PADV2")

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        value = x[2].reshape(-1)[0] if len(x) > 2 else 0
        return [np.pad(x[0], [(0, 0), *x[1].tolist()], constant_values=value)]


class Concatenation(Move):
    """One after the other along an axis."""

    names = ("CONCATENATION",)
    table = "Concatenation"
    fields = ("Axis", FUSED)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.concatenate(alike(x), own_axes(node.options.get("Axis", 0), x[0].ndim - 1)[0])]


class Pack(Move):
    """One after the other along a new axis."""

    names = ("PACK",)
    table = "Pack"
    fields = ("Axis", "ValuesCount")

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.stack(alike(x), own_axes(node.options.get("Axis", 0), x[0].ndim)[0])]


class Transpose(Move):
    """The second operand is the order of the axes."""

    names = ("TRANSPOSE",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [x[0].transpose(0, *own_axes(x[1], x[0].ndim - 1))]


class Tile(Move):
    """The second operand says how often along each axis."""

    names = ("TILE",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.tile(x[0], (1, *x[1].tolist()))]


def alike(x: list[Any]) -> list[Array]:
    """With as many samples each: constants are repeated."""
    samples = max(len(part) for part in x)
    return [np.broadcast_to(part, (samples, *part.shape[1:])) for part in x]
