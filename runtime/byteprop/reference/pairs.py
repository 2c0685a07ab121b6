"""Broadcasting, as all element-wise ops of two inputs do it."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.reference.fixed import Ints


def differences(x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """Each input less its zero point, in the output's shape: [n, elems]."""
    pairs = zip(spread(x, inputs, outputs), inputs, strict=True)
    return [values - tensor.zero_point for values, tensor in pairs]


def spread(x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """Each input in the output's shape: [n, elems]."""
    shape = outputs[0].shape
    spread_out = []
    for values, tensor in zip(x, inputs, strict=True):
        aligned = (1,) * (len(shape) - len(tensor.shape)) + tensor.shape
        rows = np.broadcast_to(values.reshape(len(values), *aligned), (len(values), *shape))
        spread_out.append(rows.reshape(len(values), outputs[0].elems))
    return spread_out
