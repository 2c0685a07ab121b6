"""FULLY_CONNECTED, int8."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.graph import Activation, DType
from byteprop.image.check import MAX_N_IN, MAX_N_OUT
from byteprop.importer.ops.activation import check_fused_range, fused_activation
from byteprop.ops import Dense
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import quoted
from byteprop.tflite.rawmodel import RawOp, RawTensor

# How far a bias's scale may be off, in units of the output's scale.
_BIAS_SCALE_TOLERANCE = 0.02


def lower(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2, 3))
    activation, keep_num_dims = _options(builder, op)
    source = builder.activation(op)
    x = builder.tensors[source]
    if x.dtype is not DType.INT8:
        builder.unsupported(op, f"its input {quoted(x.name)} is {x.dtype.name}")
    weights, weight_scales = _weights(builder, op)
    n_out, n_in = weights.shape
    shape = _output_shape(builder, op, x.shape, n_in, n_out, keep_num_dims)
    target = builder.result(op, shape)
    y = builder.tensors[target]
    if y.dtype is not DType.INT8:
        builder.unsupported(op, f"its output is {y.dtype.name}")
    check_fused_range(builder, op, activation, y.scale)
    _check_multiplier(builder, op, x.scale, weight_scales, y.scale)
    bias = _bias(builder, op, n_out, x.scale, weight_scales, y.scale)
    builder.ops.append(
        Dense(
            source,
            target,
            weights,
            np.zeros(n_out, np.int32) if bias is None else bias,
            weight_scales,
            activation,
            has_bias=bias is not None,
        )
    )


def _options(builder: Builder, op: RawOp) -> tuple[Activation, bool]:
    options = builder.options(op, tflite.FullyConnectedOptions)
    if options is None:
        return Activation.NONE, False
    if options.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        builder.unsupported(op, f"weights format {options.WeightsFormat()}, not DEFAULT")
    if options.AsymmetricQuantizeInputs():
        builder.unsupported(op, "asymmetric_quantize_inputs, which belongs to float32 activations")
    return fused_activation(builder, op, options.FusedActivationFunction()), bool(
        options.KeepNumDims()
    )


def _weights(builder: Builder, op: RawOp) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    raw = builder.required(op, 1)
    if raw.index in builder.values or raw.data is None:
        builder.unsupported(op, f"its weights {quoted(raw.name)} are not constant")
    if raw.is_sparse:
        builder.unsupported(op, f"its weights {quoted(raw.name)} are sparse")
    if raw.type != tflite.TensorType.INT8:
        builder.unsupported(op, f"its weights {quoted(raw.name)} are {raw.type_name}")
    if len(raw.shape) != 2 or min(raw.shape) < 1:
        builder.fail(op, f"its weights have the shape {list(raw.shape)}")
    n_out, n_in = raw.shape
    if n_in > MAX_N_IN or n_out > MAX_N_OUT:
        builder.unsupported(
            op, f"{n_out}x{n_in} weights; byteprop takes up to {MAX_N_OUT}x{MAX_N_IN}"
        )
    weights = builder.constant(op, raw, "<i1")
    return weights, _weight_scales(builder, op, raw, n_out)


def _weight_scales(
    builder: Builder, op: RawOp, raw: RawTensor, n_out: int
) -> npt.NDArray[np.float32]:
    quantization = raw.quantization
    if quantization is None or quantization.custom:
        builder.fail(op, f"its weights {quoted(raw.name)} have no quantisation parameters")
    scales = quantization.scales.astype(np.float32)
    if len(scales) not in (1, n_out):
        builder.fail(op, f"{len(scales)} scales for {n_out} rows of weights")
    if len(scales) > 1 and quantization.dimension != 0:
        builder.unsupported(
            op, f"weights quantised along dimension {quantization.dimension}, not by row"
        )
    if not bool(np.all(np.isfinite(scales) & (scales > 0))):
        builder.fail(op, "a scale of its weights is not a positive number")
    if bool(np.any(quantization.zero_points)):
        builder.unsupported(op, "weights with a zero point other than 0")
    return scales


def _output_shape(
    builder: Builder,
    op: RawOp,
    x_shape: tuple[int, ...],
    n_in: int,
    n_out: int,
    keep_num_dims: bool,
) -> tuple[int, ...]:
    elems = math.prod(x_shape)
    if elems % n_in or (keep_num_dims and x_shape[-1:] != (n_in,)):
        builder.fail(op, f"an input of shape {list(x_shape)} for rows of {n_in} weights")
    return (*x_shape[:-1], n_out) if keep_num_dims else (elems // n_in, n_out)


def _check_multiplier(
    builder: Builder,
    op: RawOp,
    x_scale: np.float32,
    weight_scales: npt.NDArray[np.float32],
    y_scale: np.float32,
) -> None:
    with np.errstate(over="ignore"):
        rounded = float(x_scale * weight_scales.max())
    builder.expect_multiplier(op, rounded / float(y_scale))


def _bias(
    builder: Builder,
    op: RawOp,
    n_out: int,
    x_scale: np.float32,
    weight_scales: npt.NDArray[np.float32],
    y_scale: np.float32,
) -> npt.NDArray[np.int32] | None:
    raw = builder.raw(op, 2)
    if raw is None:
        return None
    if raw.index in builder.values or raw.data is None:
        builder.unsupported(op, f"its bias {quoted(raw.name)} is not constant")
    if raw.type != tflite.TensorType.INT32:
        builder.unsupported(op, f"its bias {quoted(raw.name)} is {raw.type_name}, not INT32")
    if math.prod(raw.shape) != n_out:
        builder.fail(op, f"a bias of shape {list(raw.shape)} for {n_out} rows of weights")
    if raw.quantization is not None:
        _check_bias_scale(builder, op, raw, x_scale, weight_scales, y_scale)
    return builder.constant(op, raw, "<i4").reshape(n_out).astype(np.int32)


def _check_bias_scale(
    builder: Builder,
    op: RawOp,
    raw: RawTensor,
    x_scale: np.float32,
    weight_scales: npt.NDArray[np.float32],
    y_scale: np.float32,
) -> None:
    """The bias is added to the sum as it is, so its scale must be the sum's."""
    assert raw.quantization is not None
    scales = raw.quantization.scales.astype(np.float64)
    if len(scales) not in (1, len(weight_scales)) or np.any(raw.quantization.zero_points):
        builder.fail(
            op, f"{len(scales)} scales or a zero point not 0 for the bias {quoted(raw.name)}"
        )
    off = np.abs(np.float64(x_scale) * weight_scales.astype(np.float64) - scales)
    if not bool(np.all(off <= _BIAS_SCALE_TOLERANCE * np.float64(y_scale))):
        builder.fail(op, f"the scale of the bias {quoted(raw.name)} is not input times weights")
