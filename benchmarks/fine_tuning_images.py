"""Fine-tuning figures of docs/training.md for convolutional networks, which meet images that are
turned by 20 degrees: float32 SGD, byteprop's integers, and those without residuals.

    python benchmarks/fine_tuning_images.py [--seeds 5] [--nets NAME ...] [--record]

Both networks have learned upright images and have been made int8: "depthwise" of training_images.py
here, in float32, and examples/fashion_mnist/fashion_cnn.tflite by Keras. They are tuned with the
scales of those files on 1,000 turned training images, other ones for each seed, and tested on all
turned test images. float32 begins with the same weights, sees the same images in the same order,
and has the same schedule. Each way has the rate of its own that is best on 10,000 turned training
images that nothing is tuned on; --record writes those accuracies too. The depthwise network's
float32 training has seen all the images upright.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402
from fine_tuning import COLUMNS, turned  # noqa: E402
from training_images import NETS, RATE, SHAPE, FloatNet, compiled, convolution, network  # noqa: E402

import byteprop  # noqa: E402
import train as lesson  # noqa: E402
from byteprop import Conv2D, Dense, DepthwiseConv2D, Flatten, GlobalAveragePooling2D  # noqa: E402
from byteprop.quantizer import FloatConv, FloatLayer, FloatPool  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

Reals = npt.NDArray[np.float32]

RATE_COLUMNS = "commit net trained way rate draw held_out_accuracy".split()
SAMPLES, EPOCHS, MEASURED = 1000, 20, 500
# Where rates are chosen: training images from here on are held out, and those of the draws are
# before them. Seeds take theirs from the beginning.
HELD_FROM, DRAWS = 50_000, 2
FIRST_RATES = (0.01, 0.02, 0.04)
UPRIGHT_SEED = 1
WAYS = ("float32", "int8 + residual", "int8 alone")
FILE = HERE.parent / "examples/fashion_mnist/fashion_cnn.tflite"


@dataclass(frozen=True)
class Subject:
    """A network that has learned upright images. trained: by name, how many of the last layers with
    weights are tuned."""

    name: str
    layers: list[Any]
    path: Path
    trained: dict[str, int]


def quantized(layers: list[Any], net: FloatNet, x: Reals) -> byteprop.Model:
    """The int8 model of a float network, with the ranges of x."""
    given = iter(net.learned)
    found: list[FloatConv | FloatPool | FloatLayer] = []
    for layer in layers:
        if isinstance(layer, GlobalAveragePooling2D):
            found.append(FloatPool("average", None))
        elif isinstance(layer, Dense):
            found.append(FloatLayer(*next(given), "softmax"))
        elif isinstance(layer, DepthwiseConv2D):
            w, b = next(given)
            deep = w[..., np.newaxis]
            found.append(FloatConv(deep, b, "relu", layer.strides, layer.padding, True))
        elif isinstance(layer, Conv2D):
            found.append(FloatConv(*next(given), "relu", layer.strides, layer.padding))
    return byteprop.quantize(found, x)


def depthwise(data: lesson.Data, folder: Path, library: ctypes.CDLL) -> Subject:
    layers, epochs = NETS["depthwise"]
    net = FloatNet(layers, network("depthwise", UPRIGHT_SEED).get_weights(), library)
    x, test_x = (reals(images) for images in (data.x, data.test_x))
    net.fit(x, data.y, epochs, RATE, UPRIGHT_SEED)
    print(f"depthwise, upright, float32  {net.accuracy(test_x, data.test_y):.4f}", flush=True)
    path = folder / "depthwise.tflite"
    quantized(layers, net, x[:MEASURED]).save(path)
    parts = {"head": 1, "last block and head": 3, "all": 6}
    return Subject("depthwise", layers, path, parts)


def of_keras(*_: Any) -> Subject:
    layers = [convolution(12, 2), convolution(24, 2), Flatten(), Dense(10, "softmax")]
    parts = {"head": 1, "last convolution and head": 2, "all": 3}
    return Subject("two convolutions", layers, FILE, parts)


SUBJECTS: dict[str, Callable[[lesson.Data, Path, ctypes.CDLL], Subject]] = {
    "depthwise": depthwise,
    "two convolutions": of_keras,
}


def reals(images: npt.NDArray[np.uint8]) -> Reals:
    return images.reshape(-1, *SHAPE) / np.float32(255)


Samples = tuple[Reals, Any]


class Bench:
    """The data, the compiled float32, and where figures go."""

    def __init__(self, data: lesson.Data, folder: Path, is_recorded: bool) -> None:
        self.data, self.folder, self.is_recorded = data, folder, is_recorded
        self.library = compiled(folder)
        self.test = reals(turned(data.test_x)), data.test_y
        self.held = reals(turned(data.x[HELD_FROM:])), data.y[HELD_FROM:]

    def samples(self, first: int) -> Samples:
        part = slice(first, first + SAMPLES)
        return reals(turned(self.data.x[part])), self.data.y[part]

    def note(self, name: str, columns: list[str], *values: object) -> None:
        if self.is_recorded:
            row = dict(zip(columns, (records.commit(), *values), strict=True))
            records.append(name, columns, [row])

    def untouched(self, subject: Subject) -> None:
        model = byteprop.load(subject.path)
        for what, x in (("upright", reals(self.data.test_x)), ("turned", self.test[0])):
            accuracy = f"{model.evaluate(x, self.data.test_y)['accuracy']:.4f}"
            print(f"{subject.name}, {what}, untouched  {accuracy}", flush=True)
            self.note("fine-tuning", COLUMNS, subject.name, "none", what, 0, 0, 0, 0, accuracy)

    def case(self, subject: Subject, trained: str, way: str, seeds: int) -> None:
        """The rate on held-out images, and then what it gives on test images."""
        last = subject.trained[trained]
        named = subject.name, trained, way

        def accuracy(rate: float, seed: int, first: int, test: Samples) -> float:
            tune = by_floats if way == "float32" else by_integers
            samples = self.samples(first)
            return tune(subject, last, way, rate, seed, samples, test, self.library)

        def held_out(rate: float) -> float:
            found = []
            for draw in range(DRAWS):
                found.append(accuracy(rate, draw, HELD_FROM - SAMPLES * (draw + 1), self.held))
                values = rate, draw, f"{found[-1]:.4f}"
                self.note("fine-tuning-rates", RATE_COLUMNS, *named, *values)
            return float(np.mean(found))

        rate = best_rate(held_out)
        found = []
        for seed in range(1, seeds + 1):
            found.append(accuracy(rate, seed, SAMPLES * (seed - 1), self.test))
            values = SAMPLES, EPOCHS, rate, seed, f"{found[-1]:.4f}"
            self.note("fine-tuning", COLUMNS, *named, *values)
        spread = np.std(found, ddof=1) if len(found) > 1 else 0.0
        print(*named, rate, f"{np.mean(found):.4f} (sd {spread:.4f})", flush=True)


def by_floats(
    subject: Subject, last: int, _: str, rate: float, seed: int,
    samples: Samples, test: Samples, library: ctypes.CDLL,
) -> float:  # fmt: skip
    """The accuracy afterwards."""
    net = FloatNet(subject.layers, byteprop.load(subject.path).get_weights(), library)
    net.fit(*samples, EPOCHS, rate, seed, last)
    return net.accuracy(*test)


def by_integers(
    subject: Subject, last: int, way: str, rate: float, seed: int,
    samples: Samples, test: Samples, _: ctypes.CDLL,
) -> float:  # fmt: skip
    """The accuracy afterwards."""
    model = byteprop.load(subject.path)
    model.fit(
        *samples, epochs=EPOCHS, learning_rate=rate, seed=seed, train=f"last:{last}",
        residual=way != "int8 alone",
    )  # fmt: skip
    return float(model.evaluate(*test)["accuracy"])


def best_rate(measure: Callable[[float], float]) -> float:
    """Of FIRST_RATES and, while the best one is at an end, half or twice of that."""
    found = {rate: measure(rate) for rate in FIRST_RATES}
    while True:
        best = max(found, key=lambda rate: found[rate])
        if min(found) < best < max(found):
            return best
        rate = best / 2 if best == min(found) else best * 2
        found[rate] = measure(rate)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--nets", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="NAME"
    )
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    data = lesson.load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(data, Path(folder), args.record)
        for net in args.nets:
            subject = SUBJECTS[net](data, bench.folder, bench.library)
            bench.untouched(subject)
            for trained, way in itertools.product(subject.trained, WAYS):
                bench.case(subject, trained, way, args.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
