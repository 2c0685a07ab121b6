"""Axes that an op reduces: a mean or a maximum over them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from byteprop.ops.spec import ChannelSources, Placed, refuse_unless_int8, same_channels

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

Axes = tuple[int, ...]


def axes_word(axes: Axes) -> bytes:
    """A bit for each axis, as the 4 bytes of a record."""
    return bytes((sum(1 << axis for axis in axes), 0, 0, 0))


def decode_axes(params: bytes) -> Axes:
    return tuple(axis for axis in range(8) if params[0] >> axis & 1)


def reduced_elems(shape: tuple[int, ...], axes: Axes) -> int:
    """How many values each result is made of."""
    return math.prod(shape[axis] for axis in axes)


def reduced_channels(at: Placed[Any], axes: Axes) -> ChannelSources:
    """The channels stay where the last axis is not reduced."""
    return None if len(at.x.shape) - 1 in axes else same_channels(at)


def check_reduction(at: Placed[Any], axes: Axes) -> None:
    """ModelError for axes, or for shapes, that no image can hold."""
    refuse_unless_int8(at)
    rank = len(at.x.shape)
    if not axes or list(axes) != sorted(set(axes)) or not 0 <= axes[0] <= axes[-1] < rank:
        at.refuse(f"expected some of {rank} axes in ascending order, got {axes}")
    if at.y.shape not in (_shape(at.x.shape, axes, keep) for keep in (False, True)):
        at.refuse(f"the shape {at.x.shape} without the axes {axes} is not {at.y.shape}")


def read_reduction(builder: Builder, op: RawOp) -> tuple[int, int, Axes]:
    """Input, output and axes of an op of a .tflite file."""
    import tflite

    builder.expect_operands(op, (2,))
    source = builder.activation(op)
    shape = builder.tensors[source].shape
    stated = [int(axis) for axis in builder.numbers(op, 1).reshape(-1)]
    if not stated or any(not -len(shape) <= axis < len(shape) for axis in stated):
        builder.fail(op, f"expected some of {len(shape)} axes, got {stated}")
    axes = tuple(sorted({axis % len(shape) for axis in stated}))
    options = builder.options(op, tflite.ReducerOptions)
    keep = options is not None and bool(options.KeepDims())
    target = builder.result(op, _shape(shape, axes, keep))
    builder.int8_operands(op, source, target)
    return source, target, axes


def write_reduction(name: str, at: Placed[Any], axes: Axes, writer: Writer) -> None:
    """Adds the op to a .tflite file."""
    listed = writer.constant(f"{at.y.name}/axes", np.array(axes, "<i4"))
    x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
    keep = len(at.y.shape) == len(at.x.shape)
    writer.op(name, [x, listed], [y], version=2, table="Reducer", KeepDims=keep)


def _shape(shape: tuple[int, ...], axes: Axes, keep: bool) -> tuple[int, ...]:
    if keep:
        return tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)
