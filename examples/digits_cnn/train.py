"""Makes digits_cnn.tflite: a convolutional network for 8x8 digits in an Arduino Uno's 2 KB of RAM.

    pip install scikit-learn
    python examples/digits_cnn/train.py

A 3x3 convolution to 4 channels, one to 12 with stride 2, and a dense layer. It is trained in float
here, with NumPy, on 1,437 of the 1,797 digits of scikit-learn, and made int8 with one scale per
channel. The other 360 digits are the test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import byteprop
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Dense, Reshape, Softmax
from byteprop.ops.conv import Conv
from byteprop.ops.window import Axis, Window

HERE = Path(__file__).parent
CHANNELS = (4, 12)
TEST = 360
EPOCHS = 60
BATCH = 32
RATE = 0.003
DECAY = 1e-4
SEED = 1

Parameters = list[np.ndarray]


def columns(x: np.ndarray) -> np.ndarray:
    """The 3x3 neighbourhood of every pixel, zeros outside: [n, height, width, 9 * channels]."""
    n, height, width, channels = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    parts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.concatenate(parts, axis=3).reshape(n, height, width, 9 * channels)


def columns_back(d: np.ndarray, channels: int) -> np.ndarray:
    """The gradient of `columns`."""
    n, height, width, _ = d.shape
    padded = np.zeros((n, height + 2, width + 2, channels))
    parts = d.reshape(n, height, width, 9, channels)
    for tap in range(9):
        i, j = divmod(tap, 3)
        padded[:, i : i + height, j : j + width] += parts[:, :, :, tap]
    return padded[:, 1:-1, 1:-1]


def forward(p: Parameters, x: np.ndarray) -> list[np.ndarray]:
    """Columns and outputs of every layer, the logits last."""
    c1 = columns(x)
    y1 = np.maximum(c1 @ p[0] + p[1], 0)
    c2 = columns(y1)[:, 1::2, 1::2]
    y2 = np.maximum(c2 @ p[2] + p[3], 0)
    return [c1, y1, c2, y2, y2.reshape(len(x), -1) @ p[4] + p[5]]


def gradients(p: Parameters, x: np.ndarray, y: np.ndarray) -> Parameters:
    """Of the mean cross-entropy."""
    c1, y1, c2, y2, logits = forward(p, x)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    d = e / e.sum(axis=1, keepdims=True)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    flat = y2.reshape(len(x), -1)
    d2 = (d @ p[4].T).reshape(y2.shape) * (y2 > 0)
    at_columns = np.zeros((*y1.shape[:3], len(p[2])))
    at_columns[:, 1::2, 1::2] = d2 @ p[2].T
    d1 = columns_back(at_columns, y1.shape[3]) * (y1 > 0)
    over = (0, 1, 2)
    return [
        np.tensordot(c1, d1, (over, over)), d1.sum(axis=over),
        np.tensordot(c2, d2, (over, over)), d2.sum(axis=over),
        flat.T @ d, d.sum(axis=0),
    ]  # fmt: skip


def trained(x: np.ndarray, y: np.ndarray) -> Parameters:
    """Adam, its rate falling to 0."""
    random = np.random.default_rng(SEED)
    a, b = CHANNELS
    shapes = ((9, a), (9 * a, b), (16 * b, 10))
    p: Parameters = []
    for n_in, n_out in shapes:
        p += [random.normal(0, np.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out)]
    mean, square = ([np.zeros_like(w) for w in p] for _ in range(2))
    steps = EPOCHS * (len(x) // BATCH)
    for step in range(steps):
        chosen = random.choice(len(x), BATCH, replace=False)
        rate = RATE * (1 - step / steps)
        for i, g in enumerate(gradients(p, x[chosen], y[chosen])):
            g = g + DECAY * p[i]
            mean[i] = 0.9 * mean[i] + 0.1 * g
            square[i] = 0.99 * square[i] + 0.01 * g * g
            m, v = mean[i] / (1 - 0.9 ** (step + 1)), square[i] / (1 - 0.99 ** (step + 1))
            p[i] = p[i] - rate * m / (np.sqrt(v) + 1e-8)
    return p


def quantized(p: Parameters, x: np.ndarray) -> byteprop.Model:
    """int8 with one scale per channel; ranges of activations are those of x."""
    _, y1, _, y2, logits = forward(p, x)
    a, b = CHANNELS
    relus = [np.float32(y.max() / 255) for y in (y1, y2)]
    widest = np.float32(np.abs(logits).max() / 127)
    tensors = (
        Tensor("pixels", (1, 8, 8, 1), DType.INT8, np.float32(1 / 255), -128),
        Tensor("conv1", (1, 8, 8, a), DType.INT8, relus[0], -128),
        Tensor("conv2", (1, 4, 4, b), DType.INT8, relus[1], -128),
        Tensor("features", (1, 16 * b), DType.INT8, relus[1], -128),
        Tensor("logits", (1, 10), DType.INT8, widest, 0),
        Tensor("classes", (1, 10), DType.INT8, np.float32(1 / 256), -128),
    )
    same = Window(Axis(3, pad=1), Axis(3, pad=1))
    halves = Window(Axis(3, stride=2), Axis(3, stride=2))
    layers = [
        integers(w, bias, tensors[t].scale)
        for w, bias, t in ((p[0], p[1], 0), (p[2], p[3], 1), (p[4], p[5], 3))
    ]
    (w1, b1, s1), (w2, b2, s2), (w3, b3, s3) = layers
    ops = (
        Conv(0, 1, w1.reshape(a, 3, 3, 1), b1, s1, same, Activation.RELU),
        Conv(1, 2, w2.reshape(b, 3, 3, a), b2, s2, halves, Activation.RELU),
        Reshape(2, 3),
        Dense(3, 4, w3, b3, s3),
        Softmax(4, 5),
    )
    return byteprop.Model(Graph(tensors, ops, (0,), (5,)))


def integers(
    w: np.ndarray, bias: np.ndarray, x_scale: np.float32
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights [n_out, n_in], biases and scales of a layer."""
    scales = (np.abs(w).max(axis=0) / 127).astype(np.float32)
    rows = np.round(w / scales).T.astype(np.int8)
    return np.ascontiguousarray(rows), np.round(bias / (scales * x_scale)).astype(np.int32), scales


def main() -> None:
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    pixels = np.round(digits.images[order][..., np.newaxis] * (255 / 16)).astype(np.uint8)
    x = pixels / 255
    y = digits.target[order]
    parameters = trained(x[TEST:], y[TEST:])
    model = quantized(parameters, x[TEST:])
    in_float = (forward(parameters, x[:TEST])[-1].argmax(axis=1) == y[:TEST]).mean()
    in_int8 = (model.predict(x[:TEST]).argmax(axis=1) == y[:TEST]).mean()
    print(f"accuracy on {TEST} test digits: float {in_float:.4f}, int8 {in_int8:.4f}")
    print(
        f"{model.macs:,} MACs, arena {model.arena_bytes:,} bytes, image {len(model.image):,} bytes"
    )
    model.save(HERE / "digits_cnn.tflite")
    np.savez_compressed(HERE / "digits_test.npz", x=pixels[:TEST], y=y[:TEST].astype(np.uint8))


if __name__ == "__main__":
    main()
