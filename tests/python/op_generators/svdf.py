from __future__ import annotations

from dataclasses import replace

import numpy as np

from byteprop.graph import Kind
from byteprop.ops.svdf import Svdf
from op_generators.common import MAX_ELEMS, is_int8, rescaled, scale_near
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """A few units of few filters, whose values and outputs seldom saturate."""
    t = b.tensors[x]
    if not is_int8(t) or len(t.shape) != 2:
        return False
    (batch, n_in), rank = t.shape, int(rng.integers(1, 4))
    n_unit, n_memory = int(rng.integers(1, 7)), int(rng.integers(1, 9))
    shape = (batch, n_unit * rank, n_memory, 2)
    if np.prod(shape) > MAX_ELEMS:
        return False
    feature_scale = np.float32(2 ** rng.uniform(-10, -2))
    time_scale = np.float32(2 ** rng.uniform(-17, -13))
    gain = float(feature_scale) * 73 * n_in**0.5
    y_gain = gain * float(time_scale) * 2**14 * (rank * n_memory) ** 0.5
    y = rescaled(rng, b, x, (batch, n_unit), y_gain)
    value_scale = float(t.scale) * gain / rng.uniform(4, 400)
    state = b.tensor(shape, scale_near(rng, value_scale), 0)
    b.tensors[state] = replace(b.tensors[state], kind=Kind.STATE)
    features = rng.integers(-127, 128, (n_unit * rank, n_in)).astype(np.int8)
    time = rng.integers(-32767, 32768, (n_unit * rank, n_memory)).astype(np.int16)
    bias = (rng.integers(-(2**31), 2**31, n_unit) >> int(rng.integers(6, 32))).astype(np.int32)
    b.add(Svdf(x, y, state, features, time, bias, feature_scale, time_scale, rank))
    return True
