"""Pooling, in NumPy; docs/numerics.md, section Pooling."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.pool import Pool, PoolKind
from byteprop.reference.fixed import Ints, output_range
from byteprop.reference.window import taps


def run(op: Pool, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    n, (batch, height, width, channels) = len(x[0]), inputs[0].shape
    images = x[0].reshape(n * batch, height, width, channels)
    _, y_height, y_width, _ = outputs[0].shape
    y = np.empty((n * batch, y_height, y_width, channels), np.int64)
    for v in range(y_height):
        rows = [at for _, at in taps(op.window.height, v, height)]
        for u in range(y_width):
            columns = [at for _, at in taps(op.window.width, u, width)]
            values = images[:, rows][:, :, columns].reshape(
                n * batch, len(rows) * len(columns), channels
            )
            y[:, v, u] = _average(values) if op.pool is PoolKind.AVERAGE else values.max(axis=1)
    low, high = output_range(op.activation, outputs[0])
    return [np.minimum(np.maximum(y, low), high).reshape(n, outputs[0].elems)]


def _average(values: Ints) -> Ints:
    """Over axis 1, halves away from zero."""
    total, count = values.sum(axis=1), values.shape[1]
    return np.asarray(np.sign(total) * ((np.abs(total) + count // 2) // count))
