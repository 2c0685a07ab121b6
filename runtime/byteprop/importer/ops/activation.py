"""RELU, RELU6 and others of the family, on their own and fused into other ops."""

from __future__ import annotations

import numpy as np
import tflite

from byteprop.graph import Activation
from byteprop.importer.ops.rescale import emit_rescale
from byteprop.ops import Rescale
from byteprop.tflite.builder import Builder
from byteprop.tflite.rawmodel import RawOp

_FUSED = {
    tflite.ActivationFunctionType.NONE: Activation.NONE,
    tflite.ActivationFunctionType.RELU: Activation.RELU,
    tflite.ActivationFunctionType.RELU6: Activation.RELU6,
    tflite.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
_FUSED_NAMES = {
    value: name
    for name, value in vars(tflite.ActivationFunctionType).items()
    if isinstance(value, int)
}
_LARGEST_BOUND = {
    Activation.NONE: 0.0,
    Activation.RELU: 0.0,
    Activation.RELU6: 6.0,
    Activation.RELU_N1_TO_1: 1.0,
    Activation.RELU_0_TO_1: 1.0,
}


def fused_activation(builder: Builder, op: RawOp, code: int) -> Activation:
    if code not in _FUSED:
        builder.unsupported(
            op,
            f"fused activation {_FUSED_NAMES.get(code, code)}; supported are "
            + ", ".join(_FUSED_NAMES[known] for known in _FUSED),
        )
    return _FUSED[code]


def check_fused_range(
    builder: Builder, op: RawOp, activation: Activation, y_scale: np.float32
) -> None:
    """The activation's bounds, in steps of the output, must fit 32 bits."""
    with np.errstate(over="ignore"):
        steps = np.float32(_LARGEST_BOUND[activation]) / y_scale
    if not steps < 2.0**31 - 256:
        builder.fail(op, f"an output scale of {y_scale} is too small for {activation.name}")


def lower_relu(builder: Builder, op: RawOp) -> None:
    _lower(builder, op, Activation.RELU)


def lower_relu6(builder: Builder, op: RawOp) -> None:
    _lower(builder, op, Activation.RELU6)


def lower_relu_n1_to_1(builder: Builder, op: RawOp) -> None:
    _lower(builder, op, Activation.RELU_N1_TO_1)


def lower_relu_0_to_1(builder: Builder, op: RawOp) -> None:
    _lower(builder, op, Activation.RELU_0_TO_1)


def _lower(builder: Builder, op: RawOp, activation: Activation) -> None:
    rescale: Rescale = emit_rescale(builder, op, activation)
    x, y = builder.tensors[rescale.input], builder.tensors[rescale.output]
    if x.dtype is not y.dtype:
        builder.fail(op, f"from {x.dtype.name} to {y.dtype.name}")
    check_fused_range(builder, op, activation, y.scale)
