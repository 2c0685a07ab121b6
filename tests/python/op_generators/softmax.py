from __future__ import annotations

import numpy as np

from byteprop.image.check import MAX_CLASSES
from byteprop.ops import Softmax
from op_generators.common import is_int8
from random_graphs import SOFTMAX_SCALE, SOFTMAX_ZERO_POINT, Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    if not is_int8(t) or not t.shape or t.shape[-1] > MAX_CLASSES:
        return False
    y = b.tensor(t.shape, float(SOFTMAX_SCALE), SOFTMAX_ZERO_POINT)
    b.add(Softmax(x, y, np.float32(rng.choice([1.0, 1.0, rng.uniform(0.125, 4.0)]))))
    return True
