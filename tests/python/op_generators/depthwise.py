from __future__ import annotations

import numpy as np

from byteprop.ops.depthwise import Depthwise
from op_generators.common import filters, fits, fused, is_image, window
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    found = window(rng, t.shape, dilated=True) if is_image(t) else None
    if found is None:
        return False
    made, positions = found
    batch, _, _, channels = t.shape
    n_out = channels * int(rng.integers(1, 4))
    if not fits(batch, *positions, n_out):
        return False
    kernel = [axis.kernel for axis in made.axes]
    weights = (1, *kernel, n_out)
    y, constants = filters(rng, b, x, weights, 3, (batch, *positions, n_out))
    b.add(Depthwise(x, y, *constants, made, fused(rng)))
    return True
