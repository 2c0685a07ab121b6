"""SVDF, in NumPy; docs/numerics.md, section SVDF."""

from __future__ import annotations

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.svdf import Svdf
from byteprop.reference.fixed import Ints, multiplier, requant, wrap_int32


def run(op: Svdf, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """SVDF: y, and the state after it."""
    source, state = inputs
    n_samples = len(x[0])
    batch, _, n_memory, width = state.shape
    values = x[0].reshape(n_samples, batch, 1, source.elems // batch) - source.zero_point
    first = np.float32(source.scale) * op.feature_scale / np.float32(state.scale)
    features = wrap_int32((op.features.astype(np.int64) * values).sum(axis=-1))
    most = 2 ** (8 * width - 1) - 1
    new = requant(features, *multiplier(float(first))) + state.zero_point
    new = np.clip(new, -most - 1, most)
    kept = _integers(x[1].reshape(n_samples, *state.shape))
    memory = np.concatenate([kept[..., 1:], new[..., np.newaxis]], axis=-1)
    differences = memory - state.zero_point
    products = (op.time.astype(np.int64) * differences).reshape(
        n_samples, batch, outputs[0].elems // batch, op.rank, n_memory
    )
    second = np.float32(state.scale) * op.time_scale / np.float32(outputs[0].scale)
    sums = wrap_int32(products.sum(axis=(-2, -1)) + op.bias.astype(np.int64))
    y = requant(sums, *multiplier(float(second))) + outputs[0].zero_point
    return [
        np.clip(y, -128, 127).reshape(n_samples, outputs[0].elems),
        _bytes(memory, width).reshape(n_samples, state.elems),
    ]


def _integers(parts: Ints) -> Ints:
    """Signed numbers of their bytes, the lowest first."""
    last = parts[..., -1]
    return last if parts.shape[-1] == 1 else 256 * last + (parts[..., 0] & 255)


def _bytes(numbers: Ints, width: int) -> Ints:
    """What _integers was made from."""
    parts = [numbers] if width == 1 else [((numbers & 255) ^ 128) - 128, numbers >> 8]
    return np.stack(parts, axis=-1)
