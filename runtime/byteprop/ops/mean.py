"""Mean: MEAN over any axes, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byteprop.graph.quantization import Multiplier, quantize_multiplier
from byteprop.graph.tensor import Op
from byteprop.ops.reduction import (
    axes_word,
    check_reduction,
    decode_axes,
    read_reduction,
    reduced_channels,
    reduced_elems,
    write_reduction,
)
from byteprop.ops.spec import ChannelSources, OpSpec, Params, Placed, Reader, Record, words

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Mean(Op):
    """MEAN over axes, in ascending order, which the output keeps with length 1 or leaves out."""

    axes: tuple[int, ...]


class MeanSpec(OpSpec[Mean]):
    name = "mean"
    kind = Mean
    takes = "int8, over any axes"

    def check(self, at: Placed[Mean]) -> None:
        check_reduction(at, at.op.axes)

    def params(self, at: Placed[Mean]) -> Params:
        return axes_word(at.op.axes), words(*mean_multiplier(at))

    def decode(self, record: Record) -> Mean:
        return Mean(record.inputs[0], record.outputs[0], decode_axes(record.params))

    def channel_sources(self, at: Placed[Mean]) -> ChannelSources:
        return reduced_channels(at, at.op.axes)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"MEAN": Reader(_read, 3)}

    def write_tflite(self, at: Placed[Mean], writer: Writer) -> None:
        write_reduction("MEAN", at, at.op.axes, writer)

    def detail(self, op: Mean) -> tuple[str, ...]:
        return ("axes " + ", ".join(map(str, op.axes)),)


def mean_multiplier(at: Placed[Mean]) -> Multiplier:
    """Of s_x / s_y, in double, divided by the number of values: as many bits as that number has are
    shifted in first, where the shift allows."""
    mult_q31, lshift = quantize_multiplier(float(at.x.scale) / float(at.y.scale))
    n = reduced_elems(at.x.shape, at.op.axes)
    more = min(n.bit_length() - 1, 32, 31 + lshift)
    return Multiplier((mult_q31 << more) // n, lshift - more)


def _read(builder: Builder, op: RawOp) -> None:
    """From a .tflite file."""
    source, target, axes = read_reduction(builder, op)
    x, y = builder.tensors[source], builder.tensors[target]
    builder.expect_multiplier(op, float(x.scale) / float(y.scale))
    builder.ops.append(Mean(source, target, axes))
