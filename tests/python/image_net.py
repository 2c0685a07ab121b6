"""Random networks of images to train: convolutions and pools of every kind, then dense layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.ops import Conv, Dense, Depthwise, Reshape, Softmax
from byteprop.ops.mean import Mean
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window

POOLS = {"max": PoolKind.MAX, "average": PoolKind.AVERAGE}


@dataclass(frozen=True)
class ImageNet:
    """What a network is made from. layers: of "conv", "depthwise", "max", "average" with a window
    (kernel, stride, padding) per axis, and "mean"."""

    layers: tuple[tuple[str, tuple[int, int, int], tuple[int, int, int]], ...]
    size: tuple[int, int, int] = (6, 5, 2)
    activation: Activation = Activation.RELU
    pool_activation: Activation = Activation.NONE
    channels: tuple[int, ...] = (4, 3, 5)
    per_channel: bool = False
    zero_points: bool = False
    classifier: bool = True
    hidden: int = 0  # units of a dense layer before the last one
    weight_limit: int = 60
    odd_scales: bool = False  # of outputs: no powers of two


class _Maker:
    def __init__(self, net: ImageNet, rng: np.random.Generator) -> None:
        self.net, self.rng = net, rng
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.tensor((1, *net.size), 1 / 64, -128)

    def tensor(self, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        name = f"t{len(self.tensors)}"
        self.tensors.append(Tensor(name, shape, DType.INT8, np.float32(scale), zero_point))
        return len(self.tensors) - 1

    def zero_point(self, usual: int) -> int:
        return int(self.rng.integers(-128, 128)) if self.net.zero_points else usual

    def scale(self, usual: float) -> float:
        return usual * 2 ** self.rng.uniform(-3, 3) if self.net.odd_scales else usual

    def scales(self, n: int) -> np.ndarray:
        spread = 2 ** self.rng.uniform(-1, 1, n) if self.net.per_channel else np.ones(n)
        return (spread / 64).astype(np.float32)

    def integers(self, limit: int, *shape: int) -> np.ndarray:
        return self.rng.integers(-limit, limit + 1, shape)

    def window(self, axes: list[tuple[int, int, int]]) -> tuple[Window, tuple[int, int]]:
        """The window, no larger than the image allows, and height and width of the output."""
        shape = self.tensors[-1].shape
        found, sizes = [], []
        for n, (kernel, stride, pad) in zip(shape[1:3], axes, strict=True):
            pad = min(pad, kernel - 1)
            kernel = min(kernel, n + 2 * pad)
            pad = min(pad, kernel - 1)
            found.append(Axis(kernel, stride, 1, pad))
            sizes.append((n + 2 * pad - kernel) // stride + 1)
        return Window(*found), (sizes[0], sizes[1])

    def convolution(self, kind: str, axes: list[tuple[int, int, int]], channels: int) -> None:
        x = len(self.tensors) - 1
        n_in, net = self.tensors[x].shape[3], self.net
        window, size = self.window(axes)
        taps = (window.height.kernel, window.width.kernel)
        n_out = n_in * (1 + channels % 2) if kind == "depthwise" else channels
        shape = (1, *taps, n_out) if kind == "depthwise" else (n_out, *taps, n_in)
        usual = -128 if net.activation is Activation.RELU else 3
        y = self.tensor((1, *size, n_out), self.scale(1 / 16), self.zero_point(usual))
        op = Depthwise if kind == "depthwise" else Conv
        weights = self.integers(net.weight_limit, *shape).astype(np.int8)
        bias = self.integers(400, n_out).astype(np.int32)
        self.ops.append(op(x, y, weights, bias, self.scales(n_out), window, net.activation))

    def pool(self, kind: str, axes: list[tuple[int, int, int]]) -> None:
        x = len(self.tensors) - 1
        source = self.tensors[x]
        window, size = self.window(axes)
        y = self.tensor((1, *size, source.shape[3]), float(source.scale), source.zero_point)
        self.ops.append(Pool(x, y, POOLS[kind], window, self.net.pool_activation))

    def mean(self) -> None:
        x = len(self.tensors) - 1
        shape = self.tensors[x].shape
        usual = -128 if self.net.activation is Activation.RELU else -100
        y = self.tensor((1, shape[3]), self.scale(1 / 32), self.zero_point(usual))
        self.ops.append(Mean(x, y, (1, 2)))

    def dense(self, n_out: int, activation: Activation) -> None:
        x = len(self.tensors) - 1
        source = self.tensors[x]
        if len(source.shape) > 2:
            self.tensor((1, source.elems), float(source.scale), source.zero_point)
            self.ops.append(Reshape(x, x + 1))
            x += 1
        zero_point = 0 if activation is Activation.NONE else -128
        y = self.tensor((1, n_out), self.scale(1 / 8), zero_point)
        weights = self.integers(self.net.weight_limit, n_out, source.elems).astype(np.int8)
        scales = self.scales(n_out if self.net.per_channel else 1)
        bias = np.zeros(n_out, np.int32)
        self.ops.append(Dense(x, y, weights, bias, scales, activation))


def image_graph(net: ImageNet, rng: np.random.Generator) -> Graph:
    make = _Maker(net, rng)
    for number, (kind, height, width) in enumerate(net.layers):
        if len(make.tensors[-1].shape) < 4:
            break
        if kind == "mean":
            if isinstance(make.ops[-1], (Conv, Depthwise)):
                make.mean()
        elif kind in POOLS:
            make.pool(kind, [height, width])
        else:
            make.convolution(kind, [height, width], net.channels[number % len(net.channels)])
    if net.hidden:
        make.dense(net.hidden, Activation.RELU)
    make.dense(3, Activation.NONE)
    if net.classifier:
        x = len(make.tensors) - 1
        make.tensor(make.tensors[x].shape, 1 / 256, -128)
        make.ops.append(Softmax(x, x + 1))
    return Graph(tuple(make.tensors), tuple(make.ops), (0,), (len(make.tensors) - 1,))
