"""Pad: the input with one value around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.limits import MAX_RANK
from byteprop.graph.quantization import limits
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
    words,
)
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Pad(Op):
    """The input, at position `before` of an output that is `value` elsewhere. before: one number
    per axis. value: quantised as the output is."""

    before: tuple[int, ...] = ()
    value: int = 0


class PadSpec(OpSpec[Pad]):
    name = "pad"
    kind = Pad
    takes = "int8 and uint8, by constants"

    def check(self, at: Placed[Pad]) -> None:
        refuse_unless_same_type(at)
        refuse_int16(at)
        before, x, y = at.op.before, at.x.shape, at.y.shape
        if not len(before) == len(x) == len(y):
            at.refuse(
                f"{len(before)} paddings from {len(x)} axes to {len(y)}, expected equal ranks"
            )
        if any(b < 0 or b + n > to for b, n, to in zip(before, x, y, strict=True)):
            at.refuse(f"expected {x} inside {y} from {before} on")
        lowest, highest = limits(at.y.dtype)
        if not lowest <= at.op.value <= highest:
            at.refuse(f"value {at.op.value}, expected {lowest}..{highest}")

    def params(self, at: Placed[Pad]) -> Params:
        before = at.op.before
        return (words(*before, *[0] * (MAX_RANK - len(before))), words(at.op.value))

    def decode(self, record: Record) -> Pad:
        rank = len(record.tensor(record.inputs[0]).shape)
        before = tuple(record.i32(axis) for axis in range(rank))
        return Pad(record.inputs[0], record.outputs[0], before, record.i32(MAX_RANK))

    def channel_sources(self, at: Placed[Pad]) -> ChannelSources:
        return same_channels(at) if at.op.before and not at.op.before[-1] else None

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"PAD": Reader(_read_pad, 4), "PADV2": Reader(_read_padv2, 4)}

    def write_tflite(self, at: Placed[Pad], writer: Writer) -> None:
        """PAD where the value is the zero point, else PADV2."""
        op, x, y = at.op, np.array(at.x.shape), np.array(at.y.shape)
        before = np.array(op.before, int)
        paddings = np.stack([before, y - x - before], axis=1).astype("<i4")
        operands = [writer.tensors[op.input], writer.constant(f"{at.y.name}/paddings", paddings)]
        if op.value == at.y.zero_point:
            writer.op("PAD", operands, [writer.tensors[op.output]], version=2)
            return
        value = np.array([op.value], at.y.dtype.numpy)
        operands.append(writer.constant(f"{at.y.name}/value", value, at.y.scale, at.y.zero_point))
        writer.op("PADV2", operands, [writer.tensors[op.output]], version=2)

    def detail(self, op: Pad) -> tuple[str, ...]:
        return (f"{listed(op.before)} before, value {op.value}",)


# --- from a .tflite file ---


def _read_pad(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,))
    _emit(builder, op, None)


def _read_padv2(builder: Builder, op: RawOp) -> None:
    """The value is one number, with scale and zero point of the output."""
    builder.expect_operands(op, (3,))
    raw = builder.required(op, 2)
    dtype = builder.dtype(op, raw)
    if builder.value(op, 2) is not None:
        builder.unsupported(op, f"value {quoted(raw.name)} is computed, expected a constant")
    numbers = builder.constant(op, raw, dtype.numpy.str).reshape(-1)
    if numbers.size != 1 or raw.type != builder.output(op).type:
        builder.fail(op, f"expected one value of the output's type, got {raw.type_name} "
                         f"{list(raw.shape)}")  # fmt: skip
    if builder.quantization(op, raw) != builder.quantization(op, builder.output(op)):
        builder.fail(op, "expected the value with the output's scale and zero point, got others")
    _emit(builder, op, int(numbers[0]))


def _emit(builder: Builder, op: RawOp, value: int | None) -> None:
    """value: the output's zero point where it is None."""
    source = builder.computed(op)
    shape = builder.tensors[source].shape
    paddings = builder.numbers(op, 1)
    if paddings.shape != (len(shape), 2) or (paddings < 0).any():
        builder.fail(
            op,
            f"expected two paddings from 0 up per axis of {list(shape)}, got {paddings.tolist()}",
        )
    sums = [dim + int(b) + int(a) for dim, (b, a) in zip(shape, paddings, strict=True)]
    target = builder.moved(op, source, tuple(sums))
    if not paddings.any():
        builder.ops.append(Reshape(source, target))
        return
    value = builder.tensors[target].zero_point if value is None else value
    before = tuple(int(b) for b, _ in paddings)
    builder.ops.append(Pad(source, target, before, value))
