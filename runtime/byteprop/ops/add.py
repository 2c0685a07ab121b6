"""Add: ADD and SUB, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from byteprop.graph.quantization import (
    Multiplier,
    activation_range,
    normalised,
    quantize_multiplier,
)
from byteprop.graph.tensor import Activation, Tensor
from byteprop.ops.pairs import PairOp, PairSpec, read_fused, read_pair, tensors_of, write_pair
from byteprop.ops.spec import Params, Placed, Reader, Record, range_words, words

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

_FRACTION_BITS = 20
_TOO_FINE = "an output more than 2^19 times as fine as the coarser input, at which TensorFlow stops"


@dataclass(frozen=True)
class Add(PairOp):
    """ADD, or SUB with `subtracts`."""

    subtracts: bool = False
    activation: Activation = Activation.NONE


class AddSpec(PairSpec[Add]):
    name = "add"
    kind = Add
    takes = "int8; equal shapes or broadcasting, constants on either side; fused RELUs"

    def check(self, at: Placed[Add]) -> None:
        super().check(at)
        if _is_too_fine(at.inputs, at.y):
            at.refuse(_TOO_FINE)

    def params(self, at: Placed[Add]) -> Params:
        activation, scalings = at.op.activation, _multipliers(at.inputs, at.y)
        return (
            bytes((activation, at.op.subtracts, 0, 0)),
            range_words(activation_range(activation, at.y)),
            words(*(number for scaling in scalings for number in scaling)),
        )

    def decode(self, record: Record) -> Add:
        x1, x2 = record.inputs
        activation, subtracts = Activation(record.params[0]), bool(record.params[1])
        return Add(x1, record.outputs[0], x2, subtracts, activation)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {
            "ADD": Reader(partial(_read, subtracts=False), 5),
            "SUB": Reader(partial(_read, subtracts=True), 5),
        }

    def write_tflite(self, at: Placed[Add], writer: Writer) -> None:
        name = "SUB" if at.op.subtracts else "ADD"
        write_pair(at, writer, name, version=2, activation=at.op.activation)

    def activation(self, op: Add) -> Activation:
        return op.activation

    def detail(self, op: Add) -> tuple[str, ...]:
        return ("first - second",) if op.subtracts else ()


def _sum_scale(inputs: Sequence[Tensor]) -> float:
    """What both inputs are brought to, times 2^20."""
    return 2 * max(float(x.scale) for x in inputs)


def _multipliers(inputs: Sequence[Tensor], y: Tensor) -> list[Multiplier]:
    """Of the inputs and of the output, all in double."""
    scale = _sum_scale(inputs)
    scales = [*(float(x.scale) / scale for x in inputs), _output_scale(inputs, y)]
    return [quantize_multiplier(scale) for scale in scales]


def _output_scale(inputs: Sequence[Tensor], y: Tensor) -> float:
    return _sum_scale(inputs) / (2.0**_FRACTION_BITS * float(y.scale))


def _is_too_fine(inputs: Sequence[Tensor], y: Tensor) -> bool:
    """The output's multiplier would shift to the left."""
    return normalised(_output_scale(inputs, y)).lshift > 0


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp, subtracts: bool) -> None:
    import tflite

    kind: type[Any] = tflite.SubOptions if subtracts else tflite.AddOptions
    activation = read_fused(builder, op, kind)
    pair = read_pair(builder, op)
    x1, x2, y = tensors_of(builder, pair)
    builder.check_fused_range(op, activation, y.scale)
    if _is_too_fine((x1, x2), y):
        builder.unsupported(op, _TOO_FINE)
    builder.ops.append(Add(pair.x1, pair.y, pair.x2, subtracts, activation))
