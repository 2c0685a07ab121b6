"""Windows over images [n, height, width, channels] in floating point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from byteprop.graph.float_graph import Array
from byteprop.ops.window import Axis, Window, pad_window

_PADDINGS = ("SAME", "VALID")  # as the schema numbers them


def padded_window(
    kernel: tuple[int, ...], options: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Window, tuple[int, ...]]:
    """The window with the padding of the options, and height and width of the output."""
    axes = [
        Axis(k, options[f"Stride{a}"], options.get(f"Dilation{a}Factor", 1))
        for k, a in zip(kernel, "HW", strict=True)
    ]
    return pad_window(Window(*axes), shape, _PADDINGS[options["Padding"]])


def taps(
    x: Array, window: Window, positions: tuple[int, ...], fill: float = 0.0
) -> Iterator[tuple[int, int, Array]]:
    """Row and column of each position of the kernel, with the part of the image that it meets."""
    ends = []
    for axis, n_in, n_out in zip(window.axes, x.shape[1:3], positions, strict=True):
        ends.append((axis.pad, max(0, (n_out - 1) * axis.stride + axis.span - n_in - axis.pad)))
    padded = np.pad(x, ((0, 0), *ends, (0, 0)), constant_values=fill)
    height, width = window.axes
    for r in range(height.kernel):
        for c in range(width.kernel):
            rows = _positions(r, height, positions[0])
            yield r, c, padded[:, rows, _positions(c, width, positions[1])]


def _positions(tap: int, axis: Axis, n_out: int) -> slice:
    first = tap * axis.dilation
    return slice(first, first + (n_out - 1) * axis.stride + 1, axis.stride)
