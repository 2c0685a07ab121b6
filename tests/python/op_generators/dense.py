from __future__ import annotations

import numpy as np

from byteprop.ops import Dense
from op_generators.common import fits, fused, is_int8, rescaled
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    n_in, n_out = (t.shape or (1,))[-1], int(rng.integers(1, 12))
    if not is_int8(t) or not t.shape or not fits(*t.shape[:-1], n_out):
        return False
    # TensorFlow Lite 2.14 computes scales by row for two dimensions only (docs/numerics.md, Dense).
    by_row = len(t.shape) == 2 and rng.random() < 0.6
    scales = rng.uniform(2**-9, 0.02, n_out if by_row else 1).astype(np.float32)
    has_bias = bool(rng.random() < 0.7)
    bias = rng.integers(-(2**31), 2**31, n_out) >> int(rng.integers(12, 32))
    y = rescaled(rng, b, x, (*t.shape[:-1], n_out), float(scales.mean()) * 70 * n_in**0.5)
    weights = rng.integers(-127, 128, (n_out, n_in)).astype(np.int8)
    bias = (bias * has_bias).astype(np.int32)
    b.add(Dense(x, y, weights, bias, scales, fused(rng), has_bias))
    return True
