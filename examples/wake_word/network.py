"""The network: three convolutions over time. Trained on windows of 59 frames of features, and run
as a stream of 3 frames (60 ms) per step.

A streaming network computes each value once. What a convolution needs of the past is state: a
tensor that has the last rows, to which each step appends new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop import audio
from byteprop.graph import Graph, Kind, Op, Tensor
from byteprop.ops import Conv
from byteprop.ops.push import Push
from byteprop.ops.window import Axis, Window
from byteprop.quantizer import FloatConv, FloatLayer

Floats = npt.NDArray[np.float32]
Parameters = list[Floats]

CLASSES = ("quiet", "speech", "hey byteprop")
STEP = 3  # frames
# Of each convolution: rows that it sees, rows from one output to the next, channels.
LAYERS = ((5, STEP, 32), (5, 1, 32), (15, 1, 40))
FRAMES = 5 + STEP * (5 - 1) + STEP * (15 - 1)
# Features as real numbers (octaves of power) are about as large as this.
MEAN, SPREAD = 13.0, 5.0


def initial(seed: int) -> Parameters:
    """Weights [inputs, outputs] and biases of each layer."""
    draw = np.random.default_rng(seed)
    found: Parameters = []
    n_in = audio.BANDS
    for rows, _, n_out in (*LAYERS, (1, 1, len(CLASSES))):
        size = np.sqrt(2 / (rows * n_in))
        found.append(draw.normal(0, size, (rows * n_in, n_out)).astype(np.float32))
        found.append(np.zeros(n_out, np.float32))
        n_in = n_out
    return found


def _columns(x: Floats, rows: int, stride: int) -> Floats:
    """What each output sees: [n, outputs, rows * channels]."""
    windows = np.lib.stride_tricks.sliding_window_view(x, rows, axis=1)[:, ::stride]
    return windows.swapaxes(2, 3).reshape(len(x), -1, rows * x.shape[2])


def _columns_back(d: Floats, shape: tuple[int, ...], rows: int, stride: int) -> Floats:
    """The gradient of `_columns`."""
    found = np.zeros(shape, np.float32)
    parts = d.reshape(*d.shape[:2], rows, shape[2])
    for row in range(rows):
        found[:, row : row + stride * d.shape[1] : stride] += parts[:, :, row]
    return found


def probabilities(p: Parameters, x: Floats) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """Of windows [n, FRAMES, bands] in octaves; and the columns and the input of every layer."""
    y, kept = ((x - MEAN) / SPREAD).astype(np.float32), []
    for i, (rows, stride, _) in enumerate(LAYERS):
        columns = _columns(y, rows, stride)
        kept.append((columns, y))
        y = np.maximum(columns @ p[2 * i] + p[2 * i + 1], 0)
    flat = y.reshape(len(x), -1)
    kept.append((flat, y))
    logits = flat @ p[-2] + p[-1]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True), kept


def gradients(p: Parameters, x: Floats, labels: npt.NDArray[np.int64]) -> tuple[float, Parameters]:
    """The loss, and its gradients."""
    shares, kept = probabilities(p, x)
    loss = -np.log(shares[np.arange(len(x)), labels] + 1e-9).mean()
    d = (shares - np.eye(len(CLASSES), dtype=np.float32)[labels]) / len(x)
    flat, y = kept[-1]
    found = [flat.T @ d, d.sum(axis=0)]
    d = (d @ p[-2].T).reshape(y.shape)
    for i in reversed(range(len(LAYERS))):
        rows, stride, n_out = LAYERS[i]
        columns, below = kept[i]
        d = d * (y > 0)
        wide = columns.reshape(-1, columns.shape[2])
        found = [wide.T @ d.reshape(-1, n_out), d.sum(axis=(0, 1)), *found]
        if i > 0:
            d, y = _columns_back(d @ p[2 * i].T, below.shape, rows, stride), below
    return float(loss), found


def fit(
    p: Parameters,
    batch: Callable[[], tuple[Floats, npt.NDArray[np.int64]]],
    steps: int,
    rate: float = 2e-3,
    decay: float = 1e-3,
    show: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Adam, with a rate that falls as a cosine; changes p."""
    moments = [(np.zeros_like(x), np.zeros_like(x)) for x in p]
    mean_loss = 1.0
    for step in range(1, steps + 1):
        loss, changes = gradients(p, *batch())
        mean_loss += 0.02 * (loss - mean_loss)
        now = rate * (0.5 + 0.5 * np.cos(np.pi * step / steps)) * min(1, step / 50)
        for x, change, (first, second) in zip(p, changes, moments, strict=True):
            first += 0.1 * (change - first)
            second += 0.001 * (change**2 - second)
            size = np.sqrt(second / (1 - 0.999**step)) + 1e-8
            x -= np.float32(now) * (first / (1 - 0.9**step) / size + decay * x * (x.ndim > 1))
        show(step, mean_loss)


def layers(p: Parameters) -> list[FloatConv | FloatLayer]:
    """For byteprop.quantize: the inputs' mean and spread become part of the first layer."""
    found: list[FloatConv | FloatLayer] = []
    n_in = audio.BANDS
    for i, (rows, stride, n_out) in enumerate(LAYERS):
        weights, bias = p[2 * i].astype(np.float64), p[2 * i + 1].astype(np.float64)
        if i == 0:
            weights = weights / SPREAD
            bias = bias - MEAN * weights.sum(axis=0)
        shape = (rows, 1, n_in, n_out)
        found.append(FloatConv(weights.reshape(shape), bias, "relu", (stride, 1), "valid"))
        n_in = n_out
    return [*found, FloatLayer(p[-2], p[-1], "softmax")]


def quantized(p: Parameters, windows: npt.NDArray[np.int8]) -> byteprop.Model:
    """The int8 model of windows [FRAMES, 1, bands]. Its input takes features as they are."""
    reals = octaves(windows)[:, :, None, :]
    # The ends of the range fix the input's scale at that of features.
    ends = np.stack([np.full_like(reals[0], x) for x in (0, 255 * audio.SCALE)])
    model = byteprop.quantize(layers(p), np.concatenate([reals, ends]))
    x = model.graph.tensors[model.graph.inputs[0]]
    assert (float(x.scale), x.zero_point) == (audio.SCALE, audio.ZERO_POINT)
    return model


def octaves(features: npt.NDArray[np.int8]) -> Floats:
    """Features as real numbers."""
    return (features.astype(np.float32) - audio.ZERO_POINT) * np.float32(audio.SCALE)


def streaming(model: byteprop.Model) -> byteprop.Model:
    """The same network with state: int8 [1, STEP, 1, bands] per step. After FRAMES frames it gives
    what the model gives for the last FRAMES frames."""
    graph = model.graph
    tensors, ops = list(graph.tensors), []
    tensors[graph.inputs[0]] = replace(tensors[graph.inputs[0]], shape=(1, STEP, 1, audio.BANDS))
    for op in graph.ops:
        if isinstance(op, Conv):
            op = _with_state(op, tensors, ops)
        ops.append(op)
    return byteprop.Model(Graph(tuple(tensors), tuple(ops), graph.inputs, graph.outputs))


def _with_state(op: Conv, tensors: list[Tensor], ops: list[Op]) -> Conv:
    """The convolution of the last rows of its input; what appends a step's rows goes before it."""
    rows = op.window.height.kernel
    new = tensors[op.input]
    state = replace(new, name=f"{new.name}/past", shape=(1, rows, 1, new.shape[3]), kind=Kind.STATE)
    tensors.append(state)
    ops.append(Push(len(tensors) - 1, len(tensors) - 1, op.input))
    y = tensors[op.output]
    tensors[op.output] = replace(y, shape=(1, 1, 1, y.shape[3]))
    return replace(op, input=len(tensors) - 1, window=Window(Axis(rows), Axis(1)))
