"""Svdf: SVDF of int8, filters over the last inputs whose values are kept in int16 or int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.graph.quantization import Multiplier, quantize_multiplier
from byteprop.graph.tensor import Activation, DType, Kind, Op, Tensor
from byteprop.ops.spec import (
    WEIGHT_ALIGNMENT,
    WORD,
    Block,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    float_bits,
    refuse_unless_int8,
    words,
)
from byteprop.ops.states import scale_of, take_state
from byteprop.ops.weights import (
    Int8s,
    Int32s,
    folded_bias,
    matrix_of,
    read_bias,
    read_one_scale,
    read_weights,
    rows_of,
    unfolded_bias,
)
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp, RawTensor
    from byteprop.tflite.writer import Writer

TimeWeights = npt.NDArray[np.int8] | npt.NDArray[np.int16]

MAX_N_IN = _raw.const("BP_DENSE_MAX_INPUTS")
MAX_FILTERS = MAX_MEMORY = _raw.const("BP_DENSE_MAX_OUTPUTS")
# Words of the record.
_FEATURES, _TIME, _BIAS, _SCALES = 1, 3, 4, 9
# Operands of the op of a .tflite file.
_FEATURE_OPERAND, _TIME_OPERAND, _BIAS_OPERAND, _STATE_OPERAND, _N_OPERANDS = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Svdf(Op):
    """features: int8 [n_filter, n_in]; time: int16 or int8 [n_filter, n_memory], with one scale
    each; bias: int32 [n_unit], n_filter = rank * n_unit. state: int8 [batch, n_filter, n_memory,
    bytes of a value], the last values of each filter."""

    state: int = 0
    features: Int8s = None  # type: ignore[assignment]
    time: TimeWeights = None  # type: ignore[assignment]
    bias: Int32s = None  # type: ignore[assignment]
    feature_scale: np.float32 = np.float32(1)
    time_scale: np.float32 = np.float32(1)
    rank: int = 1

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.input, self.state)

    @property
    def outputs(self) -> tuple[int, ...]:
        return (self.output, self.state)

    def renumbered(self, number: Mapping[int, int]) -> Svdf:
        return replace(super().renumbered(number), state=number[self.state])


class SvdfSpec(OpSpec[Svdf]):
    name = "svdf"
    kind = Svdf
    takes = (
        "int8 with time weights and a state of int16, or both of int8; one scale per matrix; "
        "fused RELU"
    )

    def check(self, at: Placed[Svdf]) -> None:
        refuse_unless_int8(at)
        op, (x, state) = at.op, at.inputs
        (n_filter, n_in), n_memory = op.features.shape, op.time.shape[-1]
        if not (
            1 <= n_in <= MAX_N_IN and 1 <= n_filter <= MAX_FILTERS and 1 <= n_memory <= MAX_MEMORY
        ):
            at.refuse(
                f"{n_filter} filters of {n_in} inputs and {n_memory} steps; {MAX_FILTERS} of "
                f"{MAX_N_IN} and {MAX_MEMORY} are supported"
            )
        if not 1 <= op.rank <= n_filter or n_filter % op.rank:
            at.refuse(f"{n_filter} filters of rank {op.rank}")
        n_unit = n_filter // op.rank
        if op.time.shape != (n_filter, n_memory) or op.bias.shape != (n_unit,):
            at.refuse(f"time weights {op.time.shape} and biases {op.bias.shape}")
        if len(x.shape) != 2 or x.shape[1] != n_in or at.y.shape != (x.shape[0], n_unit):
            at.refuse(f"from {x.shape} to {at.y.shape} with {n_unit} units of {n_in} inputs")
        if state.shape != (x.shape[0], n_filter, n_memory, op.time.dtype.itemsize):
            at.refuse(f"a state of shape {state.shape}")
        if state.kind is not Kind.STATE:
            at.refuse(f"expected a state, got a tensor of kind {state.kind.name}")
        if state.zero_point != 0 and op.time.dtype.itemsize > 1:
            at.refuse(f"expected a state of int16 with the zero point 0, got {state.zero_point}")

    def params(self, at: Placed[Svdf]) -> Params:
        op, (x, state) = at.op, at.inputs
        scales = (x.scale, op.feature_scale, state.scale), (state.scale, op.time_scale, at.y.scale)
        time, bias = op.time, op.bias
        return [
            words(op.rank),
            Block(rows_of(op.features).tobytes, WEIGHT_ALIGNMENT),
            Block(_feature_bias(op, x).astype("<i4").tobytes, derived=True),
            Block(time.astype(time.dtype.newbyteorder("<")).tobytes, WEIGHT_ALIGNMENT),
            Block(folded_bias(bias, _time_sums(op), state.zero_point).astype("<i4").tobytes),
            words(*_multiplier(*scales[0])),
            words(*_multiplier(*scales[1])),
            float_bits(op.feature_scale),
            float_bits(op.time_scale),
        ]

    def decode(self, record: Record) -> Svdf:
        x, state = record.inputs
        n_in, n_unit = record.tensor(x).shape[1], record.tensor(record.outputs[0]).shape[1]
        _, n_filter, n_memory, width = record.tensor(state).shape
        features = matrix_of(record, _FEATURES, n_filter, n_in)
        time = record.array(_TIME, f"<i{width}", n_filter * n_memory)
        folded = record.array(_BIAS, "<i4", n_unit)
        scales = np.frombuffer(record.params, "<f4", 2, WORD * _SCALES)
        made = Svdf(
            x, record.outputs[0], state, features,
            time.reshape(n_filter, n_memory), folded, scales[0], scales[1], record.u32(0),
        )  # fmt: skip
        zero_point = record.tensor(state).zero_point
        return replace(made, bias=unfolded_bias(folded, _time_sums(made), zero_point))

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"SVDF": Reader(_read, 4)}

    def write_tflite(self, at: Placed[Svdf], writer: Writer) -> None:
        op, state, name = at.op, at.inputs[1], at.y.name
        batch, n_filter, n_memory, width = state.shape
        bias_scale = np.float32(state.scale) * op.time_scale
        operands = [
            writer.tensors[op.input],
            writer.constant(f"{name}/features", op.features, op.feature_scale),
            writer.constant(f"{name}/time", op.time, op.time_scale),
            writer.constant(f"{name}/bias", op.bias.astype("<i4"), bias_scale),
            writer.variable(state, (batch, n_filter * n_memory), f"INT{8 * width}"),
        ]
        writer.op(
            "SVDF", operands, [writer.tensors[op.output]], version=3, table="SVDF",
            Rank=op.rank, FusedActivationFunction=writer.fused(Activation.RELU),
        )  # fmt: skip

    def own_states(self, op: Svdf) -> tuple[int, ...]:
        return (op.state,)

    def macs(self, at: Placed[Svdf]) -> int:
        return at.x.shape[0] * self.weights(at.op)

    def weights(self, op: Svdf) -> int:
        return int(op.features.size + op.time.size)

    def weight_bytes(self, op: Svdf) -> int:
        return int(op.features.nbytes + op.time.nbytes) + WORD * int(op.bias.size)

    def activation(self, op: Svdf) -> Activation:
        return Activation.RELU

    def detail(self, op: Svdf) -> tuple[str, ...]:
        n_filter, n_in = op.features.shape
        return (f"{n_in} -> {n_filter // op.rank}", f"rank {op.rank}", f"{op.time.shape[1]} steps")


def _time_sums(op: Svdf) -> npt.NDArray[np.int64]:
    """Of the time weights of each unit's filters."""
    sums: npt.NDArray[np.int64] = op.time.reshape(len(op.bias), -1).sum(axis=1, dtype=np.int64)
    return sums


def _feature_bias(op: Svdf, x: Tensor) -> Int32s:
    """What folding the input's zero point into the features gives."""
    sums = op.features.sum(axis=1, dtype=np.int64)
    return folded_bias(np.zeros(len(sums), np.int32), sums, x.zero_point)


def _scale(x: np.float32, weights: np.float32, y: np.float32) -> float:
    """All in float32."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(x) * np.float32(weights) / np.float32(y))


def _multiplier(x: np.float32, weights: np.float32, y: np.float32) -> Multiplier:
    return quantize_multiplier(_scale(x, weights, y))


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (_N_OPERANDS,))
    rank = _read_rank(builder, op)
    source = builder.activation(op)
    x = builder.tensors[source]
    if len(x.shape) != 2 or x.dtype is not DType.INT8:
        builder.unsupported(op, f"an input {x.dtype.name} {list(x.shape)}, expected INT8 of 2 axes")
    raw, features = read_weights(builder, op, rank=2, operand=_FEATURE_OPERAND)
    n_filter = len(features)
    if rank < 1 or n_filter % rank or features.shape[1] != x.shape[1]:
        builder.fail(op, f"{n_filter} filters of rank {rank} for an input {list(x.shape)}")
    time_raw, time = _read_time(builder, op, n_filter)
    target = builder.result(op, (x.shape[0], n_filter // rank))
    x, y = builder.int8_operands(op, source, target)
    state = _read_state(builder, op, x.shape[0], time)
    bias = read_bias(builder, op, n_filter // rank, operand=_BIAS_OPERAND)
    feature_scale, time_scale = (read_one_scale(builder, op, each) for each in (raw, time_raw))
    builder.expect_multiplier(op, _scale(x.scale, feature_scale, state.scale))
    builder.expect_multiplier(op, _scale(state.scale, time_scale, y.scale))
    builder.ops.append(
        Svdf(
            source,
            target,
            builder.tensor(state),
            features,
            time,
            np.zeros(n_filter // rank, np.int32) if bias is None else bias,
            feature_scale,
            time_scale,
            rank,
        )
    )


def _read_rank(builder: Builder, op: RawOp) -> int:
    """TensorFlow Lite runs the op in int8 with RELU alone, which is what int8 clamps to."""
    import tflite

    options = builder.options(op, tflite.SVDFOptions)
    if options is None:
        builder.fail(op, "its options are missing")
    activation = builder.fused_activation(op, options.FusedActivationFunction())
    if activation is not Activation.RELU:
        builder.unsupported(op, f"fused activation {activation.name}; supported is RELU")
    return int(options.Rank())


def _read_time(builder: Builder, op: RawOp, n_filter: int) -> tuple[RawTensor, TimeWeights]:
    raw = builder.required(op, _TIME_OPERAND)
    if raw.index in builder.values or raw.data is None:
        builder.unsupported(op, f"its time weights {quoted(raw.name)} are not constant")
    if raw.type_name not in ("INT8", "INT16"):
        builder.unsupported(op, f"its time weights {quoted(raw.name)} are {raw.type_name}")
    if len(raw.shape) != 2 or raw.shape[0] != n_filter or raw.shape[1] < 1:
        builder.fail(op, f"its time weights have the shape {list(raw.shape)}")
    time: TimeWeights = builder.constant(op, raw, "<i2" if raw.type_name == "INT16" else "<i1")
    return raw, time


def _read_state(builder: Builder, op: RawOp, batch: int, time: TimeWeights) -> Tensor:
    """The last values of the filters, which nothing else reads."""
    kind = f"INT{8 * time.dtype.itemsize}"
    raw = take_state(builder, op, _STATE_OPERAND, kind, batch * time.size)
    scale, zero_point = scale_of(builder, op, raw)
    if (zero_point != 0 and kind == "INT16") or not -128 <= zero_point <= 127:
        builder.unsupported(op, f"a zero point of {zero_point} for {quoted(raw.name)}")
    shape = (batch, *time.shape, time.dtype.itemsize)
    return Tensor(raw.name, shape, DType.INT8, scale, zero_point, kind=Kind.STATE)
