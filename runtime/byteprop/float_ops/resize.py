"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR in floating point."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from byteprop.float_ops.spec import FloatOp, Scales, merged, split
from byteprop.graph.float_graph import Array, Node

f32 = np.float32


class Resize(FloatOp):
    """The second operand is height and width."""

    scales = Scales.SAME
    fields = ("AlignCorners", "HalfPixelCenters")

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        images = merged(x[0])
        for axis, n_out in zip((1, 2), x[1].tolist(), strict=True):
            images = self.along(images, axis, n_out, node.options)
        return [split(images, len(x[0]))]

    @abstractmethod
    def along(self, x: Array, axis: int, n_out: int, options: Mapping[str, Any]) -> Array:
        """The images with n_out positions along one axis."""


class ResizeNearest(Resize):
    """The value at the nearest position."""

    names = ("RESIZE_NEAREST_NEIGHBOR",)
    table = "ResizeNearestNeighbor"

    def along(self, x: Array, axis: int, n_out: int, options: Mapping[str, Any]) -> Array:
        at = np.arange(n_out, dtype=f32)
        scale = _scale(x.shape[axis], n_out, options)
        if options.get("AlignCorners"):
            positions = np.floor(at * scale + f32(0.5))
        else:
            positions = np.floor((at + f32(0.5 * bool(options.get("HalfPixelCenters")))) * scale)
        last = x.shape[axis] - 1
        return np.asarray(np.take(x, np.clip(positions, 0, last).astype(int), axis=axis))


class ResizeBilinear(Resize):
    """Between the two nearest positions, by distance."""

    names = ("RESIZE_BILINEAR",)
    table = "ResizeBilinear"

    def along(self, x: Array, axis: int, n_out: int, options: Mapping[str, Any]) -> Array:
        at = np.arange(n_out, dtype=f32)
        scale = _scale(x.shape[axis], n_out, options)
        half = f32(0.5) if options.get("HalfPixelCenters") else f32(0)
        at = (at + half) * scale - half
        first = np.maximum(np.floor(at), 0).astype(int)
        second = np.minimum(np.ceil(at), x.shape[axis] - 1).astype(int)
        share = (at - first).reshape(-1, *(1,) * (x.ndim - axis - 1))
        lower, upper = np.take(x, first, axis), np.take(x, second, axis)
        return np.asarray(lower * (1 - share) + upper * share)


def _scale(n_in: int, n_out: int, options: Mapping[str, Any]) -> np.float32:
    if options.get("AlignCorners") and n_out > 1:
        return f32(n_in - 1) / f32(n_out - 1)
    return f32(n_in) / f32(n_out)
