"""Padding of convolutions that no .tflite file can state: it becomes a PAD of its own, which the
importer folds into the convolution again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from byteprop.ops.spec import Placed
from byteprop.ops.window import CHANNELS, HEIGHT, Axis, pad_axis, padding_of

if TYPE_CHECKING:
    from byteprop.tflite.writer import Writer


def padded_input(at: Placed[Any], writer: Writer) -> tuple[int, int]:
    """The file's tensor that a convolution reads, and the schema's code of its padding."""
    import tflite

    x = writer.tensors[at.op.input]
    found = padding_of(at.op.window, at.x.shape, at.y.shape)
    if found is not None:
        return x, int(getattr(tflite.Padding, found))
    between = slice(HEIGHT, CHANNELS)
    sizes = zip(at.op.window.axes, at.x.shape[between], at.y.shape[between], strict=True)
    paddings = np.array([(0, 0), *(_paddings(at, *axis) for axis in sizes), (0, 0)], "<i4")
    shape = tuple(int(n) for n in at.x.shape + paddings.sum(axis=1))
    padded = writer.between(replace(at.x, name=f"{at.y.name}/padded", shape=shape))
    writer.op("PAD", [x, writer.constant(f"{at.y.name}/paddings", paddings)], [padded], version=2)
    return padded, int(tflite.Padding.VALID)


def _paddings(at: Placed[Any], axis: Axis, n_in: int, n_out: int) -> tuple[int, int]:
    """Before and after the input, so that VALID gives the positions that there are."""
    needed = (n_out - 1) * axis.stride + axis.span
    after = max(needed - n_in - axis.pad, 0)
    if pad_axis(axis, axis.pad + n_in + after, "VALID")[1] != n_out:
        at.refuse(f"a .tflite file cannot state {axis} from {n_in} to {n_out} positions")
    return axis.pad, after
