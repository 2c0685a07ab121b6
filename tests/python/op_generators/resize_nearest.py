from __future__ import annotations

import numpy as np

from byteprop.ops.resize import Resize
from byteprop.ops.resize_nearest import ResizeNearest
from op_generators.common import fits, is_image, like
from random_graphs import Builder

OPTIONS = [(False, False), (True, False), (False, True)]


def draw(rng: np.random.Generator, b: Builder, x: int, kind: type[Resize] = ResizeNearest) -> bool:
    t = b.tensors[x]
    size = tuple(map(int, rng.integers(1, 17, 2)))
    if not is_image(t) or not fits(t.shape[0], *size, t.shape[-1]):
        return False
    align, half = OPTIONS[int(rng.integers(3))]
    b.add(kind(x, like(b, x, (t.shape[0], *size, t.shape[-1])), align, half))
    return True
