"""Reshape: the same bytes under another shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from byteprop.graph.limits import MAX_RANK
from byteprop.graph.tensor import Op
from byteprop.ops.spec import (
    ChannelSource,
    ChannelSources,
    InPlace,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    n_channels,
)
from byteprop.tflite.values import Computed, FloatInput, FloatOutput, Wide

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Reshape(Op):
    """The same bytes under another shape."""


class ReshapeSpec(OpSpec[Reshape]):
    name = "reshape"
    kind = Reshape
    takes = "int8, uint8 and int16, to a constant shape"
    in_place = InPlace.ALIAS

    def check(self, at: Placed[Reshape]) -> None:
        x, y = at.x, at.y
        if x.elems != y.elems:
            at.refuse(f"shapes {x.shape} and {y.shape} differ in size")
        if x.dtype != y.dtype:
            at.refuse(f"input is {x.dtype.name} and output {y.dtype.name}")

    def params(self, at: Placed[Reshape]) -> Params:
        return ()

    def decode(self, record: Record) -> Reshape:
        return Reshape(record.inputs[0], record.outputs[0])

    def channel_sources(self, at: Placed[Reshape]) -> ChannelSources:
        """Where positions become channels, as before a dense layer, each has those of the input."""
        n_in, n_out = n_channels(at.x), n_channels(at.y)
        if n_out % n_in or n_in == 1 < n_out:
            return None
        return [ChannelSource(np.arange(n_out) % n_in)]

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {
            "RESHAPE": Reader(_read_reshape, 1),
            "EXPAND_DIMS": Reader(_read_expand_dims, 1),
            "SQUEEZE": Reader(_read_squeeze, 1),
        }

    def write_tflite(self, at: Placed[Reshape], writer: Writer) -> None:
        shape = writer.constant(f"{at.y.name}/shape", np.array(at.y.value_shape, "<i4"))
        x, y = writer.tensors[at.op.input], writer.result(at.op.output)
        writer.op("RESHAPE", [x, shape], [y])


# --- from a .tflite file ---


def _read_reshape(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1, 2))
    _emit(builder, op, _resolve(builder, op, _stated_shape(builder, op), _shape_of(builder, op)))


def _read_expand_dims(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,))
    shape = list(_shape_of(builder, op))
    axes = builder.numbers(op, 1)
    if axes.size != 1:
        builder.fail(op, f"expected one axis, got {axes.size}")
    axis = int(axes.reshape(()))
    if not -len(shape) - 1 <= axis <= len(shape):
        builder.fail(op, f"axis {axis} of {len(shape)} dimensions")
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    _emit(builder, op, tuple(shape))


def _read_squeeze(builder: Builder, op: RawOp) -> None:
    import tflite

    builder.expect_operands(op, (1,))
    shape = _shape_of(builder, op)
    options = builder.options(op, tflite.SqueezeOptions)
    listed = [] if options is None else [options.SqueezeDims(i) for i in _range(options)]
    axes = {axis if axis >= 0 else axis + len(shape) for axis in listed}
    if any(not 0 <= axis < len(shape) or shape[axis] != 1 for axis in axes):
        builder.fail(op, f"axes {listed} of the shape {list(shape)}")
    removed = axes or {axis for axis, dim in enumerate(shape) if dim == 1}
    _emit(builder, op, tuple(dim for axis, dim in enumerate(shape) if axis not in removed))


def _range(options: Any) -> range:
    return range(min(options.SqueezeDimsLength(), 8))


def _shape_of(builder: Builder, op: RawOp) -> tuple[int, ...]:
    value = builder.value(op, 0)
    if isinstance(value, Computed):
        return builder.tensors[value.index].value_shape
    if isinstance(value, (FloatInput, FloatOutput, Wide)):
        return value.shape
    return builder.numbers(op, 0).shape


def _stated_shape(builder: Builder, op: RawOp) -> list[int]:
    """The second input where it is a vector, else the option."""
    import tflite

    if builder.raw(op, 1) is not None:
        numbers = builder.numbers(op, 1)
        if numbers.ndim == 1:
            return [int(dim) for dim in numbers]
    options = builder.options(op, tflite.ReshapeOptions)
    if options is None or options.NewShapeIsNone():
        builder.fail(op, "neither an input nor an option states the new shape")
    shape = [int(dim) for dim in options.NewShapeAsNumpy()[:9]]
    # Old writers state a scalar so.
    return [] if shape == [0] else shape


def _resolve(
    builder: Builder, op: RawOp, stated: list[int], source: tuple[int, ...]
) -> tuple[int, ...]:
    """Fills in the one dimension that may be -1."""
    elems = math.prod(source)
    known = math.prod(dim for dim in stated if dim != -1)
    unknown = stated.count(-1)
    if len(stated) > 8 or unknown > 1 or known < 1 or any(dim < -1 for dim in stated):
        builder.fail(op, f"the new shape {stated[:9]}")
    if elems % known or (not unknown and elems != known):
        builder.fail(op, f"from the shape {list(source)} to {stated}")
    return tuple(elems // known if dim == -1 else dim for dim in stated)


def emit_reshape(builder: Builder, op: RawOp, source: int, shape: tuple[int, ...]) -> None:
    """Makes op's output of the bytes of source. shape: that of the values."""
    shape = builder.stored(op, source, shape)
    if len(shape) > MAX_RANK:
        builder.wide(op, source, shape)
    else:
        builder.ops.append(Reshape(source, builder.moved(op, source, shape)))


def _emit(builder: Builder, op: RawOp, shape: tuple[int, ...]) -> None:
    value = builder.value(op, 0)
    if isinstance(value, FloatInput):
        builder.expect_shape(op, builder.output(op), shape)
        builder.define(op, replace(value, shape=shape))
    elif isinstance(value, FloatOutput):
        builder.expect_shape(op, builder.output(op), shape)
        builder.define(op, FloatOutput(value.index, shape))
    elif isinstance(value, (Computed, Wide)):
        emit_reshape(builder, op, value.index, shape)
    else:
        builder.known(op, builder.numbers(op, 0).reshape(shape))
