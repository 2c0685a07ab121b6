"""Softmax: SOFTMAX over the last axis, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph.quantization import MAX_LSHIFT, normalised
from byteprop.graph.tensor import DType, Op, Tensor
from byteprop.ops.spec import (
    WORD,
    Block,
    InPlace,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    float_bits,
    refuse_unless_int8,
)
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

MAX_CLASSES = _raw.const("BP_SOFTMAX_MAX_ELEMS")
_INTEGER_BITS = 5
_FRACTION_BITS = 31 - _INTEGER_BITS
_OUTPUT_SCALE = np.float32(1 / 256)
_OUTPUT_ZERO_POINT = -128


@dataclass(frozen=True)
class Softmax(Op):
    """SOFTMAX over the last axis; output scale 1/256, zero point -128."""

    beta: np.float32 = np.float32(1.0)


class SoftmaxSpec(OpSpec[Softmax]):
    name = "softmax"
    kind = Softmax
    takes = f"int8, over a last axis of up to {MAX_CLASSES} classes"
    in_place = InPlace.LAST_READER

    def check(self, at: Placed[Softmax]) -> None:
        refuse_unless_int8(at)
        x, y = at.x, at.y
        if x.shape != y.shape or not 1 <= (x.shape or (0,))[-1] <= MAX_CLASSES:
            at.refuse(
                f"shapes {x.shape} to {y.shape}; equal shapes "
                f"with 1..{MAX_CLASSES} classes are supported"
            )
        if y.scale != _OUTPUT_SCALE or y.zero_point != _OUTPUT_ZERO_POINT:
            at.refuse("output scale and zero point must be 1/256 and -128")

    def params(self, at: Placed[Softmax]) -> Params:
        table = Block(lambda: _exp_table(at.op, at.x), shared=True, derived=True)
        return table, float_bits(at.op.beta)

    def decode(self, record: Record) -> Softmax:
        beta = np.frombuffer(record.params, "<f4", 1, WORD)[0]
        return Softmax(record.inputs[0], record.outputs[0], np.float32(beta))

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"SOFTMAX": Reader(_read, 3)}

    def write_tflite(self, at: Placed[Softmax], writer: Writer) -> None:
        x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
        writer.op("SOFTMAX", [x], [y], version=2, Beta=float(at.op.beta))

    def detail(self, op: Softmax) -> tuple[str, ...]:
        return () if float(op.beta) == 1.0 else (f"beta {float(op.beta):g}",)


class SoftmaxScaling(NamedTuple):
    """Differences to the maximum, times this, are in Q5.26; below diff_min the result is 0."""

    mult_q31: int
    lshift: int
    diff_min: int


def softmax_scaling(op: Softmax, x: Tensor) -> SoftmaxScaling:
    """Rescaling of softmax's input to Q5.26, all in double, and the difference it cuts off at."""
    real = min(float(op.beta) * float(x.scale) * 2**_FRACTION_BITS, 2.0**31 - 1)
    if not real > 1:
        raise ModelError(
            f"softmax: beta {float(op.beta):g} times input scale {float(x.scale):g} is too small: "
            f"it must be above 2^-{_FRACTION_BITS}"
        )
    mult_q31, exponent = normalised(real)
    widest = (2**_INTEGER_BITS - 1) * 2**_FRACTION_BITS
    # With an exponent of 31 nothing but the maximum itself, whose difference is 0, is kept.
    return SoftmaxScaling(mult_q31, min(exponent, MAX_LSHIFT), -(widest // 2**exponent))


def _exp_table(op: Softmax, x: Tensor) -> bytes:
    scaling = softmax_scaling(op, x)
    table = _raw.softmax_exp_table(scaling.mult_q31, scaling.lshift, scaling.diff_min)
    return np.asarray(table, "<i4").tobytes()


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    x = builder.tensors[source]
    if x.dtype is not DType.INT8:
        builder.unsupported(op, f"its input {quoted(x.name)} is {x.dtype.name}")
    if not x.shape or x.shape[-1] > MAX_CLASSES:
        builder.unsupported(
            op, f"an input of shape {list(x.shape)}; the last dimension may be 1 to {MAX_CLASSES}"
        )
    beta = _beta(builder, op, x.scale)
    target = builder.result(op, x.shape)
    y = builder.tensors[target]
    if y.dtype is not DType.INT8:
        builder.unsupported(op, f"its output is {y.dtype.name}")
    if y.scale != _OUTPUT_SCALE or y.zero_point != _OUTPUT_ZERO_POINT:
        builder.fail(
            op, f"expected output scale 1/256, zero point -128, got {y.scale}, {y.zero_point}"
        )
    builder.ops.append(Softmax(source, target, beta))


def _beta(builder: Builder, op: RawOp, x_scale: np.float32) -> np.float32:
    import tflite

    options = builder.options(op, tflite.SoftmaxOptions)
    beta = np.float32(0.0 if options is None else options.Beta())
    if not (np.isfinite(beta) and beta > 0):
        builder.fail(op, f"beta is {beta}")
    if float(beta) * float(x_scale) * 2.0**_FRACTION_BITS <= 1.0:
        builder.fail(op, f"beta {beta} times the input's scale {x_scale} is not above 2^-26")
    return beta
