"""The element-wise op behind integer QUANTIZE and activations on their own."""

from __future__ import annotations

from byteprop.graph import Activation
from byteprop.ops import Rescale
from byteprop.tflite.builder import Builder
from byteprop.tflite.rawmodel import RawOp


def emit_rescale(builder: Builder, op: RawOp, activation: Activation) -> Rescale:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    target = builder.result(op, builder.tensors[source].shape)
    x, y = builder.tensors[source], builder.tensors[target]
    builder.expect_multiplier(op, float(x.scale) / float(y.scale))
    rescale = Rescale(source, target, activation)
    builder.ops.append(rescale)
    return rescale
