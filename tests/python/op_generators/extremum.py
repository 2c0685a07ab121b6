from __future__ import annotations

import numpy as np

from byteprop.ops.extremum import Extremum
from op_generators.common import in_any_order, is_int8, like, second
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    if not is_int8(b.tensors[x]) or (found := second(rng, b, x)) is None:
        return False
    other, shape = found
    y = like(b, x, shape)
    x1, x2 = in_any_order(rng, x, other)
    b.add(Extremum(x1, y, x2, bool(rng.random() < 0.5)))
    return True
