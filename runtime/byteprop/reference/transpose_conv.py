"""Transposed convolution, in NumPy; docs/numerics.md, section Transposed convolution."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.transpose_conv import TransposeConv
from byteprop.reference.conv import exact_product, finish, images_of
from byteprop.reference.fixed import Ints


def run(
    op: TransposeConv, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]
) -> list[Ints]:
    """TRANSPOSE_CONV: scattered over all that the inputs reach, then cut to the output."""
    image = images_of(x[0], inputs[0])
    samples, rows, columns, _ = image.shape
    n_out, height, width, _ = op.weights.shape
    step_y, step_x = (axis.stride for axis in op.window.axes)
    top, left = (axis.pad for axis in op.window.axes)
    _, y_rows, y_columns, _ = outputs[0].shape
    reached_rows = max((rows - 1) * step_y + height, top + y_rows)
    reached_columns = max((columns - 1) * step_x + width, left + y_columns)
    sums = np.zeros((samples, reached_rows, reached_columns, n_out), np.int64)
    for ky in range(height):
        for kx in range(width):
            products = exact_product(image, op.weights[:, ky, kx])
            ends = (ky + (rows - 1) * step_y + 1, kx + (columns - 1) * step_x + 1)
            sums[:, ky : ends[0] : step_y, kx : ends[1] : step_x] += products
    seen = sums[:, top : top + y_rows, left : left + y_columns]
    return [finish(op, seen, inputs[0], outputs[0]).reshape(len(x[0]), outputs[0].elems)]
