"""Random networks whose first ops can be fed row by row."""

from __future__ import annotations

import numpy as np

from byteprop.graph import DType, Graph
from op_generators import generators
from op_generators.common import is_readable, zero_point
from random_graphs import Builder

_HEAD = [*["conv"] * 3, *["depthwise"] * 3, *["pool"] * 2, "rescale", "table"]
_TAIL = ["add", "conv", "dense", "mean", "pad", "pool", "reshape", "slice", "table", "transpose"]


def row_network(seed: int) -> Graph:
    """One image; up to 7 ops that work row by row, and up to 4 others, one behind the other."""
    rng = np.random.default_rng(seed)
    b = Builder()
    shape = (1, *map(int, rng.integers(1, 20, 2)), int(rng.integers(1, 6)))
    dtype = DType.UINT8 if rng.random() < 0.1 else DType.INT8
    x = b.tensor(shape, float(np.float32(2 ** rng.uniform(-8, 1))), zero_point(rng, dtype), dtype)
    if dtype is DType.UINT8:
        generators()["rescale"](rng, b, x)
    _grow(rng, b, _HEAD, int(rng.integers(1, 8)))
    _grow(rng, b, _TAIL, int(rng.integers(0, 5)))
    return b.graph((x,), (len(b.tensors) - 1,))


def _grow(rng: np.random.Generator, b: Builder, names: list[str], n: int) -> None:
    for _ in range(n):
        last = max(t for t in range(len(b.tensors)) if is_readable(b, t))
        any(generators()[names[i]](rng, b, last) for i in rng.permutation(len(names)))
