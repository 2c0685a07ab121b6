"""PReLU: PRELU, int8 to int8, whose slope below zero is a second input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.quantization import quantize_multiplier
from byteprop.graph.tensor import Tensor
from byteprop.ops.pairs import PairOp, PairSpec, read_pair, tensors_of
from byteprop.ops.spec import Params, Placed, Reader, Record, words

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Prelu(PairOp):
    """PRELU: x from zero up, x times the slope in `second` below."""


class PreluSpec(PairSpec[Prelu]):
    name = "prelu"
    kind = Prelu
    takes = "int8; slopes of any shape that broadcasts to the input's"

    def check(self, at: Placed[Prelu]) -> None:
        super().check(at)
        if at.x.elems != at.y.elems:
            at.refuse(f"slopes of the shape {at.inputs[1].shape} for an input of {at.x.shape}")

    def params(self, at: Placed[Prelu]) -> Params:
        scales = _scales(at.inputs, at.y)
        return (words(*(number for s in scales for number in quantize_multiplier(s))),)

    def decode(self, record: Record) -> Prelu:
        x, alpha = record.inputs
        return Prelu(x, record.outputs[0], alpha)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"PRELU": Reader(_read, 1)}

    def write_tflite(self, at: Placed[Prelu], writer: Writer) -> None:
        operands = [writer.tensors[t] for t in at.op.inputs]
        writer.op("PRELU", operands, [writer.tensors[at.op.output]])


def _scales(inputs: Sequence[Tensor], y: Tensor) -> tuple[float, float]:
    """From zero up and below, products and quotients in float32."""
    s_x, s_alpha, s_y = (np.float32(t.scale) for t in (*inputs, y))
    with np.errstate(over="ignore", under="ignore"):
        return float(s_x / s_y), float(s_x * s_alpha / s_y)


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    pair = read_pair(builder, op)
    x, alpha, y = tensors_of(builder, pair)
    if x.shape != y.shape:
        builder.fail(op, f"slopes of the shape {list(alpha.shape)} for {list(x.shape)}")
    for scale in _scales((x, alpha), y):
        builder.expect_multiplier(op, scale)
    builder.ops.append(Prelu(pair.x1, pair.y, pair.x2))
