"""Weights of uint8 files that no int8 holds without their zero point.

They are the sum of two int8 weights, so the inputs that meet them are there twice. There are few:
the least and the greatest of a tensor, as a rule. docs/numerics.md, section Legacy uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byteprop.ops.concatenate import Concatenate
from byteprop.ops.resize_nearest import ResizeNearest
from byteprop.ops.slice import Slice
from byteprop.ops.weights import Int8s
from byteprop.ops.window import CHANNELS, HEIGHT, Axis, Window

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp

_MOST = 127  # so that no weight is -128, which the short requantization excludes
# In more runs than that, all channels are there twice.
_MOST_RUNS = 32
_MAX_ROWS = 2**15


def is_wide(weights: npt.NDArray[Any]) -> bool:
    return weights.dtype != np.int8


def with_copies(
    builder: Builder, op: RawOp, source: int, weights: npt.NDArray[Any]
) -> tuple[int, Int8s]:
    """The input with copies of some channels behind it, and int8 weights for them; the channels of
    both are on the last axis."""
    if not is_wide(weights):
        return source, weights
    shape = builder.tensors[source].shape
    if weights.shape[-1] != shape[-1]:
        builder.unsupported(op, "weights outside -128..127 without their zero point, in groups")
    low, rest = _halves(weights)
    others = tuple(range(rest.ndim - 1))
    runs = _runs(rest.any(axis=others))
    if len(runs) > _MOST_RUNS:
        runs = [slice(0, shape[-1])]
    copies = [_channels(builder, source, run) for run in runs]
    n = sum(run.stop - run.start for run in runs)
    longer = builder.part(source, (*shape[:-1], shape[-1] + n))
    builder.ops.append(Concatenate(source, longer, tuple(copies), len(shape) - 1))
    return longer, np.concatenate([low, *(rest[..., run] for run in runs)], axis=-1)


def split_depthwise(builder: Builder, op: RawOp) -> None:
    """Replaces the last op, a depthwise convolution, by one for each run of channels. Those that
    have wide weights read every row of the image twice."""
    whole: Any = builder.ops[-1]
    x, y = builder.tensors[whole.input], builder.tensors[whole.output]
    if whole.window.height.dilation != 1 or x.shape[HEIGHT] > _MAX_ROWS:
        builder.unsupported(
            op, f"weights outside -128..127 without their zero point, with {whole.window} over "
            f"{x.shape[HEIGHT]} rows"
        )  # fmt: skip
    builder.ops.pop()
    multiplier = y.shape[CHANNELS] // x.shape[CHANNELS]
    low, rest = _halves(whole.weights)
    wide = rest.any(axis=(0, 1, 2)).reshape(-1, multiplier).any(axis=1)
    runs = _all_runs(wide)
    if len(runs) > _MOST_RUNS:
        wide[:] = True
        runs = _all_runs(wide)
    parts = []
    for run in runs:
        rows = slice(run.start * multiplier, run.stop * multiplier)
        part = whole.output
        if len(runs) > 1:
            part = builder.part(whole.output, (*y.shape[:-1], rows.stop - rows.start))
        made = replace(
            whole, input=_channels(builder, whole.input, run), output=part,
            weights=np.ascontiguousarray(low[..., rows]), bias=whole.bias[rows],
            weight_scales=whole.weight_scales[rows],
        )  # fmt: skip
        builder.ops.append(_of_both(builder, made, rest[..., rows]) if wide[run.start] else made)
        parts.append(part)
    if len(parts) > 1:
        builder.ops.append(Concatenate(parts[0], whole.output, tuple(parts[1:]), CHANNELS))


def _of_both(builder: Builder, op: Any, rest: Int8s) -> Any:
    """The convolution on an image that has every row twice: one meets the weights, one the rest."""
    batch, rows, columns, channels = builder.tensors[op.input].shape
    twice = builder.part(op.input, (batch, 2 * rows, columns, channels))
    builder.ops.append(ResizeNearest(op.input, twice))
    pairs = np.stack([op.weights, rest], axis=2)
    height = op.window.height
    axis = Axis(2 * height.kernel, 2 * height.stride, 1, 2 * height.pad)
    weights = pairs.reshape(1, axis.kernel, *op.weights.shape[2:])
    return replace(op, input=twice, weights=weights, window=Window(axis, op.window.width))


def _halves(weights: npt.NDArray[Any]) -> tuple[Int8s, Int8s]:
    """Two int8 weights for each."""
    low = np.clip(weights, -_MOST, _MOST)
    return low.astype(np.int8), (weights - low).astype(np.int8)


def _channels(builder: Builder, source: int, run: slice) -> int:
    """The tensor of these channels of another."""
    shape = builder.tensors[source].shape
    if run.stop - run.start == shape[-1]:
        return source
    part = builder.part(source, (*shape[:-1], run.stop - run.start))
    begin = (*(0,) * (len(shape) - 1), run.start)
    builder.ops.append(Slice(source, part, begin, (1,) * len(shape)))
    return part


def _runs(chosen: npt.NDArray[np.bool_]) -> list[slice]:
    """Of neighbours that are chosen."""
    return [run for run in _all_runs(chosen) if chosen[run.start]]


def _all_runs(chosen: npt.NDArray[np.bool_]) -> Sequence[slice]:
    """Of neighbours that are alike."""
    ends = [*(np.flatnonzero(np.diff(chosen)) + 1).tolist(), len(chosen)]
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
