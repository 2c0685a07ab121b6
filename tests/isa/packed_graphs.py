"""Random graphs of one convolution, with what is hard for packed code: odd channels, groups,
dilation, padding, rows of zeros, constants beyond its conditions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.ops import Conv, Depthwise
from byteprop.ops.window import Axis, Window, pad_window

ACTIVATIONS = [Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1]

Bytes = npt.NDArray[np.int8]
Constants = tuple[Bytes, npt.NDArray[np.int32], npt.NDArray[np.float32]]


def graph_of(make: Callable[[int, int], Op], x: Tensor, y: Tensor) -> Graph:
    return Graph((x, y), (make(0, 1),), (0,), (1,))


def tensor(rng: np.random.Generator, name: str, shape: tuple[int, ...], scale: float) -> Tensor:
    zero_point = int(rng.choice([-128, 127, int(rng.integers(-128, 128))]))
    return Tensor(name, shape, DType.INT8, np.float32(scale), zero_point)


def constants(rng: np.random.Generator, shape: tuple[int, ...], axis: int) -> Constants:
    """Weights with -128 among them, rows of zeros and of extremes; biases; scales."""
    n_out = shape[axis]
    weights = rng.integers(-128, 128, shape)
    by_row = np.moveaxis(weights, axis, 0)
    for row in range(n_out):
        kind = rng.integers(8)
        if kind == 0:
            by_row[row] = 0
        elif kind == 1:
            by_row[row] = rng.choice([-128, 127])
    bias = rng.integers(-(2**31), 2**31, n_out) >> int(rng.integers(12, 30))
    scales = rng.uniform(2**-9, 0.02, n_out)
    return weights.astype(np.int8), bias.astype(np.int32), scales.astype(np.float32)


def output_scale(weights: Bytes, n_out: int) -> float:
    """That neither saturates all values nor makes them one."""
    return 0.1 * 0.01 * 60 * (weights.size / n_out) ** 0.5


def draw_window(
    rng: np.random.Generator, x: tuple[int, ...]
) -> tuple[Window, tuple[int, ...]] | None:
    axes = [
        Axis(int(rng.integers(1, 6)), int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3])))
        for _ in range(2)
    ]
    if rng.random() < 0.4:  # the usual one
        stride = int(rng.integers(1, 3))
        axes = [Axis(3, stride), Axis(3, stride)]
    made, positions = pad_window(Window(*axes), x, str(rng.choice(["SAME", "VALID"])))
    return (made, positions) if min(positions) >= 1 else None


def draw_convolution(rng: np.random.Generator, *, depthwise: bool) -> Graph | None:
    channels = int(rng.choice([1, 2, 3, 4, 7, 8, 15, 16, 17, 24, 32, 33, 64, 70]))
    batch = int(rng.choice([1, 1, 1, 3]))
    x_shape = (batch, int(rng.integers(1, 14)), int(rng.integers(1, 14)), channels)
    found = draw_window(rng, x_shape)
    if found is None:
        return None
    window, positions = found
    kernel = [axis.kernel for axis in window.axes]
    if depthwise:
        n_out = channels * int(rng.choice([1, 1, 1, 2, 3]))
        shape: tuple[int, ...] = (1, *kernel, n_out)
    else:
        groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0][:3]))
        n_out = groups * int(rng.choice([1, 3, 8, 9, 16, 17, 31, 33]))
        shape = (n_out, *kernel, channels // groups)
    weights, bias, scales = constants(rng, shape, 3 if depthwise else 0)
    x = tensor(rng, "x", x_shape, 0.1)
    y = tensor(rng, "y", (batch, *positions, n_out), output_scale(weights, n_out))
    activation = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
    kind = Depthwise if depthwise else Conv
    return graph_of(lambda a, b: kind(a, b, weights, bias, scales, window, activation), x, y)
