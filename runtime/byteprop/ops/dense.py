"""Dense: FULLY_CONNECTED, int8 to int8."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.graph.quantization import Multiplier, activation_range, quantize_multiplier
from byteprop.graph.tensor import Activation, DType, Op
from byteprop.ops.reshape import Reshape
from byteprop.ops.spec import (
    WEIGHT_ALIGNMENT,
    WORD,
    Block,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    range_words,
    refuse_unless_int8,
)
from byteprop.ops.weights import (
    Int8s,
    Int32s,
    check_bias_scale,
    folded_bias,
    halfword_bias,
    halfword_rows,
    is_fast,
    matrix_of,
    read_bias,
    read_weight_scales,
    read_weights,
    rows_of,
    unfolded_bias,
)
from byteprop.ops.wide_weights import is_wide, with_copies
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

MAX_N_IN = _raw.const("BP_DENSE_MAX_INPUTS")
MAX_N_OUT = _raw.const("BP_DENSE_MAX_OUTPUTS")
_PER_CHANNEL = _raw.const("BP_OP_PER_CHANNEL")
_HAS_BIAS = _raw.const("BP_OP_HAS_BIAS")
_FAST = _raw.const("BP_OP_FAST")
_LAYOUT_ROWS = _raw.const("BP_LAYOUT_ROWS")
_LAYOUT_HALFWORDS = _raw.const("BP_LAYOUT_HALFWORDS")
_HALFWORD_ROWS = _raw.const("BP_HALFWORD_ROWS")
# Words of the record: layout, activation and flags; the range; then the offsets of these.
_WEIGHTS, _BIAS, _WEIGHT_SCALES = 2, 3, 6
_ACTIVATION_AT, _FLAGS_AT = 1, 2


@dataclass(frozen=True)
class Dense(Op):
    """FULLY_CONNECTED: weights int8 [n_out, n_in], bias int32 [n_out] at scale s_x * s_w,
    weight_scales float32 [1] (per tensor) or [n_out] (per channel)."""

    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    weight_scales: npt.NDArray[np.float32]
    activation: Activation = Activation.NONE
    has_bias: bool = True


class DenseSpec(OpSpec[Dense]):
    name = "dense"
    kind = Dense
    takes = (
        "int8; one scale per tensor or per row, with or without bias; fused RELU, RELU6 or "
        "RELU_N1_TO_1"
    )
    claims = _FAST << 8 * _FLAGS_AT

    def check(self, at: Placed[Dense]) -> None:
        refuse_unless_int8(at)
        op, x, y = at.op, at.x, at.y
        if op.weights.ndim != 2 or op.weights.dtype != np.int8:
            at.refuse("weights must be int8 [n_out, n_in]")
        n_out, n_in = op.weights.shape
        if not 1 <= n_in <= MAX_N_IN:
            at.refuse(f"n_in is {n_in}; 1..{MAX_N_IN} is supported")
        if not 1 <= n_out <= MAX_N_OUT:
            at.refuse(f"n_out is {n_out}; 1..{MAX_N_OUT} is supported")
        if not y.shape or y.shape[-1] != n_out or x.elems != y.elems // n_out * n_in:
            at.refuse(f"weights [{n_out}, {n_in}] do not map shape {x.shape} to shape {y.shape}")
        if op.bias.shape != (n_out,) or op.bias.dtype != np.int32:
            at.refuse(f"bias must be int32 [{n_out}], got {op.bias.dtype} {op.bias.shape}")
        if op.weight_scales.shape not in ((1,), (n_out,)):
            at.refuse(f"{op.weight_scales.shape} weight scales; 1 or {n_out} are supported")
        if not (np.isfinite(op.weight_scales).all() and (op.weight_scales > 0).all()):
            at.refuse("a weight scale is not finite and above 0")
        if not op.has_bias and op.bias.any():
            at.refuse("has_bias is False and the bias is not zero")

    def params(self, at: Placed[Dense]) -> Params:
        weights = at.op.weights
        return _params(at, _LAYOUT_ROWS, lambda: rows_of(weights).data.cast("B"), _bias(at))

    def halfword_params(self, at: Placed[Dense]) -> Params:
        op = at.op
        rows, bias = halfword_rows(op.weights), halfword_bias(_bias(at), op.weights)
        lshift = _lshift(dense_multipliers(op, at))
        few = len(op.weights) < _HALFWORD_ROWS
        if (
            few
            or rows is None
            or not all(is_fast(op.weights, b, lshift) for b in (bias, _bias(at)))
        ):
            return self.params(at)
        return _params(at, _LAYOUT_HALFWORDS, lambda: rows, bias)

    def has_halfwords(self, record: Record) -> bool:
        return record.params[0] == _LAYOUT_HALFWORDS

    def decode(self, record: Record) -> Dense:
        x, y = record.tensor(record.inputs[0]), record.tensor(record.outputs[0])
        flags = record.params[_FLAGS_AT]
        n_out = y.shape[-1] if y.shape else 1
        n_in = x.elems // (y.elems // n_out)
        folded = record.array(_BIAS, "<i4", n_out)
        scales = record.array(_WEIGHT_SCALES, "<f4", n_out if flags & _PER_CHANNEL else 1)
        weights = matrix_of(record, _WEIGHTS, n_out, n_in)
        return Dense(
            input=record.inputs[0],
            output=record.outputs[0],
            weights=weights,
            bias=unfolded_bias(folded, _row_sums(weights), x.zero_point),
            weight_scales=scales.astype(np.float32),
            activation=Activation(record.params[_ACTIVATION_AT]),
            has_bias=bool(flags & _HAS_BIAS),
        )

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"FULLY_CONNECTED": Reader(_read, 9)}

    def write_tflite(self, at: Placed[Dense], writer: Writer) -> None:
        op, x, y = at.op, at.x, at.y
        fused = writer.fused(op.activation)
        if fused is None:
            at.refuse(f"a dense layer of a .tflite file cannot end in {op.activation.name}")
        weights = writer.constant(f"{y.name}/weights", op.weights, op.weight_scales)
        operands = [writer.tensors[op.input], weights]
        if op.has_bias:
            scales = np.float32(x.scale) * op.weight_scales.astype(np.float32)
            operands.append(writer.constant(f"{y.name}/bias", op.bias.astype("<i4"), scales))
        n_out = len(op.weights)
        keep = y.shape != (y.elems // n_out, n_out)
        writer.op(
            "FULLY_CONNECTED",
            operands,
            [writer.tensors[op.output]],
            # int8 takes version 4, dimensions that are kept 5, no bias 6.
            version=max(4 if op.has_bias else 6, 5 if keep else 0),
            FusedActivationFunction=fused,
            KeepNumDims=keep,
        )

    def macs(self, at: Placed[Dense]) -> int:
        n_out, n_in = at.op.weights.shape
        return int(at.y.elems // n_out * n_out * n_in)

    def weights(self, op: Dense) -> int:
        return int(op.weights.size)

    def weight_bytes(self, op: Dense) -> int:
        return int(op.weights.size + WORD * op.bias.size)

    def activation(self, op: Dense) -> Activation:
        return op.activation

    def detail(self, op: Dense) -> tuple[str, ...]:
        n_out, n_in = op.weights.shape
        return (
            f"{n_in} -> {n_out}",
            "per channel" if op.weight_scales.size > 1 else "per tensor",
        )


def _params(
    at: Placed[Dense], layout: int, weights: Callable[[], bytes | memoryview], bias: Int32s
) -> Params:
    op = at.op
    multipliers = dense_multipliers(op, at)
    mult_q31 = np.array([m.mult_q31 for m in multipliers], "<i4")
    lshift = _lshift(multipliers)
    flags = _PER_CHANNEL if len(op.weight_scales) > 1 else 0
    flags |= _HAS_BIAS * op.has_bias | _FAST * is_fast(op.weights, bias, lshift)
    return (
        bytes((layout, op.activation, flags, 0)),
        range_words(activation_range(op.activation, at.y)),
        Block(weights, WEIGHT_ALIGNMENT),
        Block(bias.astype("<i4").tobytes),
        Block(mult_q31.tobytes, shared=True, derived=True),
        Block(lshift.tobytes, alignment=1, derived=True),
        Block(np.asarray(op.weight_scales, "<f4").tobytes),
    )


def _bias(at: Placed[Dense]) -> Int32s:
    return folded_bias(at.op.bias, _row_sums(at.op.weights), at.x.zero_point)


def _lshift(multipliers: Sequence[Multiplier]) -> Int8s:
    return np.array([m.lshift for m in multipliers], np.int8)


def dense_multipliers(op: Dense, at: Placed[Dense]) -> list[Multiplier]:
    """One per weight scale. With one scale the product in * w is rounded to float32 before the
    division in double; with one per row all of it is in double."""
    x_scale, y_scale = np.float32(at.x.scale), float(at.y.scale)
    if len(op.weight_scales) == 1:
        with np.errstate(over="ignore", under="ignore"):
            product = x_scale * np.float32(op.weight_scales[0])
        return [quantize_multiplier(float(product) / y_scale)]
    return [quantize_multiplier(float(x_scale) * float(w) / y_scale) for w in op.weight_scales]


def _row_sums(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    sums: npt.NDArray[np.int64] = weights.sum(axis=1, dtype=np.int64)
    return sums


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2, 3))
    activation, keep_num_dims = _read_options(builder, op)
    source = builder.activation(op)
    x = builder.tensors[source]
    if x.dtype is not DType.INT8:
        builder.unsupported(op, f"its input {quoted(x.name)} is {x.dtype.name}")
    weights, weight_scales = _read_weights(builder, op)
    n_out, n_in = weights.shape
    shape = _output_shape(builder, op, x.shape, n_in, n_out, keep_num_dims)
    target = builder.result(op, shape)
    y = builder.tensors[target]
    if y.dtype is not DType.INT8:
        builder.unsupported(op, f"its output is {y.dtype.name}")
    builder.check_fused_range(op, activation, y.scale)
    _check_multiplier(builder, op, x.scale, weight_scales, y.scale)
    if is_wide(weights):
        source = _in_rows(builder, source, n_in)
        source, weights = with_copies(builder, op, source, weights)
    bias = read_bias(builder, op, n_out)
    check_bias_scale(builder, op, x.scale, weight_scales, y.scale)
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


def _in_rows(builder: Builder, source: int, n_in: int) -> int:
    """The tensor as rows of n_in values."""
    x = builder.tensors[source]
    if x.shape[-1:] == (n_in,):
        return source
    rows = builder.part(source, (x.elems // n_in, n_in))
    builder.ops.append(Reshape(source, rows))
    return rows


def _read_options(builder: Builder, op: RawOp) -> tuple[Activation, bool]:
    import tflite

    options = builder.options(op, tflite.FullyConnectedOptions)
    if options is None:
        return Activation.NONE, False
    if options.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        builder.unsupported(op, f"weights format {options.WeightsFormat()}, not DEFAULT")
    if options.AsymmetricQuantizeInputs():
        builder.unsupported(op, "asymmetric_quantize_inputs, which belongs to float32 activations")
    return builder.fused_activation(op, options.FusedActivationFunction()), bool(
        options.KeepNumDims()
    )


def _read_weights(
    builder: Builder, op: RawOp
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    raw, weights = read_weights(builder, op, rank=2)
    n_out, n_in = weights.shape
    if n_in > MAX_N_IN or n_out > MAX_N_OUT:
        builder.unsupported(
            op, f"{n_out}x{n_in} weights; byteprop takes up to {MAX_N_OUT}x{MAX_N_IN}"
        )
    return weights, read_weight_scales(builder, op, raw, axis=0)


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
