"""LSTM, in NumPy; docs/numerics.md, section LSTM."""

from __future__ import annotations

import math

import numpy as np

from byteprop.graph.tensor import Tensor
from byteprop.ops.lstm import Lstm
from byteprop.reference.fixed import Ints, multiplier, requant, round_shift, wrap_int32

_MAX = 32767
_EXPONENTIALS = (25520, 19875, 12055, 4435, 600, 11, 0)


def run(op: Lstm, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: y, and the states after it."""
    values, h, cells = x
    source, hidden, cell = inputs
    n_samples, n_cell = len(values), outputs[0].shape[-1]
    rows = values.reshape(n_samples, *source.shape)
    if not op.time_major:
        rows = rows.swapaxes(1, 2)
    batch = rows.shape[2]
    h = h.reshape(n_samples, batch, n_cell)
    pairs = cells.reshape(n_samples, batch, n_cell, 2)
    c = 256 * pairs[..., 1] + (pairs[..., 0] & 255)
    layer = _Layer(op, source, hidden, cell)
    steps = []
    for t in range(rows.shape[1]):
        h, c = layer.step(rows[:, t], h, c)
        steps.append(h)
    y = np.stack(steps, axis=1)
    if not op.time_major:
        y = y.swapaxes(1, 2)
    low = ((c & 255) + 128 & 255) - 128
    pairs = np.stack([low, c >> 8], axis=-1)
    # -1 would not do: NumPy cannot tell the size of rows when there are none.
    return [each.reshape(n_samples, math.prod(each.shape[1:])) for each in (y, h, pairs)]


class _Layer:
    def __init__(self, op: Lstm, x: Tensor, hidden: Tensor, cell: Tensor) -> None:
        self._op, self._x, self._hidden = op, x, hidden
        self._bits = 15 + round(math.log2(float(cell.scale)))
        step = np.float32(2.0**-15)
        self._scale = multiplier(float(step / np.float32(hidden.scale) * step))

    def step(self, x: Ints, h: Ints, c: Ints) -> tuple[Ints, Ints]:
        into, keep, value, out = (self._sum(gate, x, h) for gate in range(4))
        kept = round_shift(logistic(keep) * c, 15)
        added = round_shift(logistic(into) * tanh(value, 3), 15 + self._bits)
        c = _sat16(kept + added)
        if self._op.cell_clip:
            c = np.clip(c, -self._op.cell_clip, self._op.cell_clip)
        product = logistic(out) * tanh(c, self._bits)
        y = requant(product, *self._scale) + self._hidden.zero_point
        return np.clip(y, -128, 127), c

    def _sum(self, gate: int, x: Ints, h: Ints) -> Ints:
        op = self._op
        weights, recurrent = (m[gate].astype(np.int64) for m in (op.weights, op.recurrent))
        of_x = (x - self._x.zero_point) @ weights.T + op.bias[gate].astype(np.int64)
        of_h = (h - self._hidden.zero_point) @ recurrent.T
        scale_x = np.float32(self._x.scale) * op.weight_scales[gate] / np.float32(2.0**-12)
        scale_h = np.float32(self._hidden.scale) * op.recurrent_scales[gate] / np.float32(2.0**-12)
        first = _sat16(requant(wrap_int32(of_x), *multiplier(float(scale_x))))
        return _sat16(requant(wrap_int32(of_h), *multiplier(float(scale_h))) + first)


def _sat16(x: Ints) -> Ints:
    return np.clip(x, -_MAX - 1, _MAX)


def _times(a: Ints, b: Ints | int) -> Ints:
    """Of Q15 numbers: a * b / 2^15, halves upwards."""
    return (a * b + (1 << 14)) >> 15


def _exp(a: Ints, bits: int) -> Ints:
    """exp of a <= 0 with this many integer bits, in Q0.15."""
    fraction = 15 - bits
    quarter = 1 << (fraction - 2)
    rest = a % quarter - quarter
    x = (rest << bits) + 4096
    x2 = _times(x, x)
    x3, x4 = _times(x2, x), _times(x2, x2)
    tail = round_shift(_times(round_shift(x4, 2) + x3, 10923) + x2, 1)
    y = _sat16(28918 + _times(x + tail, 28918))
    for i, power in enumerate(_EXPONENTIALS[: bits + 2]):
        y = np.where((rest - a) & (quarter << i), _times(y, power), y)
    if bits > 5:
        y = np.where(a < -(32 << fraction), 0, y)
    return np.where(a == 0, _MAX, y)


def _two_by_one_plus(a: Ints) -> Ints:
    """2 / (1 + a) of a in Q0.15, in Q2.13."""
    half = (a + _MAX + 1) // 2
    x = 23130 + _times(half, -15420)
    for _ in range(3):
        x = x + _sat16(4 * _times(x, 8192 - _times(half, x)))
    return x


def logistic(x: Ints) -> Ints:
    """Q3.12 to Q0.15."""
    above = _sat16(2 * _two_by_one_plus(_exp(-np.abs(x), 3)))
    return np.where(x == 0, 1 << 14, np.where(x > 0, above, _MAX - above))


def tanh(x: Ints, bits: int) -> Ints:
    """A number with this many integer bits to Q0.15."""
    y = _sat16(4 * (_two_by_one_plus(_exp(-np.abs(x), bits + 1)) - 8192))
    return np.where(x == 0, 0, np.where(x > 0, y, -y))
