"""Rescale: integer QUANTIZE, and RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1 on their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.quantization import Multiplier, activation_range, quantize_multiplier
from byteprop.graph.tensor import Activation, Op
from byteprop.ops.spec import InPlace, OpSpec, Params, Placed, Reader, Record, range_words, words

if TYPE_CHECKING:
    from byteprop.tflite.writer import Writer

# The op of TensorFlow Lite, and the version that takes int8.
_TFLITE = {
    Activation.NONE: ("QUANTIZE", 2),
    Activation.RELU: ("RELU", 2),
    Activation.RELU6: ("RELU6", 2),
    Activation.RELU_N1_TO_1: ("RELU_N1_TO_1", 1),
    Activation.RELU_0_TO_1: ("RELU_0_TO_1", 1),
}


@dataclass(frozen=True)
class Rescale(Op):
    """Integer QUANTIZE (activation NONE), or an activation on its own."""

    activation: Activation = Activation.NONE


class RescaleSpec(OpSpec[Rescale]):
    name = "rescale"
    kind = Rescale
    in_place = InPlace.LAST_READER

    def check(self, at: Placed[Rescale]) -> None:
        if at.x.elems != at.y.elems:
            at.refuse(f"shapes {at.x.shape} and {at.y.shape} differ in size")

    def params(self, at: Placed[Rescale]) -> Params:
        activation = at.op.activation
        return (
            bytes((activation, 0, 0, 0)),
            range_words(activation_range(activation, at.y)),
            words(*rescale_multiplier(at)),
        )

    def decode(self, record: Record) -> Rescale:
        return Rescale(record.inputs[0], record.outputs[0], Activation(record.params[0]))

    def tflite_readers(self) -> Mapping[str, Reader]:
        from byteprop.importer.ops import activation, border

        return {
            "RELU": Reader(activation.lower_relu, 3),
            "RELU6": Reader(activation.lower_relu6, 3),
            "RELU_N1_TO_1": Reader(activation.lower_relu_n1_to_1, 1),
            "RELU_0_TO_1": Reader(activation.lower_relu_0_to_1, 1),
            "QUANTIZE": Reader(border.lower_quantize, 2),
            "DEQUANTIZE": Reader(border.lower_dequantize, 4),
        }

    def write_tflite(self, at: Placed[Rescale], writer: Writer) -> None:
        name, version = _TFLITE[at.op.activation]
        x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
        writer.op(name, [x], [y], version=version)

    def activation(self, op: Rescale) -> Activation:
        return op.activation


def rescale_multiplier(at: Placed[Rescale]) -> Multiplier:
    """QUANTIZE divides the scales in double, the RELUs on their own in float32."""
    if at.op.activation is Activation.NONE:
        return quantize_multiplier(float(at.x.scale) / float(at.y.scale))
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(np.float32(at.x.scale) / np.float32(at.y.scale)))
