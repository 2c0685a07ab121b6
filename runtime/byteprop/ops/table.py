"""Table: LOGISTIC, TANH, LEAKY_RELU, HARD_SWISH and ELU, int8 to int8, as a table of 256 bytes.

The table is part of the op, since the float32 functions of C libraries differ in their last bits:
an image keeps the bytes of the host that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.engine._raw_function import function_table
from byteprop.errors import ModelError
from byteprop.graph.quantization import Multiplier, quantize_multiplier
from byteprop.graph.tensor import Op, Tensor
from byteprop.ops.spec import (
    WORD,
    Block,
    ChannelSources,
    InPlace,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    RowWindow,
    float_bits,
    refuse_unless_int8,
    same_channels,
)

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

Ints = npt.NDArray[np.int64]
_SIZE = 256
_EVERY_BYTE = np.arange(_SIZE, dtype=np.uint8).view(np.int8).astype(np.int64)


class Function(IntEnum):
    """Ops of TensorFlow Lite that become tables (values: BP_FUNCTION_* in byteprop/model.h)."""

    LOGISTIC = 0
    TANH = 1
    LEAKY_RELU = 2
    HARD_SWISH = 3
    ELU = 4


# The greatest version that TensorFlow Lite 2.14 runs, and the one that takes int8.
_VERSIONS = {
    Function.LOGISTIC: (3, 2),
    Function.TANH: (3, 2),
    Function.LEAKY_RELU: (2, 2),
    Function.HARD_SWISH: (1, 1),
    Function.ELU: (1, 1),
}
# The one output scale and zero point that TensorFlow Lite takes.
_OUTPUTS = {
    Function.LOGISTIC: (np.float32(1 / 256), -128),
    Function.TANH: (np.float32(1 / 128), 0),
}


@dataclass(frozen=True)
class Table(Op):
    """values: int8 [256], the output for each input, by the input as an unsigned byte.
    alpha: of LEAKY_RELU, not negative."""

    function: Function
    values: bytes = field(repr=False)
    alpha: np.float32 = np.float32(0)


class TableSpec(OpSpec[Table]):
    name = "table"
    kind = Table
    takes = "int8"
    in_place = InPlace.LAST_READER

    def check(self, at: Placed[Table]) -> None:
        refuse_unless_int8(at)
        if at.x.elems != at.y.elems:
            at.refuse(f"shapes {at.x.shape} and {at.y.shape} differ in size")
        try:
            made = make_table(at.op.function, at.x, at.y, at.op.alpha)
        except ModelError as error:
            at.refuse(str(error))
        values = np.frombuffer(at.op.values, np.int8)
        if values.shape != (_SIZE,) or not ((made.low <= values) & (values <= made.high)).all():
            at.refuse(f"the table is not that of {at.op.function.name} for these scales")

    def params(self, at: Placed[Table]) -> Params:
        values = at.op.values
        return bytes((at.op.function, 0, 0, 0)), Block(lambda: values), float_bits(at.op.alpha)

    def decode(self, record: Record) -> Table:
        values = record.array(1, "i1", _SIZE).tobytes()
        alpha = np.frombuffer(record.params, "<f4", 1, 2 * WORD)[0]
        function = Function(record.params[0])
        return Table(record.inputs[0], record.outputs[0], function, values, np.float32(alpha))

    def row_window(self, at: Placed[Table]) -> RowWindow | None:
        return RowWindow() if at.x.shape == at.y.shape else None

    def channel_sources(self, at: Placed[Table]) -> ChannelSources:
        return same_channels(at)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {
            function.name: Reader(partial(_read, function=function), versions[0])
            for function, versions in _VERSIONS.items()
        }

    def write_tflite(self, at: Placed[Table], writer: Writer) -> None:
        function, version = at.op.function, _VERSIONS[at.op.function][1]
        x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
        if function is Function.LEAKY_RELU:
            writer.op(function.name, [x], [y], version=version, Alpha=float(at.op.alpha))
        else:
            writer.op(function.name, [x], [y], version=version)

    def detail(self, op: Table) -> tuple[str, ...]:
        name = op.function.name.lower()
        return (name, f"alpha {float(op.alpha):g}") if op.alpha else (name,)


# --- the tables ---


class MadeTable(NamedTuple):
    """int8 [256] each: the table of this host, and the bounds of other hosts' tables."""

    values: npt.NDArray[np.int8]
    low: npt.NDArray[np.int8]
    high: npt.NDArray[np.int8]


def make_table(function: Function, x: Tensor, y: Tensor, alpha: np.float32) -> MadeTable:
    """ModelError where TensorFlow Lite's result would be undefined."""
    if function is not Function.LEAKY_RELU and (alpha or np.signbit(alpha)):
        raise ModelError(f"expected no alpha with {function.name}, got {alpha}")
    if function is Function.LEAKY_RELU:
        return _exact(_leaky_relu(x, y, alpha), y)
    if function is Function.HARD_SWISH:
        return _exact(_hard_swish(x, y), y)
    if function is Function.ELU:
        if not max(1.0, _SIZE * float(x.scale)) / float(y.scale) < 2.0**30:
            raise ModelError(f"an output scale of {y.scale} is too small for {function.name}")
    elif (y.scale, y.zero_point) != _OUTPUTS[function]:
        scale, zero_point = _OUTPUTS[function]
        raise ModelError(
            f"expected output scale {scale}, zero point {zero_point} of {function.name}, got "
            f"{y.scale}, {y.zero_point}"
        )
    scales = (float(x.scale), x.zero_point, float(y.scale), y.zero_point)
    return MadeTable(*function_table(function, *scales))


def _exact(steps: Ints, y: Tensor) -> MadeTable:
    values = np.clip(steps + y.zero_point, -128, 127).astype(np.int8)
    return MadeTable(values, values, values)


def _leaky_relu(x: Tensor, y: Tensor, alpha: np.float32) -> Ints:
    if not (np.isfinite(alpha) and alpha >= 0):
        raise ModelError(f"expected a finite alpha of at least 0, got {alpha}")
    s_x, s_y = np.float32(x.scale), np.float32(y.scale)
    with np.errstate(over="ignore", under="ignore"):
        scales = float(s_x * np.float32(alpha) / s_y), float(s_x / s_y)
    scalings = [quantize_multiplier(scale) for scale in scales]
    differences = (_EVERY_BYTE - x.zero_point).tolist()
    return np.array([_raw.requant(v, *scalings[v >= 0]) for v in differences], np.int64)


def _hard_swish(x: Tensor, y: Tensor) -> Ints:
    """x * relu6(x + 3) / 6 in int16, as TensorFlow Lite computes it."""
    fine = np.float32(x.scale) * np.float32(1 / 128)
    with np.errstate(over="ignore", under="ignore"):
        to_y = quantize_multiplier(float(fine / np.float32(y.scale)))
        to_relu = quantize_multiplier(float(fine / (np.float32(3) / np.float32(32768))))
    if not (-15 <= to_y.lshift <= 0 and to_relu.lshift >= -15):
        raise ModelError(
            f"scales {x.scale} and {y.scale}, at which HARD_SWISH of TensorFlow Lite is undefined"
        )
    v = (_EVERY_BYTE - x.zero_point) * 128
    relu = _hard_sigmoid(v, to_relu)
    product = relu * _mul_high_16(v, _rounded_to_16(to_y))
    return _rounded_shift(np.sign(product) * (np.abs(product) >> 15), -to_y.lshift)


def _hard_sigmoid(v: Ints, scaling: Multiplier) -> Ints:
    """relu6(x + 3) / 6 in Q0.15."""
    left = scaling.lshift
    shifted = np.clip(v << max(left - 1, 0), -(2**15), 2**15 - 1)
    scaled = _mul_high_16(shifted, _rounded_to_16(scaling))
    if left > 0:
        scaled = np.clip(2 * scaled, -(2**15), 2**15 - 1)
    return np.asarray((_rounded_shift(scaled, max(-left, 0)) + 2**15) >> 1)


def _rounded_to_16(scaling: Multiplier) -> int:
    return min((scaling.mult_q31 + 2**15) >> 16, 2**15 - 1)


def _mul_high_16(a: Ints, b: int) -> Ints:
    """The product's upper half, doubled, rounded half up."""
    return np.asarray((a * b + 2**14) >> 15)


def _rounded_shift(a: Ints, bits: int) -> Ints:
    """a / 2^bits, rounded half away from zero."""
    half = (1 << bits) >> 1
    return np.asarray(np.sign(a) * ((np.abs(a) + half) >> bits))


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp, function: Function) -> None:
    builder.expect_operands(op, (1,))
    source = builder.activation(op)
    target = builder.result(op, builder.tensors[source].shape)
    x, y = builder.int8_operands(op, source, target)
    alpha = _alpha(builder, op, function)
    try:
        values = make_table(function, x, y, alpha).values.tobytes()
    except ModelError as error:
        builder.unsupported(op, str(error))
    builder.ops.append(Table(source, target, function, values, alpha))


def _alpha(builder: Builder, op: RawOp, function: Function) -> np.float32:
    import tflite

    if function is not Function.LEAKY_RELU:
        return np.float32(0)
    options = builder.options(op, tflite.LeakyReluOptions)
    return np.float32(0 if options is None else options.Alpha())
