"""PReLU, in NumPy; docs/numerics.md, section PReLU."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.prelu import Prelu
from byteprop.reference.fixed import Ints, multiplier, requant
from byteprop.reference.pairs import differences


def run(op: Prelu, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """PRELU."""
    v, slope = differences(x, inputs, outputs)
    s_x, s_alpha, s_y = (np.float32(t.scale) for t in (*inputs, outputs[0]))
    with np.errstate(under="ignore"):
        above, below = multiplier(float(s_x / s_y)), multiplier(float((s_x * s_alpha) / s_y))
    y = np.where(v >= 0, requant(v, *above), requant(v * slope, *below))
    return [np.clip(y + outputs[0].zero_point, -128, 127)]
