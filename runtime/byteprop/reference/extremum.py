"""Extremum, in NumPy; docs/numerics.md, section Extremum."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.extremum import Extremum
from byteprop.reference.fixed import Ints
from byteprop.reference.pairs import spread


def run(op: Extremum, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """MAXIMUM and MINIMUM."""
    first, second = spread(x, inputs, outputs)
    return [np.maximum(first, second) if op.greater else np.minimum(first, second)]
