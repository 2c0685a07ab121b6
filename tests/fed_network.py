"""A small network that is fed row by row: convolutions, a pool, and a dense layer at the end."""

from __future__ import annotations

import numpy as np

from byteprop.graph import DType, Graph, Tensor
from byteprop.image.rows import with_rows
from byteprop.ops import Conv, Dense, Depthwise, Reshape
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window

SHAPES = ((1, 20, 12, 3), (1, 10, 6, 8), (1, 10, 6, 8), (1, 5, 3, 8), (1, 120), (1, 4))
ROW = 12 * 3


def whole_graph() -> Graph:
    """int8 [1, 20, 12, 3] -> int8 [1, 4]."""
    rng = np.random.default_rng(5)
    tensors = tuple(
        Tensor(f"t{i}", shape, DType.INT8, np.float32(0.05), -3) for i, shape in enumerate(SHAPES)
    )

    def weights(*shape: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        values = rng.integers(-127, 128, shape).astype(np.int8)
        return values, rng.integers(-400, 400, n).astype(np.int32), np.float32([0.003] * n)

    half, same, pairs = Axis(3, 2), Axis(3, pad=1), Axis(2, 2)
    ops = (
        Conv(0, 1, *weights(8, 3, 3, 3, n=8), Window(half, half)),
        Depthwise(1, 2, *weights(1, 3, 3, 8, n=8), Window(same, same)),
        Pool(2, 3, PoolKind.MAX, Window(pairs, pairs)),
        Reshape(3, 4),
        Dense(4, 5, *weights(4, 120, n=4)),
    )
    return Graph(tensors, ops, (0,), (5,))


def fed_graph() -> Graph:
    return with_rows(whole_graph())


def frames(n: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(8).integers(-128, 128, (n, *SHAPES[0][1:])).astype(np.int8)
