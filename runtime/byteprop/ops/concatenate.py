"""Concatenate: tensors of one scale, one after the other along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import tflite

from byteprop.graph.tensor import Op
from byteprop.ops.reshape import Reshape
from byteprop.ops.spec import (
    ChannelSource,
    ChannelSources,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    n_channels,
    refuse_unless_same_type,
    words,
)

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

MAX_INPUTS = 255


@dataclass(frozen=True)
class Concatenate(Op):
    """The inputs one after the other along an axis. others: the inputs after the first."""

    others: tuple[int, ...] = ()
    axis: int = 0

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.input, *self.others)

    def renumbered(self, number: Mapping[int, int]) -> Concatenate:
        others = tuple(number[t] for t in self.others)
        return replace(super().renumbered(number), others=others)


class ConcatenateSpec(OpSpec[Concatenate]):
    name = "concatenate"
    kind = Concatenate
    takes = "int8, uint8 and int16, along any axis, inputs with the output's scale"

    def check(self, at: Placed[Concatenate]) -> None:
        refuse_unless_same_type(at)
        axis, y = at.op.axis, at.y
        if len(at.inputs) > MAX_INPUTS:
            at.refuse(f"{len(at.inputs)} inputs; {MAX_INPUTS} at most are supported")
        if not 0 <= axis < len(y.shape):
            at.refuse(f"axis {axis}, expected 0..{len(y.shape) - 1}")
        for x in at.inputs:
            if len(x.shape) != len(y.shape) or _without(x.shape, axis) != _without(y.shape, axis):
                at.refuse(f"along axis {axis} from {x.shape} to {y.shape}")
            if (x.scale, x.zero_point) != (y.scale, y.zero_point):
                at.refuse(f"expected inputs with the output's scale and zero point, got {x.name!r}")
        if sum(x.shape[axis] for x in at.inputs) != y.shape[axis]:
            at.refuse(f"the inputs do not add up to {y.shape} along axis {axis}")

    def params(self, at: Placed[Concatenate]) -> Params:
        return (words(at.op.axis),)

    def decode(self, record: Record) -> Concatenate:
        first, *others = record.inputs
        return Concatenate(first, record.outputs[0], tuple(others), record.i32(0))

    def channel_sources(self, at: Placed[Concatenate]) -> ChannelSources:
        if at.op.axis != len(at.y.shape) - 1:
            return [ChannelSource(np.arange(n_channels(at.y))) for _ in at.inputs]
        sizes = [n_channels(x) for x in at.inputs]
        begins = np.cumsum([0, *sizes[:-1]]).tolist()
        return [
            ChannelSource(np.arange(n), first=begin) for n, begin in zip(sizes, begins, strict=True)
        ]

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {
            "CONCATENATION": Reader(_read_concatenation, 3),
            "PACK": Reader(_read_pack, 3),
        }

    def write_tflite(self, at: Placed[Concatenate], writer: Writer) -> None:
        inputs = [writer.tensors[t] for t in at.op.inputs]
        writer.op("CONCATENATION", inputs, [writer.tensors[at.op.output]], version=2,
                  Axis=at.op.axis, FusedActivationFunction=0)  # fmt: skip

    def detail(self, op: Concatenate) -> tuple[str, ...]:
        return (f"{len(op.inputs)} inputs along axis {op.axis}",)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


# --- from a .tflite file ---


def _read_concatenation(builder: Builder, op: RawOp) -> None:
    options = builder.options(op, tflite.ConcatenationOptions)
    if options is not None and options.FusedActivationFunction():
        builder.unsupported(op, "a fused activation, expected none as in TensorFlow Lite")
    inputs = _inputs(builder, op)
    shapes = [builder.tensors[t].shape for t in inputs]
    axis = _axis(builder, op, 0 if options is None else options.Axis(), len(shapes[0]))
    if any(
        len(s) != len(shapes[0]) or _without(s, axis) != _without(shapes[0], axis) for s in shapes
    ):
        builder.fail(
            op, f"along axis {axis} of the shapes {', '.join(map(str, map(list, shapes)))}"
        )
    total = sum(shape[axis] for shape in shapes)
    _emit(builder, op, inputs, axis, (*shapes[0][:axis], total, *shapes[0][axis + 1 :]))


def _read_pack(builder: Builder, op: RawOp) -> None:
    """Each input becomes one of length 1 along a new axis."""
    options = builder.options(op, tflite.PackOptions)
    if options is not None and options.ValuesCount() != len(op.inputs):
        builder.fail(op, f"{len(op.inputs)} inputs; its options say {options.ValuesCount()}")
    inputs = _inputs(builder, op)
    shapes = {builder.tensors[t].shape for t in inputs}
    if len(shapes) != 1:
        builder.fail(op, f"inputs of {len(shapes)} shapes, expected one")
    (shape,) = shapes
    axis = _axis(builder, op, 0 if options is None else options.Axis(), len(shape) + 1)
    slot = (*shape[:axis], 1, *shape[axis:])
    builder.expect_shape(op, builder.output(op), (*shape[:axis], len(inputs), *shape[axis:]))
    parts = [builder.part(t, slot) for t in inputs]
    builder.ops += [Reshape(t, part) for t, part in zip(inputs, parts, strict=True)]
    _emit(builder, op, parts, axis, (*shape[:axis], len(inputs), *shape[axis:]))


def _inputs(builder: Builder, op: RawOp) -> list[int]:
    builder.expect_operands(op, range(1, MAX_INPUTS + 1))
    return [builder.activation(op, operand) for operand in range(len(op.inputs))]


def _axis(builder: Builder, op: RawOp, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        builder.fail(op, f"axis {axis}, expected {-rank}..{rank - 1}")
    return axis % rank


def _emit(
    builder: Builder, op: RawOp, inputs: list[int], axis: int, shape: tuple[int, ...]
) -> None:
    output = builder.result(op, shape)
    y = builder.tensors[output]
    for x in (builder.tensors[t] for t in inputs):
        if x.dtype is not y.dtype:
            builder.fail(op, f"from {x.dtype.name} to {y.dtype.name}, expected one type")
        if (x.scale, x.zero_point) != (y.scale, y.zero_point):
            builder.unsupported(
                op,
                f"an input has scale {x.scale:.9g} and zero point {x.zero_point}, the output "
                f"{y.scale:.9g} and {y.zero_point}; expected equal ones, as TensorFlow Lite does",
            )
    builder.ops.append(Concatenate(inputs[0], output, tuple(inputs[1:]), axis))
