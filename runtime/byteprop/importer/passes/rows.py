"""Rows of weights: which outputs of a convolution are constant, which inputs it reads, and what is
left of it, or of a dense layer, without some of its channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.graph.quantization import Multiplier, activation_range, limits, quantize_multiplier
from byteprop.ops import Dense, Depthwise, TransposeConv
from byteprop.ops.convolution import Convolution, row_multiplier
from byteprop.ops.spec import Placed, n_channels
from byteprop.ops.weights import is_fast, wrap_int32
from byteprop.ops.window import CHANNELS, HEIGHT

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
# Weights are summed up so many at a time.
_BLOCK = 1 << 18
# A row without weights: bias 4 * (y - zero point), multiplied by 1/4. So it meets the conditions
# of the short requantization.
_STEPS = 4
# So that neither it nor what the requantization makes of it leaves 32 bits.
_MOST_BIAS = 2**27


@dataclass(frozen=True, eq=False)
class Known:
    """The constant channels of a tensor, and their values, which are 0 for the others."""

    is_constant: Mask
    values: Ints


# --- outputs ---


def constant_outputs(at: Placed[Any], x: Known | None) -> Known | None:
    """The channels of a convolution's output that are constant; None where none is."""
    low, high = _bounds(at, x)
    (y_min, y_max), zero_point = activation_range(at.op.activation, at.y), at.y.zero_point
    factors = float(at.x.scale) / float(at.y.scale) * at.op.weight_scales.astype(np.float64)
    # Floating point, with room for rounding, leaves few rows to compute exactly.
    ends = [np.round(bound * factors) + zero_point for bound in (low, high)]
    candidates = (ends[1] - ends[0] < 2) | (ends[1] < y_min + 2)
    candidates |= ends[0] > y_max - 2
    found = Known(np.zeros(len(low), np.bool_), np.zeros(len(low), np.int64))
    for row in np.flatnonzero(candidates):
        multiplier = _multiplier(at, row)
        if not _is_monotonic(int(low[row]), int(high[row]), multiplier):
            continue
        first, last = (
            min(max(_raw.requant(int(bound[row]), *multiplier) + zero_point, y_min), y_max)
            for bound in (low, high)
        )
        if first == last:
            found.is_constant[row], found.values[row] = True, first
    return found if found.is_constant.any() else None


def _multiplier(at: Placed[Any], row: int) -> Multiplier:
    return row_multiplier(at, at.op.weight_scales[row])


def _is_monotonic(low: int, high: int, multiplier: Multiplier) -> bool:
    """Whether a greater sum from low to high gives no lesser output: where the arithmetic wraps it
    may. One sum gives one output in any case."""
    left = max(multiplier.lshift, 0)
    if low < _INT32_MIN or high > _INT32_MAX:
        return False
    return low == high or (low << left >= _INT32_MIN and high << left <= _INT32_MAX)


def _bounds(at: Placed[Any], x: Known | None) -> tuple[Ints, Ints]:
    """Least and greatest sum with bias of each row, over all inputs and all positions."""
    lowest, highest = limits(at.x.dtype)
    n = n_channels(at.x)
    a, b = np.full(n, lowest, np.int64), np.full(n, highest, np.int64)
    if x is not None:
        a, b = (np.where(x.is_constant, x.values, bound) for bound in (a, b))
    a, b = a - at.x.zero_point, b - at.x.zero_point
    if _may_miss(at):
        a, b = np.minimum(a, 0), np.maximum(b, 0)
    low, high = (at.op.bias.astype(np.int64) for _ in range(2))
    for rows, channels, weights in _blocks(at):
        above, below = (
            bound(weights, 0).sum(axis=(1, 2), dtype=np.int64) for bound in (np.maximum, np.minimum)
        )
        least, greatest = a[channels], b[channels]
        low[rows] += (above * least + below * greatest).sum(axis=1)
        high[rows] += (above * greatest + below * least).sum(axis=1)
    return low, high


def _blocks(
    at: Placed[Any],
) -> Iterator[tuple[slice, slice | npt.NDArray[np.intp], npt.NDArray[np.int8]]]:
    """Some rows, the input channels that they take, and their weights [rows, height, width,
    channels of each row]; channels of a depthwise convolution are [rows, 1]."""
    op, n_in = at.op, n_channels(at.x)
    n_out = len(op.bias)
    if isinstance(op, Depthwise):
        sources = np.arange(n_out) // (n_out // n_in)
        yield slice(n_out), sources[:, np.newaxis], op.weights.transpose(3, 1, 2, 0)
        return
    in_group = op.weights.shape[CHANNELS]
    out_group = n_out // (n_in // in_group)
    step = max(1, _BLOCK // (op.weights.size // n_out))
    for group in range(n_in // in_group):
        channels = slice(group * in_group, (group + 1) * in_group)
        for begin in range(group * out_group, (group + 1) * out_group, step):
            rows = slice(begin, min(begin + step, (group + 1) * out_group))
            yield rows, channels, op.weights[rows]


def _may_miss(at: Placed[Any]) -> bool:
    """Whether a weight may meet a position outside the image, where it adds nothing."""
    if isinstance(at.op, TransposeConv):
        return True
    between = slice(HEIGHT, CHANNELS)
    return any(
        axis.pad or (n_out - 1) * axis.stride + axis.span > n_in
        for axis, n_in, n_out in zip(
            at.op.window.axes, at.x.shape[between], at.y.shape[between], strict=True
        )
    )


# --- inputs ---


def is_grouped(at: Placed[Any]) -> bool:
    """Whether the channels form several groups of one size, so that none can be left out."""
    return not isinstance(at.op, Depthwise) and at.op.weights.shape[CHANNELS] != n_channels(at.x)


def read_channels(at: Placed[Any], x: Known | None, rows: Mask) -> Mask:
    """The input channels that these rows need: those with weights, but for constant ones that can
    become a part of the bias."""
    weights = at.op.weights if rows.all() else at.op.weights[rows]
    read = weights.any(axis=(0, 1, 2))
    if x is not None:
        folds = (x.values == at.x.zero_point) | (not _may_miss(at))
        read &= ~(x.is_constant & folds)
    return np.asarray(read)


def read_by_dense(at: Placed[Dense], x: Known | None) -> Mask:
    """The input channels that a dense layer needs: all but constant ones. Training may give weights
    to any of them."""
    n = n_channels(at.x)
    if x is None or at.op.weights.shape[1] % n:
        return np.ones(n, np.bool_)
    return ~x.is_constant


# --- what is left ---


def narrowed(
    at: Placed[Any], x: Known | None, y: Known | None, kept_x: Mask, kept_y: Mask
) -> tuple[Convolution, int]:
    """The convolution between the kept channels, and how many of its rows are constant and lose
    their weights."""
    op: Convolution = at.op
    bias, weights, scales = op.bias, op.weights, op.weight_scales
    if not kept_x.all() and not isinstance(op, Depthwise):
        bias = wrap_int32(bias + _folded(at, x, ~kept_x))
        weights = weights[..., kept_x]
    if not kept_y.all():
        bias, scales = bias[kept_y], scales[kept_y]
        weights = weights[..., kept_y] if isinstance(op, Depthwise) else weights[kept_y]
    if weights is not op.weights:
        op = replace(op, weights=np.ascontiguousarray(weights), bias=bias, weight_scales=scales)
    if y is None:
        return op, 0
    return _without_weights(replace(at, op=op), y.is_constant[kept_y], y.values[kept_y])


def _folded(at: Placed[Any], x: Known | None, removed: Mask) -> Ints:
    """What constant channels that are left out add to each row."""
    if x is None:
        return np.zeros(len(at.op.bias), np.int64)
    folded = np.flatnonzero(removed & x.is_constant & (x.values != at.x.zero_point))
    sums = at.op.weights[..., folded].sum(axis=(1, 2), dtype=np.int64)
    return np.asarray(sums @ (x.values[folded] - at.x.zero_point))


def _without_weights(at: Placed[Any], constant: Mask, values: Ints) -> tuple[Convolution, int]:
    """The convolution whose constant rows have no weights, and fast multipliers and biases."""
    op: Convolution = at.op
    row_axis = -1 if isinstance(op, Depthwise) else 0
    weights = np.moveaxis(op.weights, row_axis, 0)
    changes = [row for row in np.flatnonzero(constant) if _needs_change(at, row, weights[row])]
    if op.one_scale:
        return _without_weights_of(at, changes, values)
    scale = _quarter(at) if changes else None
    if scale is None:
        return op, 0
    weights = op.weights.copy()
    bias, scales = op.bias.copy(), op.weight_scales.copy()
    np.moveaxis(weights, row_axis, 0)[changes] = 0
    bias[changes] = _STEPS * (values[changes] - at.y.zero_point)
    scales[changes] = scale
    return replace(op, weights=weights, bias=bias, weight_scales=scales), len(changes)


def _without_weights_of(
    at: Placed[Any], changes: list[int], values: Ints
) -> tuple[Convolution, int]:
    """The same where all rows keep their scale: their biases alone give the values."""
    op: Convolution = at.op
    steps = values - at.y.zero_point
    found = {row: bias for row in changes if (bias := _bias_for(at, row, steps[row])) is not None}
    if not found:
        return op, 0
    weights, biases = op.weights.copy(), op.bias.copy()
    rows = list(found)
    np.moveaxis(weights, -1 if isinstance(op, Depthwise) else 0, 0)[rows] = 0
    biases[rows] = list(found.values())
    return replace(op, weights=weights, bias=biases), len(rows)


def _bias_for(at: Placed[Any], row: int, steps: int) -> int | None:
    """A sum that becomes this many steps of the output; None where none next to the quotient is."""
    multiplier = _multiplier(at, row)
    if not multiplier.mult_q31:
        return None if steps else 0
    about = round(float(steps) * 2.0 ** (31 - multiplier.lshift) / multiplier.mult_q31)
    if abs(about) >= _MOST_BIAS:
        return None
    near = (about, about - 1, about + 1)
    return next((b for b in near if _raw.requant(b, *multiplier) == steps), None)


def _needs_change(at: Placed[Any], row: int, weights: npt.NDArray[np.int8]) -> bool:
    """Whether a constant row has weights, or not the conditions of the short requantization."""
    lshift = np.array([_multiplier(at, row).lshift], np.int8)
    return bool(weights.any()) or not is_fast(weights, at.op.bias[row : row + 1], lshift)


def _quarter(at: Placed[Any]) -> np.float32 | None:
    """A weight scale whose multiplier is 1/4, exactly enough for every output; None where float32
    has none."""
    with np.errstate(over="ignore", under="ignore"):
        scale = np.float32(float(at.y.scale) / float(at.x.scale) / _STEPS)
    if not np.isfinite(scale) or scale < np.finfo(np.float32).tiny:
        return None
    multiplier = quantize_multiplier(float(at.x.scale) * float(scale) / float(at.y.scale))
    steps = range(-255, 256)
    exact = all(_raw.requant(_STEPS * step, *multiplier) == step for step in steps)
    return scale if exact else None


def narrowed_dense(at: Placed[Dense], x: Known | None, kept: Mask) -> Dense:
    """The dense layer on the kept channels of its input; the others are constant."""
    if kept.all() or x is None:
        return at.op
    weights = at.op.weights.reshape(len(at.op.weights), -1, len(kept))
    removed = np.flatnonzero(~kept)
    sums = weights[..., removed].sum(axis=1, dtype=np.int64)
    bias = wrap_int32(at.op.bias + sums @ (x.values[removed] - at.x.zero_point))
    left = np.ascontiguousarray(weights[..., kept].reshape(len(weights), -1))
    return replace(at.op, weights=left, bias=bias, has_bias=at.op.has_bias or bool(bias.any()))
