"""Convolutional networks from scratch: float32 SGD and byteprop's integers, on Fashion-MNIST.

    python benchmarks/training_images.py [--seeds 3] [--nets NAME ...] [--record]

Both begin with the same weights, see the samples in the same order, one at a time, and have the
same rates, 0.02 falling to 0 in a straight line. The accuracy on the test images is that after the
last epoch. float32 is benchmarks/float_images.c, which gcc compiles.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402

import train as lesson  # noqa: E402
from byteprop import (  # noqa: E402
    Add,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Sequential,
)
from byteprop.layers import earlier, shapes_of, weights_of  # noqa: E402
from byteprop.training.draws import permutation  # noqa: E402
from byteprop.training.schedules import Progress, rate_of, rate_unit, schedule_of  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

Weights = Sequence[tuple[Any, Any]]

COLUMNS = "commit net way rate epochs seed test_accuracy seconds".split()
RATE = 0.02
SHAPE = (28, 28, 1)
WAYS = ("float32", "integers")


def convolution(filters: int, strides: int = 1, **more: Any) -> Conv2D:
    return Conv2D(filters, 3, strides, "same", activation="relu", **more)


# By name: layers and epochs.
NETS: dict[str, tuple[list[Any], int]] = {
    "convolutions and maxima": (
        [
            Conv2D(4, 3, activation="relu"),
            MaxPooling2D(),
            Conv2D(8, 3, activation="relu"),
            MaxPooling2D(),
            Flatten(),
            Dense(10, "softmax"),
        ],
        5,
    ),
    "depthwise": (
        [
            convolution(16, 2),
            DepthwiseConv2D(3, padding="same", activation="relu"),
            Conv2D(32, 1, activation="relu"),
            DepthwiseConv2D(3, 2, "same", activation="relu"),
            Conv2D(64, 1, activation="relu"),
            GlobalAveragePooling2D(),
            Dense(10, "softmax"),
        ],
        4,
    ),
    "residual": (
        [
            convolution(8, 2, name="begin"),
            convolution(8),
            convolution(8),
            Add("begin"),
            convolution(16, 2),
            GlobalAveragePooling2D(),
            Dense(10, "softmax"),
        ],
        3,
    ),
}


# --- float32 ---


class Layer(ctypes.Structure):
    """layer_t of float_images.c."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "kind kernel stride pad x_height x_width x_channels y_height y_width y_channels "
            "other relu weights"
        ).split()),
        *((name, ctypes.c_void_p) for name in "w b gw gb y d".split()),
    ]  # fmt: skip


_KINDS = {
    "Conv2D": 0,
    "DepthwiseConv2D": 1,
    "MaxPooling2D": 2,
    "GlobalAveragePooling2D": 3,
    "Add": 4,
    "Dense": 5,
}


class FloatNet:
    """A network of these layers in float32. weights: as get_weights gives them."""

    def __init__(self, layers: list[Any], weights: Weights, library: ctypes.CDLL) -> None:
        self.library = library
        self.kept: list[npt.NDArray[np.float32]] = []  # what the layers point to
        self.learned: list[tuple[Any, Any]] = []  # weights and biases, of those
        given = iter(weights)
        places: list[int] = []  # of each layer's output, in the list of float layers
        shapes, found = shapes_of(layers, SHAPE), []
        for index, layer in enumerate(layers):
            if not isinstance(layer, Flatten):
                w, b = next(given) if weights_of(layer, shapes[index])[0] else (0, 0)
                other = places[earlier(layers, index)] if isinstance(layer, Add) else 0
                found.append(self._layer(layer, *shapes[index : index + 2], w, b, other))
            places.append(len(found) - 1)
        self.layers = (Layer * len(found))(*found)

    def _array(self, n: int, values: Any = 0) -> npt.NDArray[np.float32]:
        array = np.zeros(max(n, 1), np.float32)
        array[: np.size(values)] = np.reshape(values, -1)
        self.kept.append(array)
        return array

    def _layer(
        self, layer: Any, shape: Any, after: Any, weights: Any, bias: Any, other: int
    ) -> Layer:
        x = shape if len(shape) == 3 else (1, 1, shape[0])
        x = (1, 1, int(np.prod(x))) if isinstance(layer, Dense) else x
        y = after if len(after) == 3 else (1, 1, after[0])
        kernel, stride, pad = 1, 1, 0
        if hasattr(layer, "window"):
            axis = layer.window(shape)[0].height
            kernel, stride, pad = axis.kernel, axis.stride, axis.pad
        n, outputs = np.size(weights) if np.ndim(weights) else 0, int(np.prod(y))
        w, b = self._array(n, weights), self._array(y[2], bias)
        if n:
            self.learned.append((w.reshape(weights.shape), b))
        zeros = [self._array(size).ctypes.data for size in (n, y[2], outputs, outputs)]
        return Layer(
            _KINDS[type(layer).__name__], kernel, stride, pad, *x, *y, other,
            getattr(layer, "activation", None) == "relu", n,
            w.ctypes.data, b.ctypes.data, *zeros,
        )  # fmt: skip

    def learn(self, x: Any, y: Any, order: Any, rates: Any, last: int | None = None) -> None:
        """last: how many of the layers with weights learn, all if None."""
        with_weights = [i for i, layer in enumerate(self.layers) if layer.weights]
        first = with_weights[-last] if last else 0
        self.library.learn(
            self.layers, len(self.layers), first, x.ctypes, x[0].size, y.ctypes, order.ctypes,
            rates.ctypes, len(order),
        )  # fmt: skip

    def fit(
        self, x: Any, y: Any, epochs: int, rate: float, seed: int, last: int | None = None
    ) -> None:
        """In the order and with the rates of Model.fit: falling to 0 in a straight line."""
        n = len(x)
        first, shift = rate_of(rate)
        for epoch in range(epochs):
            progress = Progress(epoch * n, n, epochs * n, n)
            rates = schedule_of("linear").rates(first, progress) / rate_unit(shift)
            self.learn(x, y, permutation(n, seed, epoch), rates.astype(np.float32), last)

    def accuracy(self, x: Any, y: Any) -> float:
        n = self.library.correct(
            self.layers, len(self.layers), x.ctypes, x[0].size, y.ctypes, len(x)
        )
        return n / len(x)


def compiled(folder: Path) -> ctypes.CDLL:
    target = folder / "float_images.so"
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run(
        ["gcc", *flags, str(HERE / "float_images.c"), "-o", str(target), "-lm"], check=True
    )
    return ctypes.CDLL(str(target))


# --- both ways ---


def network(name: str, seed: int) -> Sequential:
    return Sequential(NETS[name][0], SHAPE, input_range=(0, 1), seed=seed)


def integers(name: str, data: lesson.Data, seed: int) -> float:
    net = network(name, seed)
    x, test_x = (images.reshape(-1, *SHAPE) for images in (data.x, data.test_x))
    net.fit(x, data.y, epochs=NETS[name][1], learning_rate=RATE, seed=seed)
    return float(net.evaluate(test_x, data.test_y)["accuracy"])


def floats(name: str, data: lesson.Data, seed: int, library: ctypes.CDLL) -> float:
    layers, epochs = NETS[name]
    net = FloatNet(layers, network(name, seed).get_weights(), library)
    x, test_x = (images.astype(np.float32) / 256 for images in (data.x, data.test_x))
    net.fit(x, data.y, epochs, RATE, seed)
    return net.accuracy(test_x, data.test_y)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS), metavar="NAME")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    data = lesson.load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        seeds = range(args.first, args.first + args.seeds)
        for seed, name, way in itertools.product(seeds, args.nets, args.ways):
            began = time.monotonic()
            if way == "integers":
                accuracy = integers(name, data, seed)
            else:
                accuracy = floats(name, data, seed, library)
            found.setdefault((name, way), []).append(accuracy)
            values = (
                records.commit(), name, way, RATE, NETS[name][1], seed, f"{accuracy:.4f}",
                f"{time.monotonic() - began:.0f}",
            )  # fmt: skip
            print(*values[1:], flush=True)
            if args.record:
                row = dict(zip(COLUMNS, values, strict=True))
                records.append("training-images", COLUMNS, [row])
    for (name, way), values in found.items():
        print(f"{name:26} {way:10} {np.mean(values):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
