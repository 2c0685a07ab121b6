"""Mean, in NumPy; docs/numerics.md, section Mean."""

from __future__ import annotations

import math

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.mean import Mean
from byteprop.reference.fixed import Ints, multiplier, requant, wrap_int32


def run(op: Mean, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """MEAN."""
    source, target = inputs[0], outputs[0]
    values = x[0].reshape(len(x[0]), *source.shape) - source.zero_point
    total = wrap_int32(values.sum(axis=tuple(axis + 1 for axis in op.axes)))
    count = math.prod(source.shape[axis] for axis in op.axes)
    mult_q31, lshift = multiplier(float(source.scale) / float(target.scale))
    more = min(int(math.log2(count)), 32, 31 + lshift)
    y = requant(total, (mult_q31 << more) // count, lshift - more) + target.zero_point
    return [np.clip(y, -128, 127).reshape(len(x[0]), outputs[0].elems)]
