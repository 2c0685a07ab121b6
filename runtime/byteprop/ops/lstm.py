"""LSTM: UNIDIRECTIONAL_SEQUENCE_LSTM of int8 with a cell state of int16."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from byteprop.engine import _raw
from byteprop.graph.quantization import Multiplier, quantize_multiplier
from byteprop.graph.tensor import DType, Kind, Op, Tensor
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
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

GATES = ("input", "forget", "cell", "output")
MAX_CELLS = MAX_N_IN = _raw.const("BP_DENSE_MAX_INPUTS")
_GATE_SCALE = np.float32(2.0**-12)
_MAX_INTEGER_BITS = 6
_CELL_BYTES = 2
# Words of the record: of each gate, of h after them, of the weight scales.
_FIRST_GATE, _GATE_WORDS = 2, 8
_HIDDEN = _FIRST_GATE + _GATE_WORDS * len(GATES)
_SCALES = _HIDDEN + 2
# Operands of the op of a .tflite file.
_WEIGHTS, _RECURRENT, _BIAS, _HIDDEN_STATE, _CELL_STATE = 1, 5, 12, 18, 19
_REFUSED = {
    **dict.fromkeys((9, 10, 11), "peephole weights"),
    **dict.fromkeys((16, 17), "a projection"),
    **dict.fromkeys((20, 21, 22, 23), "layer normalization"),
}
_N_OPERANDS, _LEAST_OPERANDS = 24, 20


@dataclass(frozen=True)
class Lstm(Op):
    """Per gate (input, forget, cell, output): weights int8 [n_cell, n_in] with one scale, recurrent
    int8 [n_cell, n_cell] with one scale, bias int32 [n_cell] at scale s_x * s_w. hidden, cell: its
    states, int8 [batch, n_cell], and [batch, n_cell, 2] for int16. cell_clip: 0 for none."""

    hidden: int = 0
    cell: int = 0
    weights: tuple[Int8s, ...] = ()
    recurrent: tuple[Int8s, ...] = ()
    bias: tuple[Int32s, ...] = ()
    weight_scales: tuple[np.float32, ...] = ()
    recurrent_scales: tuple[np.float32, ...] = ()
    time_major: bool = False
    cell_clip: int = 0

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.input, self.hidden, self.cell)

    @property
    def outputs(self) -> tuple[int, ...]:
        return (self.output, self.hidden, self.cell)

    def renumbered(self, number: Mapping[int, int]) -> Lstm:
        moved = super().renumbered(number)
        return replace(moved, hidden=number[self.hidden], cell=number[self.cell])


class LstmSpec(OpSpec[Lstm]):
    name = "lstm"
    kind = Lstm
    takes = (
        "int8 with a cell of int16, one scale per matrix; no peepholes, projection or layer "
        "normalization"
    )

    def check(self, at: Placed[Lstm]) -> None:
        refuse_unless_int8(at)
        op = at.op
        x, hidden, cell = at.inputs
        n_cell, n_in = op.weights[0].shape if op.weights else (0, 0)
        if not (1 <= n_in <= MAX_N_IN and 1 <= n_cell <= MAX_CELLS):
            at.refuse(f"{n_cell} cells of {n_in} inputs; {MAX_CELLS} of {MAX_N_IN} are supported")
        for arrays, shape in ((op.weights, (n_cell, n_in)), (op.recurrent, (n_cell, n_cell)),
                              (op.bias, (n_cell,))):  # fmt: skip
            if len(arrays) != len(GATES) or any(a.shape != shape for a in arrays):
                at.refuse(f"expected {len(GATES)} arrays of shape {shape}")
        if len(x.shape) != 3 or x.shape[2] != n_in or at.y.shape != (*x.shape[:2], n_cell):
            at.refuse(f"from {x.shape} to {at.y.shape} with {n_cell} cells of {n_in} inputs")
        batch = x.shape[1 if op.time_major else 0]
        if hidden.shape != (batch, n_cell) or cell.shape != (batch, n_cell, _CELL_BYTES):
            at.refuse(f"states of shapes {hidden.shape} and {cell.shape}")
        if hidden.kind is not Kind.STATE or cell.kind is not Kind.STATE:
            at.refuse("expected two states")
        if (hidden.scale, hidden.zero_point) != (at.y.scale, at.y.zero_point):
            at.refuse("expected a hidden state with the output's scale and zero point")
        if not 0 <= op.cell_clip < 2**15:
            at.refuse(f"a cell_clip of {op.cell_clip}")
        _integer_bits(at)

    def params(self, at: Placed[Lstm]) -> Params:
        op = at.op
        found: list[bytes | Block] = [
            bytes((op.time_major, _integer_bits(at), 0, 0)), words(op.cell_clip),
        ]  # fmt: skip
        for gate in range(len(GATES)):
            found += _gate_params(at, gate)
        found.append(words(*_hidden_multiplier(at)))
        found += [float_bits(scale) for scale in (*op.weight_scales, *op.recurrent_scales)]
        return found

    def decode(self, record: Record) -> Lstm:
        x, hidden, cell = record.inputs
        n_in, n_cell = record.tensor(x).shape[-1], record.tensor(record.outputs[0]).shape[-1]
        weights, recurrent, bias = [], [], []
        for gate in range(len(GATES)):
            word = _FIRST_GATE + _GATE_WORDS * gate
            weights.append(matrix_of(record, word, n_cell, n_in))
            recurrent.append(matrix_of(record, word + 1, n_cell, n_cell))
            folded = record.array(word + 2, "<i4", n_cell)
            record.array(word + 3, "<i4", n_cell)
            bias.append(unfolded_bias(folded, _sums(weights[-1]), record.tensor(x).zero_point))
        scales = np.frombuffer(record.params, "<f4", 2 * len(GATES), WORD * _SCALES)
        return Lstm(
            x, record.outputs[0], hidden, cell, tuple(weights), tuple(recurrent), tuple(bias),
            tuple(scales[: len(GATES)]), tuple(scales[len(GATES) :]),
            bool(record.params[0]), record.i32(1),
        )  # fmt: skip

    def scratch_bytes(self, at: Placed[Lstm]) -> int:
        """The new hidden state, while the old one is still read."""
        return n_cells(at.op)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"UNIDIRECTIONAL_SEQUENCE_LSTM": Reader(_read, 4)}

    def write_tflite(self, at: Placed[Lstm], writer: Writer) -> None:
        op, (_, hidden, cell), name = at.op, at.inputs, at.y.name
        operands = [-1] * _N_OPERANDS
        operands[0] = writer.tensors[op.input]
        for gate, gate_name in enumerate(GATES):
            matrices = ((_WEIGHTS, op.weights, op.weight_scales, "weights"),
                        (_RECURRENT, op.recurrent, op.recurrent_scales, "recurrent"))  # fmt: skip
            for first, arrays, scales, what in matrices:
                full = f"{name}/{gate_name}/{what}"
                operands[first + gate] = writer.constant(full, arrays[gate], scales[gate])
            bias = op.bias[gate].astype("<i4")
            bias_scale = np.float32(at.x.scale) * op.weight_scales[gate]
            full = f"{name}/{gate_name}/bias"
            operands[_BIAS + gate] = writer.constant(full, bias, bias_scale)
        operands[_HIDDEN_STATE] = writer.variable(hidden, hidden.shape, "INT8")
        operands[_CELL_STATE] = writer.variable(cell, cell.shape[:2], "INT16")
        between = [writer.unscaled(f"{name}/gate{i}") for i in range(len(GATES))]
        between.append(writer.between(replace(at.y, name=f"{name}/hidden", shape=())))
        clip = float(op.cell_clip) * float(cell.scale)
        writer.op(
            "UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [writer.tensors[op.output]],
            intermediates=between, table="UnidirectionalSequenceLSTM",
            FusedActivationFunction=_TANH, CellClip=clip, TimeMajor=op.time_major,
        )  # fmt: skip

    def own_states(self, op: Lstm) -> tuple[int, ...]:
        return (op.hidden, op.cell)

    def macs(self, at: Placed[Lstm]) -> int:
        steps = at.y.elems // n_cells(at.op)
        return steps * self.weights(at.op)

    def weights(self, op: Lstm) -> int:
        return sum(int(w.size) for w in (*op.weights, *op.recurrent))

    def weight_bytes(self, op: Lstm) -> int:
        return self.weights(op) + WORD * sum(int(b.size) for b in op.bias)

    def detail(self, op: Lstm) -> tuple[str, ...]:
        return (f"{op.weights[0].shape[1]} -> {n_cells(op)}",)


_TANH = 4  # ActivationFunctionType


def n_cells(op: Lstm) -> int:
    """Cells of the layer, as many as outputs."""
    return len(op.bias[0])


def _sums(weights: Int8s) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    sums: np.ndarray[tuple[int], np.dtype[np.int64]] = weights.sum(axis=1, dtype=np.int64)
    return sums


def _integer_bits(at: Placed[Lstm]) -> int:
    """Of the cell state, whose scale must be a power of two."""
    fraction, exponent = math.frexp(float(at.inputs[2].scale))
    bits = 15 + exponent - 1
    if fraction != 0.5 or not 0 <= bits <= _MAX_INTEGER_BITS:
        at.refuse(
            f"a cell state with scale {at.inputs[2].scale:g}, expected a power of two from 2^-15 "
            f"to 2^{_MAX_INTEGER_BITS - 15}"
        )
    return bits


def _gate_multiplier(scale: np.float32, weight_scale: np.float32) -> Multiplier:
    """All in float32, to steps of 2^-12."""
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(np.float32(scale) * weight_scale / _GATE_SCALE))


def _hidden_multiplier(at: Placed[Lstm]) -> Multiplier:
    step = np.float32(2.0**-15)
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(step / np.float32(at.y.scale) * step))


def _gate_params(at: Placed[Lstm], gate: int) -> list[bytes | Block]:
    op, (x, hidden, _) = at.op, at.inputs
    weights, recurrent = op.weights[gate], op.recurrent[gate]
    bias = folded_bias(op.bias[gate], _sums(weights), x.zero_point)
    of_hidden = folded_bias(np.zeros_like(bias), _sums(recurrent), hidden.zero_point)
    return [
        Block(rows_of(weights).tobytes, WEIGHT_ALIGNMENT),
        Block(rows_of(recurrent).tobytes, WEIGHT_ALIGNMENT),
        Block(bias.astype("<i4").tobytes),
        Block(of_hidden.astype("<i4").tobytes, derived=True),
        words(*_gate_multiplier(x.scale, op.weight_scales[gate])),
        words(*_gate_multiplier(hidden.scale, op.recurrent_scales[gate])),
    ]


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, range(_LEAST_OPERANDS, _N_OPERANDS + 1))
    time_major, clip = _read_options(builder, op)
    for operand, what in _REFUSED.items():
        if builder.raw(op, operand) is not None:
            builder.unsupported(op, f"it has {what}")
    source = builder.activation(op)
    x = builder.tensors[source]
    if len(x.shape) != 3 or x.dtype is not DType.INT8:
        builder.unsupported(op, f"an input {x.dtype.name} {list(x.shape)}, expected INT8 of 3 axes")
    matrices = [_read_matrix(builder, op, _WEIGHTS + gate) for gate in range(len(GATES))]
    recurrent = [_read_matrix(builder, op, _RECURRENT + gate) for gate in range(len(GATES))]
    n_cell = len(matrices[0][0])
    if any(m.shape != (n_cell, x.shape[2]) for m, _ in matrices) or any(
        m.shape != (n_cell, n_cell) for m, _ in recurrent
    ):
        builder.fail(op, f"its weights do not go with an input {list(x.shape)}")
    target = builder.result(op, (*x.shape[:2], n_cell))
    states = _read_states(builder, op, builder.tensors[target], x.shape[1 if time_major else 0])
    bias = [read_bias(builder, op, n_cell, operand=_BIAS + gate) for gate in range(len(GATES))]
    hidden, cell = (builder.tensor(state) for state in states)
    builder.ops.append(
        Lstm(
            source,
            target,
            hidden,
            cell,
            weights=tuple(m for m, _ in matrices),
            recurrent=tuple(m for m, _ in recurrent),
            bias=tuple(np.zeros(n_cell, np.int32) if b is None else b for b in bias),
            weight_scales=tuple(s for _, s in matrices),
            recurrent_scales=tuple(s for _, s in recurrent),
            time_major=time_major,
            cell_clip=min(int(np.float32(clip) / states[1].scale), 2**15 - 1),
        )
    )


def _read_options(builder: Builder, op: RawOp) -> tuple[bool, float]:
    import tflite

    options = builder.options(op, tflite.UnidirectionalSequenceLSTMOptions)
    if options is None:
        builder.fail(op, "its options are missing")
    if options.FusedActivationFunction() != _TANH:
        builder.unsupported(op, "an activation other than TANH")
    clip = float(options.CellClip())
    if not (math.isfinite(clip) and clip >= 0):
        builder.fail(op, f"a cell_clip of {clip}")
    return bool(options.TimeMajor()), clip


def _read_matrix(builder: Builder, op: RawOp, operand: int) -> tuple[Int8s, np.float32]:
    if builder.raw(op, operand) is None:
        builder.unsupported(op, "a gate without weights (CIFG)")
    raw, weights = read_weights(builder, op, rank=2, operand=operand)
    return weights, read_one_scale(builder, op, raw)


def _read_states(builder: Builder, op: RawOp, y: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """The hidden state and the state of the cells, which nothing else reads."""
    n_cell = y.shape[-1]
    hidden = take_state(builder, op, _HIDDEN_STATE, "INT8", batch * n_cell)
    cell = take_state(builder, op, _CELL_STATE, "INT16", batch * n_cell)
    for scale, zero_point in (scale_of(builder, op, hidden), _hidden_scale(builder, op)):
        if (scale, zero_point) != (y.scale, y.zero_point):
            builder.unsupported(op, "a hidden state with another scale than the output's")
    cell_scale, cell_zero = scale_of(builder, op, cell)
    if cell_zero != 0:
        builder.unsupported(op, f"a zero point of {cell_zero} for {quoted(cell.name)}")
    plain = replace(y, kind=Kind.STATE, float_border=False)
    return (
        replace(plain, name=hidden.name, shape=(batch, n_cell)),
        replace(plain, name=cell.name, shape=(batch, n_cell, _CELL_BYTES), scale=cell_scale,
                zero_point=0),
    )  # fmt: skip


def _hidden_scale(builder: Builder, op: RawOp) -> tuple[np.float32, int]:
    """Of what becomes the output, which the file states apart."""
    if len(op.intermediates) <= len(GATES):
        builder.fail(op, f"{len(op.intermediates)} intermediate tensors, expected {len(GATES) + 1}")
    return scale_of(builder, op, builder.model.tensors[op.intermediates[len(GATES)]])
