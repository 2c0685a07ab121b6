from __future__ import annotations

import numpy as np

from byteprop.ops.conv import Conv
from op_generators.common import filters, fits, fused, is_image, window
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    found = window(rng, t.shape, dilated=True) if is_image(t) else None
    if found is None:
        return False
    made, positions = found
    batch, _, _, channels = t.shape
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    groups = int(rng.choice(divisors)) if rng.random() < 0.3 else 1
    n_out = groups * int(rng.integers(1, 5))
    if not fits(batch, *positions, n_out):
        return False
    kernel = [axis.kernel for axis in made.axes]
    weights = (n_out, *kernel, channels // groups)
    y, constants = filters(rng, b, x, weights, 0, (batch, *positions, n_out))
    b.add(Conv(x, y, *constants, made, fused(rng)))
    return True
