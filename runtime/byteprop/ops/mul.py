"""Mul: MUL, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.quantization import activation_range, quantize_multiplier
from byteprop.graph.tensor import Activation, Tensor
from byteprop.ops.pairs import PairOp, PairSpec, read_fused, read_pair, tensors_of, write_pair
from byteprop.ops.spec import Params, Placed, Reader, Record, range_words, words

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Mul(PairOp):
    """MUL."""

    activation: Activation = Activation.NONE


class MulSpec(PairSpec[Mul]):
    name = "mul"
    kind = Mul
    takes = "int8; equal shapes or broadcasting, constants on either side; fused RELUs"

    def params(self, at: Placed[Mul]) -> Params:
        activation = at.op.activation
        return (
            bytes((activation, 0, 0, 0)),
            range_words(activation_range(activation, at.y)),
            words(*quantize_multiplier(_scale(at.inputs, at.y))),
        )

    def decode(self, record: Record) -> Mul:
        x1, x2 = record.inputs
        return Mul(x1, record.outputs[0], x2, Activation(record.params[0]))

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"MUL": Reader(_read, 7)}

    def write_tflite(self, at: Placed[Mul], writer: Writer) -> None:
        write_pair(at, writer, "MUL", version=2, activation=at.op.activation)

    def activation(self, op: Mul) -> Activation:
        return op.activation


def _scale(inputs: Sequence[Tensor], y: Tensor) -> float:
    """Product and quotient in float32."""
    s1, s2, s_y = (np.float32(t.scale) for t in (*inputs, y))
    with np.errstate(over="ignore", under="ignore"):
        return float(s1 * s2 / s_y)


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    import tflite

    activation = read_fused(builder, op, tflite.MulOptions)
    pair = read_pair(builder, op)
    x1, x2, y = tensors_of(builder, pair)
    builder.check_fused_range(op, activation, y.scale)
    builder.expect_multiplier(op, _scale((x1, x2), y))
    builder.ops.append(Mul(pair.x1, pair.y, pair.x2, activation))
