"""Maximum over axes: REDUCE_MAX, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byteprop.graph.tensor import Op
from byteprop.ops.reduction import (
    axes_word,
    check_reduction,
    decode_axes,
    read_reduction,
    reduced_channels,
    write_reduction,
)
from byteprop.ops.spec import ChannelSources, OpSpec, Params, Placed, Reader, Record

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class ReduceMax(Op):
    """REDUCE_MAX over axes, in ascending order, which the output keeps with length 1 or leaves
    out."""

    axes: tuple[int, ...]


class ReduceMaxSpec(OpSpec[ReduceMax]):
    name = "reduce_max"
    kind = ReduceMax
    takes = "int8, over any axes, output with the input's scale"

    def check(self, at: Placed[ReduceMax]) -> None:
        check_reduction(at, at.op.axes)

    def params(self, at: Placed[ReduceMax]) -> Params:
        return (axes_word(at.op.axes),)

    def decode(self, record: Record) -> ReduceMax:
        return ReduceMax(record.inputs[0], record.outputs[0], decode_axes(record.params))

    def channel_sources(self, at: Placed[ReduceMax]) -> ChannelSources:
        return reduced_channels(at, at.op.axes)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"REDUCE_MAX": Reader(_read, 3)}

    def write_tflite(self, at: Placed[ReduceMax], writer: Writer) -> None:
        write_reduction("REDUCE_MAX", at, at.op.axes, writer)

    def detail(self, op: ReduceMax) -> tuple[str, ...]:
        return ("axes " + ", ".join(map(str, op.axes)),)


def _read(builder: Builder, op: RawOp) -> None:
    """From a .tflite file."""
    source, target, axes = read_reduction(builder, op)
    x, y = builder.tensors[source], builder.tensors[target]
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        builder.fail(op, "its output has another scale or zero point than its input")
    builder.ops.append(ReduceMax(source, target, axes))
