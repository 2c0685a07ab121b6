"""Dense, in NumPy; docs/numerics.md, section Dense."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import Tensor
from byteprop.ops import Dense
from byteprop.reference.fixed import Ints, multiplier, output_range, requant, wrap_int32


def run(op: Dense, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """FULLY_CONNECTED."""
    return [dense(op, x[0], inputs[0], outputs[0])]


def dense(op: Dense, x: Ints, source: Tensor, target: Tensor) -> Ints:
    n_in = op.weights.shape[1]
    rows = x.reshape(-1, n_in) - source.zero_point
    sums = wrap_int32(_matmul(rows, op.weights) + op.bias.astype(np.int64))
    multipliers = [multiplier(scale) for scale in dense_scales(op, source, target)]
    mult_q31 = np.array([mult for mult, _ in multipliers], np.int64)
    lshift = np.array([shift for _, shift in multipliers], np.int64)
    y = requant(sums, mult_q31, lshift) + target.zero_point
    return np.clip(y, *output_range(op.activation, target)).reshape(len(x), target.elems)


def _matmul(rows: Ints, weights: npt.NDArray[np.int8]) -> Ints:
    """Exact: every partial sum is an integer below 65,532 * 255 * 128 < 2^53. In double because
    NumPy's integer product does without the fast library."""
    product = rows.astype(np.float64) @ weights.T.astype(np.float64)
    return product.astype(np.int64)


def dense_scales(op: Dense, source: Tensor, target: Tensor) -> list[float]:
    """One product of scales is rounded to float32, several are not."""
    if len(op.weight_scales) == 1:
        product = np.float32(source.scale) * np.float32(op.weight_scales[0])
        return [float(product) / float(target.scale)]
    return [float(source.scale) * float(w) / float(target.scale) for w in op.weight_scales]
