"""AVERAGE_POOL_2D of a file in uint8, which rounds ties up, where int8 rounds them away from zero.

Averages of an odd number of values have no ties. Of an even number, a depthwise convolution with
equal weights computes the same: its bias of half a weight moves all ties up, and nothing else.
docs/numerics.md, section Legacy uint8.
"""

from __future__ import annotations

import numpy as np

from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph.quantization import quantize_multiplier
from byteprop.graph.tensor import Activation, DType, Tensor
from byteprop.ops.dense import MAX_N_IN
from byteprop.ops.depthwise import Depthwise
from byteprop.ops.window import CHANNELS, HEIGHT, Axis, Window

_WEIGHT, _BIAS = 64, 32


def has_ties(window: Window, x: Tensor, y: Tensor) -> bool:
    """Whether some window has an even number of values inside the input."""
    between = slice(HEIGHT, CHANNELS)
    return any(
        _has_even(axis, n_in, n_out)
        for axis, n_in, n_out in zip(
            window.axes, x.shape[between], y.shape[between], strict=True
        )
    )  # fmt: skip


def _has_even(axis: Axis, n_in: int, n_out: int) -> bool:
    begin = np.arange(n_out) * axis.stride - axis.pad
    inside = np.minimum(begin + axis.kernel, n_in) - np.maximum(begin, 0)
    return bool((inside % 2 == 0).any())


def as_depthwise(
    source: int, target: int, window: Window, x: Tensor, y: Tensor, activation: Activation
) -> Depthwise:
    """The average as a convolution. ModelError where none gives the same bytes."""
    between = slice(HEIGHT, CHANNELS)
    for axis, n_in, n_out in zip(window.axes, x.shape[between], y.shape[between], strict=True):
        if axis.pad or (n_out - 1) * axis.stride + axis.kernel > n_in:
            raise ModelError("windows beyond the image, of even numbers of values")
    n = window.height.kernel * window.width.kernel
    if n > MAX_N_IN:
        raise ModelError(f"a window of {n} values, expected at most {MAX_N_IN}")
    scale = np.float32(float(y.scale) / (float(x.scale) * _WEIGHT * n))
    if x.dtype is not DType.INT8 or not _is_exact(n, scale, x, y):
        raise ModelError(f"windows of {n} values with scales from {x.scale} to {y.scale}")
    channels = x.shape[CHANNELS]
    shape = (1, window.height.kernel, window.width.kernel, channels)
    return Depthwise(
        source, target, np.full(shape, _WEIGHT, np.int8), np.full(channels, _BIAS, np.int32),
        np.full(channels, scale), window, activation, one_scale=True,
    )  # fmt: skip


def _is_exact(n: int, scale: np.float32, x: Tensor, y: Tensor) -> bool:
    """Whether each average begins and ends where it should; between, a greater sum never has a
    lesser one."""
    if not (np.isfinite(scale) and scale > 0):
        return False
    multiplier = quantize_multiplier(float(np.float32(x.scale) * scale) / float(y.scale))

    def average(total: int) -> int:
        return y.zero_point + _raw.requant(
            _WEIGHT * (total - n * x.zero_point) + _BIAS, *multiplier
        )

    # The first sum of the average v, and the one before it.
    return multiplier.lshift <= 0 and all(
        average(n * v - n // 2) == v and average(n * v - n // 2 - 1) == v - 1
        for v in range(-127, 128)
    )
