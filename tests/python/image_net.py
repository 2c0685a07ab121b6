"""Random networks of images to train: convolutions and pools of every kind, branches and what
joins them, then dense layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.ops import Conv, Dense, Depthwise, Reshape, Softmax
from byteprop.ops.add import Add
from byteprop.ops.concatenate import Concatenate
from byteprop.ops.mean import Mean
from byteprop.ops.pad import Pad
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window

POOLS = {"max": PoolKind.MAX, "average": PoolKind.AVERAGE}


@dataclass(frozen=True)
class ImageNet:
    """What a network is made from. layers: of "conv", "depthwise", "max", "average" with a window
    (kernel, stride, padding) per axis, and "mean"; "pad" by the paddings; "add", "sub" and "concat"
    with an earlier image; "back", from which on layers read an earlier image."""

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
    even: bool = False  # sums as networks from scratch have them


class _Maker:
    def __init__(self, net: ImageNet, rng: np.random.Generator) -> None:
        self.net, self.rng = net, rng
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.x = self.tensor((1, *net.size), 1 / 64, -128)

    @property
    def source(self) -> Tensor:
        return self.tensors[self.x]

    def add_op(self, op: Op) -> None:
        self.ops.append(op)
        self.x = op.output

    def tensor(self, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        name = f"t{len(self.tensors)}"
        self.tensors.append(Tensor(name, shape, DType.INT8, np.float32(scale), zero_point))
        return len(self.tensors) - 1

    def zero_point(self, usual: int) -> int:
        return int(self.rng.integers(-128, 128)) if self.net.zero_points else usual

    def scale(self, usual: float) -> float:
        return usual * 2 ** self.rng.uniform(-3, 3) if self.net.odd_scales else usual

    def sum_scale(self) -> float:
        return 2.0 ** int(self.rng.integers(-7, -1)) if self.net.even else 1 / 12

    def scales(self, n: int) -> np.ndarray:
        spread = 2 ** self.rng.uniform(-1, 1, n) if self.net.per_channel else np.ones(n)
        return (spread / 64).astype(np.float32)

    def integers(self, limit: int, *shape: int) -> np.ndarray:
        return self.rng.integers(-limit, limit + 1, shape)

    def window(self, axes: list[tuple[int, int, int]]) -> tuple[Window, tuple[int, int]]:
        """The window, no larger than the image allows, and height and width of the output."""
        shape = self.source.shape
        found, sizes = [], []
        for n, (kernel, stride, pad) in zip(shape[1:3], axes, strict=True):
            pad = min(pad, kernel - 1)
            kernel = min(kernel, n + 2 * pad)
            pad = min(pad, kernel - 1)
            found.append(Axis(kernel, stride, 1, pad))
            sizes.append((n + 2 * pad - kernel) // stride + 1)
        return Window(*found), (sizes[0], sizes[1])

    def convolution(self, kind: str, axes: list[tuple[int, int, int]], channels: int) -> None:
        x, net = self.x, self.net
        n_in = self.source.shape[3]
        window, size = self.window(axes)
        taps = (window.height.kernel, window.width.kernel)
        n_out = n_in * (1 + channels % 2) if kind == "depthwise" else channels
        shape = (1, *taps, n_out) if kind == "depthwise" else (n_out, *taps, n_in)
        usual = -128 if net.activation is Activation.RELU else 3
        y = self.tensor((1, *size, n_out), self.scale(1 / 16), self.zero_point(usual))
        op = Depthwise if kind == "depthwise" else Conv
        weights = self.integers(net.weight_limit, *shape).astype(np.int8)
        bias = self.integers(400, n_out).astype(np.int32)
        self.add_op(op(x, y, weights, bias, self.scales(n_out), window, net.activation))

    def pool(self, kind: str, axes: list[tuple[int, int, int]]) -> None:
        x, source = self.x, self.source
        window, size = self.window(axes)
        y = self.tensor((1, *size, source.shape[3]), float(source.scale), source.zero_point)
        self.add_op(Pool(x, y, POOLS[kind], window, self.net.pool_activation))

    def mean(self) -> None:
        x, shape = self.x, self.source.shape
        usual = -128 if self.net.activation is Activation.RELU else -100
        y = self.tensor((1, shape[3]), self.scale(1 / 32), self.zero_point(usual))
        self.add_op(Mean(x, y, (1, 2)))

    def pad(self, axes: list[tuple[int, int, int]]) -> None:
        x, source = self.x, self.source
        before = (0, *(stride - 1 for _, stride, _ in axes), 0)
        after = (0, *(pad for _, _, pad in axes), 0)
        shape = tuple(b + n + a for b, n, a in zip(before, source.shape, after, strict=True))
        y = self.tensor(shape, float(source.scale), source.zero_point)
        self.add_op(Pad(x, y, before, source.zero_point))

    def earlier(self, fits: Callable[[Tensor], bool]) -> int | None:
        """An image that a layer before the current one made, or the input."""
        found = [i for i, t in enumerate(self.tensors) if len(t.shape) == 4 and fits(t)]
        return int(self.rng.choice(found)) if found else None

    def add(self, *, subtracts: bool) -> None:
        x, source = self.x, self.source
        other = self.earlier(lambda t: t.shape == source.shape)
        assert other is not None
        y = self.tensor(source.shape, self.sum_scale(), self.zero_point(-128))
        pair = (other, x) if self.rng.random() < 0.5 else (x, other)
        self.add_op(Add(pair[0], y, pair[1], subtracts, self.net.activation))

    def concat(self) -> None:
        x, source = self.x, self.source
        axis = int(self.rng.integers(1, 4))

        def fits(t: Tensor) -> bool:
            rest = [n for i, n in enumerate(t.shape) if i != axis]
            return (rest, t.scale, t.zero_point) == (
                [n for i, n in enumerate(source.shape) if i != axis], source.scale,
                source.zero_point,
            )  # fmt: skip

        others = [i for i in (self.earlier(fits), self.earlier(fits)) if i is not None]
        n = sum(self.tensors[i].shape[axis] for i in (x, *others))
        shape = tuple(n if i == axis else size for i, size in enumerate(source.shape))
        y = self.tensor(shape, float(source.scale), source.zero_point)
        self.add_op(Concatenate(others[0], y, (*others[1:], x), axis))

    def join_all(self) -> None:
        """What nothing reads, by dense layers that are added up."""
        read = {t for op in self.ops for t in op.inputs}
        unread = [i for i, _ in enumerate(self.tensors) if i not in read and i != self.x]
        ends = []
        for x in (*unread, self.x) if unread else ():
            self.x = x
            self.dense(4, self.net.activation)
            ends.append(self.x)
        usual, activation = (-128, Activation.RELU) if self.net.even else (-90, Activation.NONE)
        for end in ends[:-1]:
            x = self.x
            y = self.tensor((1, 4), self.sum_scale(), self.zero_point(usual))
            self.add_op(Add(x, y, end, activation=activation))

    def dense(self, n_out: int, activation: Activation) -> None:
        source = self.source
        if len(source.shape) > 2:
            flat = self.tensor((1, source.elems), float(source.scale), source.zero_point)
            self.add_op(Reshape(self.x, flat))
        x = self.x
        zero_point = 0 if activation is Activation.NONE else -128
        y = self.tensor((1, n_out), self.scale(1 / 8), zero_point)
        weights = self.integers(self.net.weight_limit, n_out, source.elems).astype(np.int8)
        scales = self.scales(n_out if self.net.per_channel else 1)
        bias = np.zeros(n_out, np.int32)
        self.add_op(Dense(x, y, weights, bias, scales, activation))


def image_graph(net: ImageNet, rng: np.random.Generator) -> Graph:
    make = _Maker(net, rng)
    for number, (kind, height, width) in enumerate(net.layers):
        if len(make.source.shape) < 4:
            break
        if kind == "mean":
            if make.ops:
                make.mean()
        elif kind == "pad":
            make.pad([height, width])
        elif kind in ("add", "sub"):
            make.add(subtracts=kind == "sub")
        elif kind == "concat":
            make.concat()
        elif kind == "back":
            make.x = make.earlier(lambda _: True) or 0
        elif kind in POOLS:
            make.pool(kind, [height, width])
        else:
            make.convolution(kind, [height, width], net.channels[number % len(net.channels)])
    make.join_all()
    if net.hidden:
        make.dense(net.hidden, Activation.RELU)
    make.dense(3, Activation.NONE)
    if net.classifier:
        y = make.tensor(make.source.shape, 1 / 256, -128)
        make.add_op(Softmax(make.x, y))
    return Graph(tuple(make.tensors), tuple(make.ops), (0,), (len(make.tensors) - 1,))
