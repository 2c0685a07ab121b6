"""Training in NumPy, written from docs/numerics.md alone: a second opinion on what the C trainer
does with the weights. Arithmetic is in int64, where nothing wraps; the names are the page's.

It shares no arithmetic with the C code. Settings and counters are the records of the C interface,
so that both trainers take and give the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import MAX_LAYERS, Config, Counters
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Activation, Graph, Kind, Op
from byteprop.ops import Dense, Rescale, Reshape, Softmax
from byteprop.ops.add import Add
from byteprop.ops.concatenate import Concatenate
from byteprop.ops.conv import Conv
from byteprop.ops.convolution import Convolution
from byteprop.ops.depthwise import Depthwise
from byteprop.ops.mean import Mean
from byteprop.ops.pad import Pad
from byteprop.ops.pool import Pool
from byteprop.ops.transpose_conv import TransposeConv
from byteprop.reference import backward, dense, fixed, rescaling, run
from byteprop.reference.reals import Real
from byteprop.reference.reals import block_scaled as _block_scaled
from byteprop.reference.reals import div as _div
from byteprop.reference.reals import mul as _mul
from byteprop.reference.reals import mulsat as _mulsat
from byteprop.reference.reals import real_of_float32 as _real_of_float32
from byteprop.reference.reals import real_of_integer as _real_of_integer

__all__ = ["Config", "Counters", "Masters", "ReferenceTrainer", "Result", "draw"]

Ints = npt.NDArray[np.int64]

_UINT32 = (1 << 32) - 1
_WEIGHT_MIN, _WEIGHT_MAX = -32640, 32639
_BIAS_MAX = (1 << 31) - 256
_GRADIENT_MAX = (1 << 31) - 65536
_WIDEST_SUM = 511  # products of a delta and a weight that stay within 31 bits
_MOST_OUTPUTS = 32767
_MOST_MOMENTUM_SHIFT = 15
_GOLDEN = 0x9E3779B9
_EXP2 = np.array([round(32768 * 2 ** (-i / 256)) for i in range(256)], np.int64)
_SMALLEST_EXPONENT, _LARGEST_EXPONENT = -125, 128  # of float32's normal numbers, as reals


@dataclass(frozen=True)
class Result:
    """Of one sample. Cross-entropy: loss in 1/256 bit. MSE: squared errors, predicted 0."""

    loss: int
    predicted: int = 0
    correct: bool = False


@dataclass(frozen=True)
class Masters:
    """A layer's weights W = 256 * Wh + Wl, bias B, and what is accumulated, G and GB."""

    weights: Ints
    bias: Ints
    gradient: Ints
    bias_gradient: Ints


_LOG2_E = Real(np.asarray(1549082005, np.int64), np.asarray(1, np.int64))
_ONE = _real_of_integer(1)
_FIRST_CONV = 256
_JOINS: tuple[type[Op], ...] = (Add, Concatenate)
_LAYERS: tuple[type[Op], ...] = (Dense, Conv, Depthwise, Pool, Mean, Pad, *_JOINS)
_FROZEN = -1  # in place of a layer
_MOST_STEPS = 64


# The rounding generator.


def _fmix32(h: int) -> int:
    h ^= h >> 16
    h = h * 0x85EBCA6B & _UINT32
    h ^= h >> 13
    h = h * 0xC2B2AE35 & _UINT32
    return h ^ (h >> 16)


def draw(seed: int, step: int, layer: int, row: int) -> int:
    """32 bits that depend on the four numbers alone."""
    h = seed
    for v in (step, layer, row):
        h = _fmix32(h ^ ((v * 0x85EBCA77 + 0x9E3779B1) & _UINT32))
    return h


# The layers.


@dataclass
class _Layer:
    """A layer while it is trained: with weights in rows, [rows, weights of a row], or without."""

    op_index: int
    op: Op
    x: int  # tensor indices
    y: int
    number: int  # for the generator
    frozen: bool
    W: Ints
    B: Ints
    G: Ints
    GB: Ints
    weight_scales: npt.NDArray[np.float32]
    sources: tuple[int, ...] = ()  # of each input, the layer that it is the output of, or _FROZEN
    operands: tuple[int, ...] = ()  # and its tensor, before any reshapes
    saturated: int = 0  # since the scales were revised
    largest: int = 0
    # of the last sample
    u: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    q: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def Wh(self) -> Ints:
        return (self.W + 128) >> 8

    @property
    def b(self) -> Ints:
        return (self.B + 128) >> 8

    @property
    def has_weights(self) -> bool:
        return isinstance(self.op, (Dense, Convolution))

    @property
    def has_own_scale(self) -> bool:
        """Its output's scale is not that of its input."""
        return self.has_weights or isinstance(self.op, (Mean, Add))

    @property
    def op_now(self) -> Op:
        """The op with the weights, biases and scales as trained."""
        if not isinstance(self.op, (Dense, Convolution)):
            return self.op
        now = replace(
            self.op,
            weights=backward.weights_of(self.op, self.Wh.astype(np.int8)),
            bias=self.b.astype(np.int32),
            weight_scales=self.weight_scales.copy(),
        )
        if isinstance(now, Dense):
            return replace(now, has_bias=now.has_bias or not self.frozen)
        return now


def _layer_of(graph: Graph, op_index: int, number: int, frozen: bool) -> _Layer:
    op = graph.ops[op_index]
    if not isinstance(op, (Dense, Convolution)):
        rows, values = np.zeros((0, 1), np.int64), np.zeros(0, np.int64)
        return _Layer(
            op_index, op, op.input, op.output, 0, True, rows, values, rows, values,
            np.ones(1, np.float32),
        )  # fmt: skip
    W, B = backward.rows_of(op).astype(np.int64) * 256, op.bias.astype(np.int64) * 256
    if (np.abs(op.bias.astype(np.int64)) >= 1 << 23).any():
        raise TrainingError("a bias of 2^23 or more in magnitude cannot be trained", op=op_index)
    return _Layer(
        op_index, op, op.input, op.output, number, frozen, W, B,
        np.zeros_like(W), np.zeros_like(B), op.weight_scales.copy(),
    )  # fmt: skip


class ReferenceTrainer:
    """Trains a graph one sample at a time. TrainingError when it cannot be trained."""

    def __init__(self, graph: Graph, config: Config) -> None:
        if config.batch < 1 or not 0 <= config.momentum_shift <= _MOST_MOMENTUM_SHIFT:
            raise ArgumentError(
                f"config: expected a batch of 1 or more and momentum_shift of "
                f"0..{_MOST_MOMENTUM_SHIFT}, got {config.batch} and {config.momentum_shift}"
            )
        self.config = config
        self._graph = graph
        self._tensors = list(graph.tensors)
        first = _first_trained(graph, config)
        _check_chain(graph, first)
        self._layers = _layers_of(graph, config, first)
        self._is_classifier = any(isinstance(op, Softmax) for op in graph.ops[first:])
        outside = {t for k in self._layers for at, t in _inputs(k) if at == _FROZEN}
        features = graph.ops[first].input
        self._frozen_part = replace(
            graph, ops=graph.ops[:first], outputs=(features, *sorted(outside - {features}))
        )
        self._outside: dict[int, Ints] = {}  # what the frozen part computes of a sample
        _check_layers(graph, self._layers)
        if config.window:
            _check_window(graph, self._layers)
        trained = [at for at, layer in enumerate(self._layers) if not layer.frozen]
        self._lowest = min(trained, default=len(self._layers))
        self._counters = Counters(*[0] * len(fields(Counters)))
        self._fill = 0
        self._window_samples = 0
        self._echo: Ints = np.zeros(1, np.int64)  # an autoencoder's target

    # What came of it.

    @property
    def counters(self) -> Counters:
        return self._counters

    @property
    def masters(self) -> tuple[Masters, ...]:
        return tuple(
            Masters(k.W.copy(), k.B.copy(), k.G.copy(), k.GB.copy())
            for k in self._layers
            if k.has_weights
        )

    @property
    def graph(self) -> Graph:
        """The graph as trained so far."""
        ops: list[Op] = list(self._graph.ops)
        for k in self._layers:
            if k.has_weights:
                ops[k.op_index] = k.op_now
        return replace(self._graph, tensors=tuple(self._tensors), ops=tuple(ops))

    # Samples.

    def sample(
        self, x: npt.NDArray[np.generic], label_or_target: int | npt.ArrayLike, lr_q24: int
    ) -> Result:
        """Learns from one sample. Cross-entropy: a label; MSE: targets [n_out] in s_y * 2^-16."""
        return self._sample_of(self._first_input(x), self._wanted(label_or_target), lr_q24)

    def _sample_of(self, features: Ints, wanted: Ints, lr_q24: int) -> Result:
        if self._fill == 0 and self.config.momentum_shift:
            self._decay()
        result, delta, s_delta = self._forward(features, wanted, learns=True)
        rate = _div(
            _real_of_integer(lr_q24).scaled(-24 - self.config.rate_shift),
            _real_of_integer(self.config.batch),
        )
        self._backward(delta, s_delta, rate)
        self._count(samples=1)
        self._window_samples += 1
        self._fill += 1
        if self._fill == self.config.batch:
            self._end_batch()
        return result

    def evaluate(self, x: npt.NDArray[np.generic], label_or_target: int | npt.ArrayLike) -> Result:
        """The loss of one sample, from which nothing is learned."""
        wanted = self._wanted(label_or_target)
        return self._forward(self._first_input(x), wanted, learns=False)[0]

    def flush(self) -> None:
        """The update of a batch that is not full."""
        if self._fill:
            self._end_batch()

    def _wanted(self, label_or_target: int | npt.ArrayLike) -> Ints:
        n_out = len(self._layers[-1].B)
        if self.config.autoencoder:
            return np.zeros(n_out, np.int64)
        wanted = np.asarray(label_or_target, np.int64)
        if self._is_classifier and (wanted.shape or not 0 <= wanted < n_out):
            raise ArgumentError(f"label: expected 0..{n_out - 1}, got {wanted}")
        if not self._is_classifier and wanted.shape != (n_out,):
            raise ArgumentError(f"target: expected {n_out} values, got shape {wanted.shape}")
        return wanted

    def _count(self, **more: int) -> None:
        counts = {
            name: (getattr(self._counters, name) + int(n)) & _UINT32 for name, n in more.items()
        }
        self._counters = replace(self._counters, **counts)

    # Forward.

    def _forward(self, features: Ints, wanted: Ints, *, learns: bool) -> tuple[Result, Ints, Real]:
        """Result, deltas of the last layer and what one of them stands for."""
        counts = learns and self.config.window > 0
        self._outside[self._frozen_part.outputs[0]] = features
        for k in self._layers:
            inputs = [
                self._outside[t] if at == _FROZEN else self._layers[at].q for at, t in _inputs(k)
            ]
            k.u = inputs[0] - self._tensors[k.x].zero_point
            if k is self._layers[-1]:
                break
            k.q = self._dense(k) if isinstance(k.op, Dense) else self._run_alone(k, inputs)
            if counts and k.has_own_scale:
                self._note_hidden(k)
        last = self._layers[-1]
        if not self._is_classifier:
            return self._squared_error(last, wanted)
        acc = self._accumulators(last)
        if counts:
            self._note_logits(last, acc)
        return self._cross_entropy(last, acc, int(wanted))

    def _run_alone(self, k: _Layer, inputs: list[Ints]) -> Ints:
        """As inference does."""
        op = k.op_now
        alone = Graph(tuple(self._tensors), (op,), op.inputs, (k.y,))
        sources = [self._tensors[t] for t in op.inputs]
        x = [
            q.astype(source.dtype.numpy).reshape(source.shape)
            for q, source in zip(inputs, sources, strict=True)
        ]
        return run(alone, x)[0].reshape(-1).astype(np.int64)

    def _first_input(self, x: npt.NDArray[np.generic]) -> Ints:
        inputs, at = [], 0
        given = np.asarray(x).reshape(-1)
        if self.config.autoencoder:
            self._echo = self._target_of(given)
        for index in self._graph.inputs:
            tensor = self._tensors[index]
            part = given[at : at + tensor.elems].view(tensor.dtype.numpy)
            inputs.append(part.reshape(tensor.shape))
            at += tensor.elems
        values = [q.reshape(-1).astype(np.int64) for q in run(self._frozen_part, inputs)]
        self._outside = dict(zip(self._frozen_part.outputs, values, strict=True))
        return values[0]

    def _target_of(self, x: npt.NDArray[np.generic]) -> Ints:
        """The input as targets, in s_y * 2^-16."""
        source = self._tensors[self._graph.inputs[0]]
        u = x.view(source.dtype.numpy).astype(np.int64) - source.zero_point
        ratio = _div(self._scale(self._graph.inputs[0]), self._scale(self._layers[-1].y))
        return _mulsat(u, ratio.scaled(16), 1 << 30)

    def _accumulators(self, k: _Layer) -> Ints:
        return fixed.wrap_int32(k.b + _dot(k.Wh, k.u))

    def _multipliers(self, k: _Layer) -> tuple[Ints, Ints]:
        """With one scale for all weights."""
        assert isinstance(k.op, (Dense, Convolution))
        op = replace(k.op, weight_scales=k.weight_scales)
        if isinstance(op, Convolution):
            scales = rescaling.conv_scales(op, self._tensors[k.x], self._tensors[k.y])
        else:
            scales = dense.dense_scales(op, self._tensors[k.x], self._tensors[k.y])
        pairs = np.array([fixed.multiplier(scale) for scale in scales], np.int64)
        return pairs[:, 0], pairs[:, 1]

    def _dense(self, k: _Layer) -> Ints:
        target = self._tensors[k.y]
        y = fixed.requant(self._accumulators(k), *self._multipliers(k)) + target.zero_point
        return np.clip(y, *fixed.output_range(_activation(k.op), target))

    def _note_hidden(self, k: _Layer) -> None:
        target = self._tensors[k.y]
        k.saturated += int((k.q == fixed.output_range(_activation(k.op), target)[1]).sum())
        k.largest = max(k.largest, int(k.q.max()) - target.zero_point)

    def _note_logits(self, k: _Layer, acc: Ints) -> None:
        q = np.abs(fixed.requant(acc, *self._multipliers(k)))
        k.saturated += int((q > 127).sum())
        k.largest = max(k.largest, int(q.max()))

    # Losses.

    def _scale(self, tensor: int) -> Real:
        return _real_of_float32(self._tensors[tensor].scale)

    def _cross_entropy(self, k: _Layer, acc: Ints, label: int) -> tuple[Result, Ints, Real]:
        s_acc = _mul(self._scale(k.x), _real_of_float32(k.weight_scales))
        v = _mulsat(acc, _mul(s_acc, _LOG2_E).scaled(8), 1 << 23)
        t = v.max() - v
        shift = t >> 8
        E = np.where(shift > 15, 0, _EXP2[t & 255] >> np.minimum(shift, 15))
        S = int(E.sum())
        delta = ((E << 15) + S // 2) // S
        delta[label] -= 32768
        predicted = int(v.argmax())
        loss = int(t[label]) + _log2_q8(S)
        return Result(loss, predicted, predicted == label), delta, _ONE.scaled(-15)

    def _squared_error(self, k: _Layer, target: Ints) -> tuple[Result, Ints, Real]:
        s_y = self._scale(k.y)
        s_acc = _mul(self._scale(k.x), _real_of_float32(k.weight_scales))
        A = np.clip(k.B + _dot(k.W, k.u), -(1 << 31), (1 << 31) - 1)
        error = _mulsat(A, _div(s_acc, s_y).scaled(8), 1 << 30) - target - self._echo
        delta = np.clip(error, -((1 << 31) - 1), (1 << 31) - 1)
        loss = min(sum(int(d) ** 2 for d in delta), (1 << 64) - 1)
        return Result(loss), delta, _div(s_y, _real_of_integer(len(delta))).scaled(-15)

    # Backward and update.

    def _backward(self, delta: Ints, s_delta: Real, rate: Real) -> None:
        arrived: list[list[tuple[Ints, Real]]] = [[] for _ in self._layers]
        for at in range(len(self._layers) - 1, self._lowest - 1, -1):
            k = self._layers[at]
            is_last = at == len(self._layers) - 1
            if not is_last:
                h, unit = _joined(arrived[at])
                delta, e = _block_scaled(self._masked(at, h))
                s_delta = unit.scaled(e)
            if any(source >= self._lowest for source in k.sources):
                is_wide = is_last and not self._is_classifier
                sent = self._through(k, delta, s_delta, is_wide)
                for source, errors in zip(k.sources, sent, strict=True):
                    if source >= self._lowest:
                        arrived[source].append(errors)
            if k.has_weights and not k.frozen:
                self._learn(k, delta, s_delta, rate)

    def _through(
        self, k: _Layer, delta: Ints, s_delta: Real, is_wide: bool
    ) -> list[tuple[Ints, Real]]:
        """h and its unit for each input."""
        if isinstance(k.op, Dense):
            return [_through(k, delta, s_delta, is_wide)]
        source, target = self._tensors[k.x], self._tensors[k.y]
        if isinstance(k.op, (*_JOINS, Pad)):
            shapes = [self._tensors[t].shape for t in k.op.inputs]
            parts = backward.split(k.op, delta.reshape(target.shape), shapes)
            return [(part.reshape(-1), s_delta) for part in parts]
        q = k.u + source.zero_point
        h, unit = backward.down(
            k.op_now, delta.reshape(target.shape[1:]), s_delta, q.reshape(source.shape[1:]),
            k.Wh, k.weight_scales,
        )  # fmt: skip
        return [(h.reshape(-1), unit)]

    def _masked(self, at: int, h: Ints) -> Ints:
        """The errors of a layer's output, 0 where it is at an end of its activation's range."""
        k = self._layers[at]
        q = k.q
        # A maximum is one of the values below, which were clamped there.
        while backward.is_plain_maximum(k.op) and k.sources[0] != _FROZEN:
            k = self._layers[k.sources[0]]
        activation = _activation(k.op)
        y_min, y_max = fixed.output_range(activation, self._tensors[k.y])
        passes = np.ones(len(h), bool)
        if activation is not Activation.NONE:
            passes = (q != y_min) & (q != y_max)
        return np.where(passes, h, 0)

    def _learn(self, k: _Layer, delta: Ints, s_delta: Real, rate: Real) -> None:
        s_step = _mul(rate, s_delta)
        s_x, s_w = self._scale(k.x), _real_of_float32(k.weight_scales)
        M = _mul(_div(s_x, s_w).scaled(24), s_step)
        MB = _mul(_div(_ONE, _mul(s_x, s_w)).scaled(8), s_step)
        if isinstance(k.op, Dense):
            c = _mulsat(delta, M, 1 << 22)
            changes, is_wanted = c[:, None] * k.u, delta != 0
            gb, rows = delta, np.flatnonzero(c)
            vanished = (is_wanted & (c == 0)).sum()
        else:
            source, target = self._tensors[k.x], self._tensors[k.y]
            g, gb, n = backward.gradient(
                k.op_now, delta.reshape(target.shape[1:]), k.u.reshape(source.shape[1:])
            )
            M = Real(np.broadcast_to(M.m, len(g))[:, None], np.broadcast_to(M.e, len(g))[:, None])
            changes = _mulsat(g, M.scaled(n), 1 << 30)
            rows = np.arange(len(g))
            vanished = ((g != 0).any(axis=1) & (changes == 0).all(axis=1)).sum()
        cb = _mulsat(gb, MB, 1 << 30)
        self._count(vanished=vanished)
        if self._accumulates:
            k.G = np.clip(k.G + changes, -_GRADIENT_MAX, _GRADIENT_MAX)
            k.GB = np.clip(k.GB + cb, -_GRADIENT_MAX, _GRADIENT_MAX)
        else:
            k.B = np.clip(k.B - cb, -_BIAS_MAX, _BIAS_MAX)
            self._step_weights(k, rows, changes[rows])

    @property
    def _accumulates(self) -> bool:
        return self.config.batch > 1 or self.config.momentum_shift > 0

    def _step_weights(self, k: _Layer, rows: Ints, g: Ints) -> None:
        """g: what W loses, times 2^16. Weights whose g is 0 stay as they are."""
        bits, unit = (16, 1) if self.config.residual else (24, 256)
        low, high = (_WEIGHT_MIN, _WEIGHT_MAX) if self.config.residual else (-127, 127)
        old = k.W[rows] // unit
        new = old - ((g + self._rounding(k, rows, g.shape[1], bits)) >> bits)
        new = np.where(g == 0, old, new)
        clamped = np.where(g == 0, old, np.clip(new, low, high))
        self._count(saturated_weights=(clamped != new).sum())
        k.W[rows] = clamped * unit

    def _rounding(self, k: _Layer, rows: Ints, n_in: int, bits: int) -> Ints:
        if self.config.nearest:
            return np.full((1, 1), 1 << (bits - 1), np.int64)
        step = self._counters.steps
        s = [draw(self.config.seed, step, k.number, int(row)) for row in rows]
        weyl = np.arange(n_in, dtype=np.int64) * _GOLDEN
        return ((np.array(s, np.int64)[:, None] + weyl) & _UINT32) >> (32 - bits)

    def _decay(self) -> None:
        shift = self.config.momentum_shift
        half = 1 << (shift - 1)
        for k in self._layers:
            if not k.frozen:
                k.G = k.G - ((k.G + half) >> shift)
                k.GB = k.GB - ((k.GB + half) >> shift)

    def _end_batch(self) -> None:
        if self._accumulates:
            for k in self._layers:
                if not k.frozen:
                    self._update_from_gradient(k)
        self._fill = 0
        self._count(steps=1)
        if self.config.window and self._counters.steps % self.config.window == 0:
            self._revise_scales()

    def _update_from_gradient(self, k: _Layer) -> None:
        k.B = np.clip(k.B - k.GB, -_BIAS_MAX, _BIAS_MAX)
        self._step_weights(k, np.arange(len(k.B)), k.G)
        if not self.config.momentum_shift:
            k.G[:] = 0
            k.GB[:] = 0

    # Scales.

    def _revise_scales(self) -> None:
        for number, k in enumerate(self._layers):
            is_last = number == len(self._layers) - 1
            if k.has_own_scale and (not is_last or self._is_classifier):
                self._revise_activation(k, 60 if is_last else 120)
        for k in self._layers:
            if not k.frozen and np.abs(k.W).max() >= 30720:
                self._double_weight_scale(k)
        self._count(
            saturated_activations=sum(k.saturated for k in self._layers[:-1]),
            saturated_logits=self._layers[-1].saturated,
        )
        for k in self._layers:
            k.saturated = k.largest = 0
        self._window_samples = 0

    def _revise_activation(self, k: _Layer, little: int) -> None:
        n_out = self._tensors[k.y].elems
        if (k.saturated & _UINT32) * 16384 > self._window_samples * n_out:
            change = 1
        elif 0 < k.largest < little:
            change = -1
        else:
            return
        moved = rescaling.with_the_scale_of(self._graph, k.y)
        readers = [op for op in self._graph.ops if moved & {*op.inputs}]
        fits = all(_stays_normal(self._tensors[t].scale, change) for t in moved)
        if not (fits and all(self._fits(op, moved, change) for op in (k.op, *readers))):
            return
        for t in moved:
            scale = _times_pow2(self._tensors[t].scale, change)
            self._tensors[t] = replace(self._tensors[t], scale=scale)
        for upper in self._layers:
            if upper.x in moved and upper.has_weights:
                upper.B = _halved_or_doubled(upper.B, change)
                upper.GB = _halved_or_doubled(upper.GB, change)
        self._count(rescales=1)

    def _fits(self, op: Op, moved: set[int], change: int) -> bool:
        """The multipliers of an op can follow when the scales of these tensors change."""
        by = change * ((op.input in moved) - (op.output in moved))
        if isinstance(op, Softmax):
            return self._softmax_shift_fits(change)
        if isinstance(op, Mean):
            return rescaling.mean_fits(op, self._tensors, by)
        if isinstance(op, Add):
            return rescaling.sum_fits(op, self._tensors, moved, change)
        k = next((k for k in self._layers if k.has_weights and k.y == op.output), None)
        return k is None or self._shift_fits(k, by)

    def _double_weight_scale(self, k: _Layer) -> None:
        if not (_stays_normal(k.weight_scales[0], 1) and self._shift_fits(k, 1)):
            return
        k.weight_scales = k.weight_scales * np.float32(2)
        if self.config.residual:
            k.W = (k.W + 1) >> 1
        else:
            k.W = ((k.W >> 8) + 1) >> 1 << 8
        k.B = (k.B + 1) >> 1
        k.G = (k.G + 1) >> 1
        k.GB = (k.GB + 1) >> 1
        self._count(rescales=1)

    def _shift_fits(self, k: _Layer, change: int) -> bool:
        mult_q31, lshift = (int(values[0]) for values in self._multipliers(k))
        return mult_q31 != 0 and -31 <= lshift + change <= 30

    def _softmax_shift_fits(self, change: int) -> bool:
        op = next(op for op in reversed(self._graph.ops) if isinstance(op, Softmax))
        real = float(op.beta) * float(self._tensors[op.input].scale) * 2.0**26
        return 2 <= fixed.multiplier(real)[1] + change <= 30


# Helpers on arrays.


def _dot(w: Ints, u: Ints) -> Ints:
    """Exact in double: every partial sum is an integer below 65,532 * 255 * 2^15 < 2^53."""
    product = w.astype(np.float64) @ u.astype(np.float64)
    return product.astype(np.int64)


def _log2_q8(S: int) -> int:
    """log2(S / 2^15) in 1/256, for S >= 2^15."""
    n = S.bit_length() - 1
    z, fraction = S >> (n - 15), 0
    for bit in reversed(range(8)):
        z = z * z >> 15
        if z >= 65536:
            z >>= 1
            fraction |= 1 << bit
    return (n - 15) * 256 + fraction


def _through(k: _Layer, delta: Ints, s_delta: Real, is_wide: bool) -> tuple[Ints, Real]:
    """The errors at a layer's input. is_wide: deltas have 32 bits yet."""
    s_w = _real_of_float32(k.weight_scales)
    s_wmax = _real_of_float32(k.weight_scales.max())
    exponent, halvings = 0, 0
    if is_wide:
        delta, exponent = _block_scaled(delta)
    if len(k.weight_scales) > 1:
        delta = _mulsat(delta, _div(s_w, s_wmax), 32768)
    while _WIDEST_SUM << halvings < len(delta):
        halvings += 1
    if halvings:
        delta = (delta + (1 << (halvings - 1))) >> halvings
    return _dot(k.Wh.T, delta), _mul(s_delta, s_wmax).scaled(exponent + halvings)


def _halved_or_doubled(bias: Ints, change: int) -> Ints:
    """The bias whose scale changes by 2^change."""
    return (bias + 1) >> 1 if change > 0 else np.clip(2 * bias, -_BIAS_MAX, _BIAS_MAX)


def _times_pow2(scale: np.float32, exponent: int) -> np.float32:
    return np.float32(np.ldexp(scale, exponent))


def _stays_normal(scale: np.float32, change: int) -> bool:
    exponent = int(_real_of_float32(scale).e) + change
    return _SMALLEST_EXPONENT <= exponent <= _LARGEST_EXPONENT


# What can be trained.


def _first_trained(graph: Graph, config: Config) -> int:
    """Index of the first op that is trained, of the last dense layer if none is."""
    numbers = _numbers(graph)
    dense = [i for i, op in enumerate(graph.ops) if isinstance(op, Dense)]
    if not dense:
        raise TrainingError("there is no dense layer to train")
    return next((i for i in numbers if _is_trained(graph, config, i)), dense[-1])


def _numbers(graph: Graph) -> dict[int, int]:
    """Of each op with weights: its number among the dense layers, or among the convolutions."""
    counts = {Dense: 0, Convolution: 0}
    numbers = {}
    for i, op in enumerate(graph.ops):
        for kind in counts:
            if isinstance(op, kind) and not isinstance(op, TransposeConv):
                numbers[i] = counts[kind]
                counts[kind] += 1
    return numbers


def _is_trained(graph: Graph, config: Config, index: int) -> bool:
    numbers = _numbers(graph)
    if isinstance(graph.ops[index], Dense):
        return not config.frozen >> numbers[index] & 1
    behind = sum(i > index and not isinstance(graph.ops[i], Dense) for i in numbers)
    return behind < config.convs


def _layers_of(graph: Graph, config: Config, first: int) -> list[_Layer]:
    numbers = _numbers(graph)
    layers = []
    for i, op in enumerate(graph.ops[first:], first):
        if isinstance(op, (Dense, Convolution)):
            number = numbers[i] + (0 if isinstance(op, Dense) else _FIRST_CONV)
            layers.append(_layer_of(graph, i, number, not _is_trained(graph, config, i)))
        elif isinstance(op, _LAYERS):
            layers.append(_layer_of(graph, i, 0, True))
    if len(layers) > _MOST_STEPS:
        raise TrainingError(f"{len(layers)} layers; 1..{_MOST_STEPS} can be trained")
    _connect(graph, first, layers)
    weighted = sum(k.has_weights for k in layers)
    if weighted > MAX_LAYERS:
        raise TrainingError(f"{weighted} layers with weights; 1..{MAX_LAYERS} can be trained")
    return layers


def _connect(graph: Graph, first: int, layers: list[_Layer]) -> None:
    """Fills where the inputs of the layers come from."""
    writers = {op.output: i for i, op in enumerate(graph.ops) if i >= first}
    numbers = {k.op_index: at for at, k in enumerate(layers)}
    read: set[int] = set()
    for at, k in enumerate(layers):
        operands, sources = [], []
        for t in k.op.inputs:
            while t in writers and isinstance(graph.ops[writers[t]], Reshape):
                t = graph.ops[writers[t]].input
            operands.append(t)
            sources.append(numbers[writers[t]] if t in writers else _FROZEN)
        k.operands, k.sources = tuple(operands), tuple(sources)
        if any(graph.tensors[t].kind is Kind.CONSTANT for t in operands):
            raise TrainingError("a constant input cannot be trained", op=k.op_index)
        read.update(sources)
        is_chained = at == 0 or k.sources == (at - 1,)
        if not is_chained and not any(isinstance(other.op, _JOINS) for other in layers):
            raise TrainingError("branches that nothing joins cannot be trained", op=k.op_index)
    if not set(range(len(layers) - 1)) <= read:
        raise TrainingError("a layer whose output nothing reads")


def _inputs(k: _Layer) -> list[tuple[int, int]]:
    """Layer and tensor of each input."""
    return list(zip(k.sources, k.operands, strict=True))


def _joined(arrived: list[tuple[Ints, Real]]) -> tuple[Ints, Real]:
    """The errors of an output, from all that read it."""
    if len(arrived) == 1:
        return arrived[0]
    parts = []
    for h, unit in arrived:
        d, e = _block_scaled(h)
        parts.append((d, unit.scaled(e)))
    units = [unit for _, unit in parts]
    greatest = max(units, key=lambda unit: (int(unit.e), int(unit.m)))
    total = sum(_mulsat(d, _div(unit, greatest), 32768) for d, unit in parts)
    return np.asarray(total), greatest


def _activation(op: Op) -> Activation:
    return getattr(op, "activation", Activation.NONE)


def _check_chain(graph: Graph, first: int) -> None:
    """From op `first` on, layers and at most one Softmax behind a dense one, with Reshapes
    anywhere; the last op may be a QUANTIZE."""
    if len(graph.outputs) != 1:
        raise TrainingError("a model with one output can be trained")
    if any(tensor.kind is Kind.STATE for tensor in graph.tensors):
        raise TrainingError("a model with state cannot be trained")
    previous = graph.ops[first].input
    before: Op | None = None
    joins = any(isinstance(op, _JOINS) for op in graph.ops[first:])
    for index, op in enumerate(graph.ops[first:], first):
        is_activation = isinstance(op, Rescale) and op.activation is not Activation.NONE
        is_last_quantize = isinstance(op, Rescale) and index == len(graph.ops) - 1
        fits = isinstance(op, (*_LAYERS, Reshape)) or is_last_quantize
        if isinstance(before, Softmax):
            fits = isinstance(op, Reshape) or is_last_quantize
        if isinstance(op, Softmax):
            fits = isinstance(before, Dense)
        is_next = previous in op.inputs or (joins and isinstance(op, (*_LAYERS, Reshape)))
        if not is_next or is_activation or not fits:
            raise TrainingError(f"op {index} {type(op).__name__} cannot be trained", op=index)
        if isinstance(op, Softmax) and op.beta != 1:
            raise TrainingError(f"op {index} Softmax: beta {op.beta}, trained is 1", op=index)
        if isinstance(op, Reshape):
            previous = op.output if op.input == previous else previous
            continue
        inputs = [graph.tensors[t] for t in op.inputs]
        problem = backward.problem(op, inputs, graph.tensors[op.output])
        if problem:
            raise TrainingError(f"op {index} {type(op).__name__}: {problem}", op=index)
        before, previous = op, op.output
    if graph.outputs[0] != previous:
        raise TrainingError("the output of the last op is not the model's output")


def _check_layers(graph: Graph, layers: list[_Layer]) -> None:
    for k in layers:
        if not isinstance(k.op, Dense):
            continue
        source, target = graph.tensors[k.x], graph.tensors[k.y]
        if target.elems != len(k.B) or len(k.B) > _MOST_OUTPUTS:
            raise TrainingError(
                f"a dense layer of one row and up to {_MOST_OUTPUTS} outputs can be trained",
                op=k.op_index,
            )
        for scale in (source.scale, target.scale, *k.weight_scales):
            if not np.float32(scale) >= np.finfo(np.float32).tiny:
                raise TrainingError(f"scale {scale} is not normal", op=k.op_index)
        if k.op.activation is Activation.RELU_0_TO_1:
            raise TrainingError("a dense layer with RELU_0_TO_1 cannot be trained", op=k.op_index)
    last = layers[-1]
    if not isinstance(last.op, Dense):
        raise TrainingError("the last layer is not a dense one", op=last.op_index)
    if last.op.activation is not Activation.NONE:
        raise TrainingError("the last dense layer has an activation", op=last.op_index)


def _check_window(graph: Graph, layers: list[_Layer]) -> None:
    for k in layers:
        is_uneven = isinstance(k.op, Add) and not rescaling.is_even(k.op, graph.tensors)
        if isinstance(k.op, (Pad, Concatenate)) or is_uneven:
            raise TrainingError(
                "scales are revised without padding and concatenation, in sums of scales that are "
                "powers of two of each other", op=k.op_index,
            )  # fmt: skip
    for k in layers[:-1]:
        activation = _activation(k.op)
        is_plain = activation is Activation.NONE and isinstance(k.op, (Pool, Mean))
        if not (is_plain or activation is Activation.RELU) or graph.tensors[k.y].zero_point != -128:
            raise TrainingError(
                "scales are revised for hidden layers of ReLU with zero point -128", op=k.op_index
            )
    last = layers[-1]
    if graph.tensors[last.y].zero_point != 0:
        raise TrainingError("scales are revised for outputs of zero point 0", op=last.op_index)
    for k in layers:
        if len(set(k.weight_scales.tolist())) > 1:
            raise TrainingError("scales are revised for one scale a tensor", op=k.op_index)
