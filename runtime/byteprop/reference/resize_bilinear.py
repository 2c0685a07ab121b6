"""Resizing by interpolation, in NumPy; docs/numerics.md, section Resizing."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.resize_bilinear import ResizeBilinear
from byteprop.reference.fixed import Ints, round_shift


def run(
    op: ResizeBilinear, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]
) -> list[Ints]:
    """RESIZE_BILINEAR."""
    images = x[0].reshape(len(x[0]), *inputs[0].shape)
    rows, columns = (
        matrix(op, n_in, n_out)
        for n_in, n_out in zip(inputs[0].shape[1:3], outputs[0].shape[1:3], strict=True)
    )
    sums = np.einsum("vh,uw,nbhwc->nbvuc", rows, columns, images)
    return [round_shift(sums, 20).reshape(len(x[0]), outputs[0].elems)]


def matrix(op: ResizeBilinear, n_in: int, n_out: int) -> Ints:
    """Weights [n_out, n_in], in 1/1024."""
    if op.align_corners and n_out > 1:
        step = (1024 * (n_in - 1) + (n_out - 1) // 2) // (n_out - 1)
    else:
        step = (1024 * n_in + n_out // 2) // n_out
    weights = np.zeros((n_out, n_in), np.int64)
    for o in range(n_out):
        at = o * step + (step // 2 - 512 if op.half_pixel_centers else 0)
        first = max(at // 1024, 0)
        second = min(first + 1, n_in - 1) if at > 0 else first
        weights[o, first] += 1024 - (at - 1024 * first)
        weights[o, second] += at - 1024 * first
    return weights
