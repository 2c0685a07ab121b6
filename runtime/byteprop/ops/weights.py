"""Weights and biases of dense layers and convolutions: how a .tflite file states them and how the
image stores them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.ops.spec import Record
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp, RawTensor

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

_WEIGHTS, _BIAS = 1, 2  # operands of an op of a .tflite file
# The conditions of the short requantization.
_LARGEST_PRODUCT = 127 * 128
_SUM_LIMIT = 2**28
_FAST_LSHIFTS = (-22, -1)
# No two int8 weights add up to it.
_WIDEST = 255
# How far a bias's scale may be off, in units of the output's scale.
_BIAS_SCALE_TOLERANCE = 0.02


# --- in the image ---


def row_stride(n_in: int) -> int:
    """Bytes from one row of weights to the next."""
    alignment = _raw.const("BP_MODEL_ROW_ALIGNMENT")
    return -(-n_in // alignment) * alignment


def rows_of(weights: Int8s) -> Int8s:
    """Weights [n_out, n_in] with zeros at the ends of their rows, as the image has them."""
    n_out, n_in = weights.shape
    if n_in == row_stride(n_in):
        return np.ascontiguousarray(weights)
    rows = np.zeros((n_out, row_stride(n_in)), np.int8)
    rows[:, :n_in] = weights
    return rows


def matrix_of(record: Record, word: int, n_out: int, n_in: int) -> Int8s:
    """Weights [n_out, n_in] of a record, from the rows whose offset is in that word of it."""
    rows = record.array(word, "i1", n_out * row_stride(n_in)).reshape(n_out, -1)
    return np.ascontiguousarray(rows[:, :n_in])


def halfword_rows(weights: Int8s) -> bytes | None:
    """Weights [n_out, n_in] as rows of halfwords; None if a sum could leave 32 bits."""
    most = int(np.abs(weights.astype(np.int64)).sum(axis=1).max())
    if most > _raw.const("BP_HALFWORD_MAX_SUM") or weights.min() == -128:
        return None
    rows = rows_of(weights).astype(np.int16)
    words = (256 * rows[:, 1::2] + rows[:, 0::2]).astype("<i2").reshape(len(rows), -1, 2)
    block = _raw.const("BP_HALFWORD_ROWS")
    in_blocks = len(rows) // block * block
    blocks = words[:in_blocks].reshape(-1, block, *words.shape[1:]).swapaxes(1, 2)
    return blocks.tobytes() + words[in_blocks:].tobytes()


def halfword_bias(folded: Int32s, weights: Int8s) -> Int32s:
    """The bias of rows of halfwords, less what their products have too much."""
    too_much = 127 * weights[:, 0::2].sum(axis=1, dtype=np.int64) >> 8
    return wrap_int32(folded.astype(np.int64) - too_much)


def folded_bias(bias: Int32s, weight_sums: npt.NDArray[np.int64], x_zero_point: int) -> Int32s:
    """bias - x_zp * sum of the channel's weights, modulo 2^32."""
    return wrap_int32(bias.astype(np.int64) - x_zero_point * weight_sums)


def unfolded_bias(folded: Int32s, weight_sums: npt.NDArray[np.int64], x_zero_point: int) -> Int32s:
    """What folded_bias was made from."""
    return folded_bias(folded, weight_sums, -x_zero_point)


def is_fast(weights: Int8s, folded: Int32s, lshift: Int8s) -> bool:
    """Whether every output channel, which are as many as biases, meets the conditions of the short
    requantization; docs/numerics.md has them."""
    n_in = weights.size // folded.size
    largest = int(np.abs(folded.astype(np.int64)).max()) + _LARGEST_PRODUCT * n_in
    lowest, highest = int(lshift.min()), int(lshift.max())
    return bool(
        largest < _SUM_LIMIT
        and _FAST_LSHIFTS[0] <= lowest
        and highest <= _FAST_LSHIFTS[1]
        and weights.min() > -128
    )


def wrap_int32(values: npt.NDArray[np.int64]) -> Int32s:
    """The values modulo 2^32."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


# --- from a .tflite file ---


def read_weights(
    builder: Builder, op: RawOp, *, rank: int, operand: int = _WEIGHTS
) -> tuple[RawTensor, npt.NDArray[Any]]:
    """The constant int8 weights of op, and the file's tensor that they are in. Those of a uint8
    file may be int16."""
    raw = builder.required(op, operand)
    if raw.index in builder.values or raw.data is None:
        builder.unsupported(op, f"its weights {quoted(raw.name)} are not constant")
    if raw.is_sparse:
        builder.unsupported(op, f"its weights {quoted(raw.name)} are sparse")
    if raw.type_name != "INT8":
        builder.unsupported(op, f"its weights {quoted(raw.name)} are {raw.type_name}")
    if len(raw.shape) != rank or min(raw.shape) < 1:
        builder.fail(op, f"its weights have the shape {list(raw.shape)}")
    weights: npt.NDArray[Any] = builder.constant(op, raw, "<i1")
    if raw.index in builder.model.was_uint8:
        weights = _less_zero_point(builder, op, raw, weights)
    return raw, weights


def _less_zero_point(
    builder: Builder, op: RawOp, raw: RawTensor, weights: Int8s
) -> npt.NDArray[Any]:
    """Weights that were uint8, with the zero point 0: int8, or int16 where they are wider."""
    zero_points = [] if raw.quantization is None else raw.quantization.zero_points.tolist()
    if len(zero_points) != 1:
        builder.unsupported(
            op, f"{len(zero_points)} scales of the uint8 weights {quoted(raw.name)}, expected one"
        )
    if not -128 <= zero_points[0] <= 127:
        builder.fail(op, f"{quoted(raw.name)} has the zero point {zero_points[0] + 128}")
    differences: npt.NDArray[Any] = weights.astype(np.int16) - zero_points[0]
    largest = np.count_nonzero(differences == _WIDEST)
    if largest:
        builder.unsupported(
            op,
            f"{largest} of {weights.size} weights of {quoted(raw.name)} are {_WIDEST} without "
            f"their zero point {zero_points[0] + 128}, expected at most {_WIDEST - 1}",
        )
    narrow: npt.NDArray[Any] = differences.astype(np.int8)
    return narrow if np.array_equal(narrow, differences) else differences


def read_weight_scales(builder: Builder, op: RawOp, raw: RawTensor, *, axis: int) -> Floats:
    """One scale, or one for each index of the weights' axis."""
    quantization, n = raw.quantization, raw.shape[axis]
    if quantization is None or quantization.custom:
        builder.fail(op, f"its weights {quoted(raw.name)} have no quantisation parameters")
    scales = quantization.scales.astype(np.float32)
    if len(scales) not in (1, n):
        builder.fail(op, f"{len(scales)} scales for {n} rows of weights")
    if len(scales) > 1 and quantization.dimension != axis:
        builder.unsupported(
            op,
            f"weights quantised along dimension {quantization.dimension}, not by row"
            if axis == 0
            else f"weights quantised along dimension {quantization.dimension}, expected {axis}",
        )
    if not bool(np.all(np.isfinite(scales) & (scales > 0))):
        builder.fail(op, "a scale of its weights is not a positive number")
    if raw.index not in builder.model.was_uint8 and bool(np.any(quantization.zero_points)):
        builder.unsupported(op, "weights with a zero point other than 0")
    return scales


def read_one_scale(builder: Builder, op: RawOp, raw: RawTensor) -> np.float32:
    """The scale of a matrix that may not have one for each row."""
    scales = read_weight_scales(builder, op, raw, axis=0)
    if len(scales) != 1:
        builder.unsupported(op, f"{len(scales)} scales for {quoted(raw.name)}, expected one")
    return np.float32(scales[0])


def read_bias(builder: Builder, op: RawOp, n_out: int, *, operand: int = _BIAS) -> Int32s | None:
    """The bias, None where the op has none. Of its quantisation the zero point alone counts: a
    constant is as it is, whatever scale and dimension the file states for it."""
    raw = builder.raw(op, operand)
    if raw is None:
        return None
    if raw.index in builder.values or raw.data is None:
        builder.unsupported(op, f"its bias {quoted(raw.name)} is not constant")
    if raw.type_name != "INT32":
        builder.unsupported(op, f"its bias {quoted(raw.name)} is {raw.type_name}, not INT32")
    if math.prod(raw.shape) != n_out:
        builder.fail(op, f"a bias of shape {list(raw.shape)} for {n_out} rows of weights")
    if raw.quantization is not None and np.any(raw.quantization.zero_points):
        builder.fail(op, f"a zero point not 0 for the bias {quoted(raw.name)}")
    bias: npt.NDArray[Any] = builder.constant(op, raw, "<i4")
    return bias.reshape(n_out).astype(np.int32)


def check_bias_scale(
    builder: Builder,
    op: RawOp,
    x_scale: np.float32,
    weight_scales: Floats,
    y_scale: np.float32,
    *,
    operand: int = _BIAS,
) -> None:
    """The bias is added to the sum as it is, so its scale must be the sum's."""
    raw = builder.raw(op, operand)
    if raw is None or raw.quantization is None:
        return
    scales = raw.quantization.scales.astype(np.float64)
    if len(scales) not in (1, len(weight_scales)):
        builder.fail(op, f"{len(scales)} scales for the bias {quoted(raw.name)}")
    off = np.abs(np.float64(x_scale) * weight_scales.astype(np.float64) - scales)
    if not bool(np.all(off <= _BIAS_SCALE_TOLERANCE * np.float64(y_scale))):
        builder.fail(op, f"the scale of the bias {quoted(raw.name)} is not input times weights")
