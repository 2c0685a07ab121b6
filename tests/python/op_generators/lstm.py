from __future__ import annotations

from dataclasses import replace

import numpy as np

from byteprop.graph import Kind
from byteprop.ops.lstm import GATES, Lstm
from op_generators.common import fits, is_int8, scale_near, zero_point
from random_graphs import Builder


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    """Few cells, whose gates are neither all open nor all closed."""
    t = b.tensors[x]
    if not is_int8(t) or len(t.shape) != 3 or not fits(*t.shape):
        return False
    time_major = bool(rng.random() < 0.3)
    n_cell, n_in, batch = int(rng.integers(1, 10)), t.shape[2], t.shape[1 if time_major else 0]
    y = b.tensor((*t.shape[:2], n_cell), scale_near(rng, 1 / 128), zero_point(rng))
    hidden = b.tensor((batch, n_cell), float(b.tensors[y].scale), b.tensors[y].zero_point)
    cell = b.tensor((batch, n_cell, 2), 2.0 ** -int(rng.integers(9, 16)), 0)
    for state in (hidden, cell):
        b.tensors[state] = replace(b.tensors[state], kind=Kind.STATE)
    scale = np.float32(2 ** rng.uniform(-4, 1) / (float(t.scale) * 127 * 127 * n_in**0.5))
    recurrent = np.float32(2 ** rng.uniform(-14, -8))
    gates = range(len(GATES))
    b.add(
        Lstm(
            x, y, hidden, cell,
            tuple(rng.integers(-127, 128, (n_cell, n_in)).astype(np.int8) for _ in gates),
            tuple(rng.integers(-127, 128, (n_cell, n_cell)).astype(np.int8) for _ in gates),
            tuple((rng.integers(-(2**31), 2**31, n_cell) >> 16).astype(np.int32) for _ in gates),
            tuple(scale * np.float32(2 ** rng.uniform(-1, 1)) for _ in gates),
            tuple(recurrent * np.float32(2 ** rng.uniform(-1, 1)) for _ in gates),
            time_major, int(rng.choice([0, 0, 9000])),
        )
    )  # fmt: skip
    return True
