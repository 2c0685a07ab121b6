from __future__ import annotations

import numpy as np

from byteprop.ops.resize_bilinear import ResizeBilinear
from op_generators import resize_nearest
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    return resize_nearest.draw(rng, b, x, ResizeBilinear)
