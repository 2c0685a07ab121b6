"""What a change of a tensor's scale concerns, in NumPy; docs/numerics.md, section Revision of
scales."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set

from byteprop.graph import Graph
from byteprop.graph.tensor import Tensor
from byteprop.ops import Reshape
from byteprop.ops.add import Add
from byteprop.ops.convolution import Convolution
from byteprop.ops.mean import Mean
from byteprop.ops.pool import Pool
from byteprop.reference.fixed import multiplier


def with_the_scale_of(graph: Graph, tensor: int) -> set[int]:
    """The tensor, and those that have its scale from it."""
    found = {tensor}
    for op in graph.ops:
        if isinstance(op, (Reshape, Pool)) and op.input in found:
            found.add(op.output)
    return found


def conv_scales(op: Convolution, source: Tensor, target: Tensor) -> list[float]:
    return [float(source.scale) * float(w) / float(target.scale) for w in op.weight_scales]


def mean_fits(op: Mean, tensors: Sequence[Tensor], by: int) -> bool:
    """Its multiplier keeps its bits when the shift changes."""
    source, target = tensors[op.input], tensors[op.output]
    count = math.prod(source.shape[axis] for axis in op.axes)
    least = int(math.log2(count)) - 31
    mult_q31, shift = multiplier(float(source.scale) / float(target.scale))
    return mult_q31 != 0 and least <= shift and least <= shift + by <= 30


def sum_fits(op: Add, tensors: Sequence[Tensor], moved: Set[int], change: int) -> bool:
    """Its multipliers are 2^30 as before, and no shift is above 0."""
    scales = [
        math.ldexp(float(tensors[t].scale), change * (t in moved)) for t in (*op.inputs, op.output)
    ]
    widest = 2 * max(scales[:2])
    multipliers = [multiplier(scale / widest) for scale in scales[:2]]
    multipliers.append(multiplier(widest / (2.0**20 * scales[2])))
    return all(mult_q31 == 1 << 30 and shift <= 0 for mult_q31, shift in multipliers)


def is_even(op: Add, tensors: Sequence[Tensor]) -> bool:
    """The scales of inputs and output are powers of two of each other."""
    return len({math.frexp(float(tensors[t].scale))[0] for t in (*op.inputs, op.output)}) == 1
