"""Transpose: the axes in another order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.limits import MAX_RANK
from byteprop.graph.tensor import Op
from byteprop.ops.reshape import Reshape
from byteprop.ops.spec import (
    ChannelSources,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    listed,
    refuse_int16,
    refuse_unless_same_type,
    same_channels,
)

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Transpose(Op):
    """Axis i of the output is axis permutation[i] of the input."""

    permutation: tuple[int, ...] = ()


class TransposeSpec(OpSpec[Transpose]):
    name = "transpose"
    kind = Transpose
    takes = "int8 and uint8"

    def check(self, at: Placed[Transpose]) -> None:
        refuse_unless_same_type(at)
        refuse_int16(at)
        x, permutation = at.x.shape, at.op.permutation
        if sorted(permutation) != list(range(len(x))):
            at.refuse(f"permutation {permutation}, expected each of {len(x)} axes once")
        if at.y.shape != tuple(x[axis] for axis in permutation):
            at.refuse(f"expected the axes {permutation} of {x}, got the shape {at.y.shape}")

    def params(self, at: Placed[Transpose]) -> Params:
        permutation = at.op.permutation
        return (bytes((*permutation, *range(len(permutation), MAX_RANK))),)

    def decode(self, record: Record) -> Transpose:
        rank = len(record.tensor(record.inputs[0]).shape)
        return Transpose(record.inputs[0], record.outputs[0], tuple(record.params[:rank]))

    def channel_sources(self, at: Placed[Transpose]) -> ChannelSources:
        axes = at.op.permutation
        return same_channels(at) if axes and axes[-1] == len(axes) - 1 else None

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"TRANSPOSE": Reader(_read_transpose, 5)}

    def write_tflite(self, at: Placed[Transpose], writer: Writer) -> None:
        axes = np.array(at.op.permutation, "<i4")
        x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
        writer.op("TRANSPOSE", [x, writer.constant(f"{at.y.name}/axes", axes)], [y], version=2)

    def detail(self, op: Transpose) -> tuple[str, ...]:
        return (f"axes {listed(op.permutation)}",)


# --- from a .tflite file ---


def _read_transpose(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,))
    source = builder.computed(op)
    shape = builder.tensors[source].shape
    axes = builder.numbers(op, 1)
    permutation = tuple(
        int(axis) + len(shape) if axis < 0 else int(axis) for axis in axes.reshape(-1)
    )
    if axes.ndim != 1 or sorted(permutation) != list(range(len(shape))):
        builder.fail(op, f"permutation {axes.tolist()}, expected each of {len(shape)} axes once")
    moved = tuple(shape[axis] for axis in permutation)
    target = builder.moved(op, source, moved)
    long = [axis for axis in permutation if shape[axis] != 1]
    if long == sorted(long):  # the bytes stay in their order
        builder.ops.append(Reshape(source, target))
    else:
        builder.ops.append(Transpose(source, target, permutation))
