"""Push, in NumPy; docs/numerics.md, section Variables."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.push import Push
from byteprop.reference.fixed import Ints


def run(op: Push, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """The state without its first values, and the new ones."""
    state, values = x
    return [np.concatenate([state, values], axis=1)[:, values.shape[1] :]]
