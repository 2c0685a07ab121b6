from __future__ import annotations

import numpy as np

from byteprop.ops.transpose_conv import TransposeConv
from byteprop.ops.window import CHANNELS, HEIGHT, Axis, Window, pad_window
from op_generators.common import filters, fits, fused, is_image
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """The output has a size from which a convolution would lead back to the input."""
    t = b.tensors[x]
    if not is_image(t):
        return False
    kernel, strides = rng.integers(1, 5, 2).tolist(), rng.integers(1, 4, 2).tolist()
    padding = str(rng.choice(["SAME", "VALID"]))
    positions = [
        n * s - int(rng.integers(s)) if padding == "SAME" else (n - 1) * s + k
        for n, k, s in zip(t.shape[HEIGHT:CHANNELS], kernel, strides, strict=True)
    ]
    shape = (t.shape[0], *positions, int(rng.integers(1, 5)))
    if not fits(*shape):
        return False
    axes = (Axis(k, s) for k, s in zip(kernel, strides, strict=True))
    made, _ = pad_window(Window(*axes), shape, padding)
    weights = (shape[CHANNELS], *kernel, t.shape[CHANNELS])
    y, constants = filters(rng, b, x, weights, 0, shape)
    b.add(TransposeConv(x, y, *constants, made, fused(rng)))
    return True
