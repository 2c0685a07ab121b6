from __future__ import annotations

import numpy as np

from byteprop.ops.table import Function, Table, make_table
from op_generators.common import is_int8, rescaled
from random_graphs import Builder

OUTPUTS = {Function.LOGISTIC: (1 / 256, -128), Function.TANH: (1 / 128, 0)}
# BUILTIN_REF has no ELU.
FUNCTIONS = [Function.LOGISTIC, Function.TANH, Function.LEAKY_RELU, Function.HARD_SWISH]


def draw(rng: np.random.Generator, b: Builder, x: int) -> bool:
    t = b.tensors[x]
    if not is_int8(t):
        return False
    function = FUNCTIONS[int(rng.integers(len(FUNCTIONS)))]
    if function in OUTPUTS:
        y = b.tensor(t.shape, *OUTPUTS[function])
    else:
        y = rescaled(rng, b, x, t.shape)
    alpha = np.float32(rng.uniform(0, 1.5) if function is Function.LEAKY_RELU else 0)
    values = make_table(function, t, b.tensors[y], alpha).values.tobytes()
    b.add(Table(x, y, function, values, alpha))
    return True
