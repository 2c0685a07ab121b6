"""Extremum: MAXIMUM and MINIMUM, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from byteprop.ops.pairs import PairOp, PairSpec, read_pair
from byteprop.ops.spec import Params, Placed, Reader, Record

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Extremum(PairOp):
    """The greater of two integers (MAXIMUM), or the lesser (MINIMUM)."""

    greater: bool = True


class ExtremumSpec(PairSpec[Extremum]):
    name = "extremum"
    kind = Extremum
    takes = "int8; equal shapes or broadcasting, constants on either side"

    def params(self, at: Placed[Extremum]) -> Params:
        return (bytes((at.op.greater, 0, 0, 0)),)

    def decode(self, record: Record) -> Extremum:
        x1, x2 = record.inputs
        return Extremum(x1, record.outputs[0], x2, bool(record.params[0]))

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {
            "MAXIMUM": Reader(partial(_read, greater=True), 4),
            "MINIMUM": Reader(partial(_read, greater=False), 4),
        }

    def write_tflite(self, at: Placed[Extremum], writer: Writer) -> None:
        operands = [writer.tensors[t] for t in at.op.inputs]
        name = "MAXIMUM" if at.op.greater else "MINIMUM"
        writer.op(name, operands, [writer.tensors[at.op.output]], version=2)

    def detail(self, op: Extremum) -> tuple[str, ...]:
        return ("maximum" if op.greater else "minimum",)


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp, greater: bool) -> None:
    pair = read_pair(builder, op)
    builder.ops.append(Extremum(pair.x1, pair.y, pair.x2, greater))
