from __future__ import annotations

import numpy as np

from byteprop.graph import Activation, DType
from byteprop.ops import Rescale
from op_generators.common import scale_near, zero_point
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    if t.dtype is DType.INT16:
        y = b.tensor(t.value_shape, 200 * scale_near(rng, float(t.scale)), zero_point(rng))
        b.add(Rescale(x, y))
        return True
    activation = list(Activation)[int(rng.integers(len(Activation)))]
    dtype = t.dtype
    if activation is Activation.NONE:
        dtype = DType.UINT8 if rng.random() < 0.1 else DType.INT8
    scale = scale_near(rng, float(t.scale))
    b.add(Rescale(x, b.tensor(t.shape, scale, zero_point(rng, dtype), dtype), activation))
    return True
