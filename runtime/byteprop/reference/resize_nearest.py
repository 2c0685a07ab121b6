"""Resizing to the nearest pixel, in NumPy; docs/numerics.md, section Resizing."""

from __future__ import annotations

import math

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.resize_nearest import ResizeNearest
from byteprop.reference.fixed import Ints

f32 = np.float32


def run(
    op: ResizeNearest, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]
) -> list[Ints]:
    """RESIZE_NEAREST_NEIGHBOR."""
    images = x[0].reshape(len(x[0]), *inputs[0].shape)
    rows, columns = (
        [nearest(op, o, n_in, n_out) for o in range(n_out)]
        for n_in, n_out in zip(inputs[0].shape[1:3], outputs[0].shape[1:3], strict=True)
    )
    return [images[:, :, rows][:, :, :, columns].reshape(len(x[0]), outputs[0].elems)]


def nearest(op: ResizeNearest, position: int, n_in: int, n_out: int) -> int:
    """The input position of an output position."""
    if op.align_corners:
        scale = f32(n_in - 1) / f32(n_out - 1) if n_out > 1 else f32(n_in) / f32(n_out)
        at = math.floor(float(f32(position) * scale) + 0.5)
    else:
        center = f32(position) + f32(0.5 * op.half_pixel_centers)
        at = math.floor(float(center * (f32(n_in) / f32(n_out))))
    return min(max(at, 0), n_in - 1)
