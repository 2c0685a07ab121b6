"""Accuracies of docs/training.md: Fashion-MNIST, 784-20-10, every way to train, on the test images.

    python benchmarks/training_accuracy.py [--seeds 5] [--epochs 20] [--ways NAME ...] [--record]

Rates were chosen on held-out training images (examples/fashion_mnist/choose_rate.py) for the first
way and for Adam; the other integer ways differ from the first in the one thing that they are named
after, except "batch 32, momentum", which needs a rate of its own: the same step per sample.
The result is that of the last epoch. Float weights come from NumPy; see float_baselines.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402

import train as lesson  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402
from float_baselines import train_adam, train_sgd  # noqa: E402

COLUMNS = "commit way rate epochs seed test_accuracy seconds".split()

INTEGER_WAYS: dict[str, dict[str, Any]] = {
    "int8 + residual, stochastic, linear decay": {},
    "the same, rounded to nearest": {"rounding": "nearest"},
    "the same, constant rate": {"schedule": "constant"},
    "the same, scales fixed at their first guess": {"window": 0},
    "int8 alone, stochastic, linear decay": {"residual": False},
    "int8 alone, rounded to nearest": {"residual": False, "rounding": "nearest"},
    "int8 + residual, batch 32, momentum 0.875": {
        "batch_size": 32,
        "momentum": 0.875,
        "learning_rate": 0.02,
    },
    "int8 + residual, batch 32, momentum 0.875, nearest": {
        "batch_size": 32,
        "momentum": 0.875,
        "learning_rate": 0.02,
        "rounding": "nearest",
    },
}
FLOAT_WAYS: dict[str, tuple[Callable[..., Any], float, dict[str, Any]]] = {
    "float32 Adam, batch 32, linear decay": (train_adam, lesson.ADAM_RATE, {}),
    "float32 Adam, batch 32, constant rate": (train_adam, lesson.ADAM_RATE, {"decay": False}),
    "float32 SGD, batch 1, linear decay": (train_sgd, lesson.SGD_RATE, {}),
}


def integers(arguments: dict[str, Any], data: lesson.Data, epochs: int, seed: int) -> float:
    model = lesson.network(seed)
    given = {"learning_rate": lesson.SGD_RATE, **arguments}
    model.fit(data.x, data.y, epochs=epochs, seed=seed, **given)
    return float(model.evaluate(data.test_x, data.test_y)["accuracy"])


def floats(
    train: Callable[..., Any],
    rate: float,
    more: dict[str, Any],
    data: lesson.Data,
    epochs: int,
    seed: int,
) -> float:
    x, test_x = (images / np.float32(255) for images in (data.x, data.test_x))
    trained = train(x, data.y, hidden=lesson.HIDDEN, epochs=epochs, rate=rate, seed=seed, **more)
    return float(np.mean(trained.predict(test_x) == data.test_y))


def ways() -> dict[str, tuple[float, Callable[[lesson.Data, int, int], float]]]:
    """Rate and training by name."""
    found: dict[str, tuple[float, Callable[[lesson.Data, int, int], float]]] = {}
    for name, arguments in INTEGER_WAYS.items():
        rate = arguments.get("learning_rate", lesson.SGD_RATE)
        found[name] = rate, partial(integers, arguments)
    for name, (train, rate, more) in FLOAT_WAYS.items():
        found[name] = rate, partial(floats, train, rate, more)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--ways", nargs="+", metavar="TEXT", help="those whose names hold a text")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()

    data = lesson.load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    for name, (rate, way) in ways().items():
        if args.ways and not any(text in name for text in args.ways):
            continue
        found = []
        for seed in range(1, args.seeds + 1):
            began = time.monotonic()
            found.append(way(data, args.epochs, seed))
            seconds = f"{time.monotonic() - began:.1f}"
            values = (records.commit(), name, rate, args.epochs, seed, f"{found[-1]:.4f}", seconds)
            if args.record:
                row = dict(zip(COLUMNS, values, strict=True))
                records.append("training-accuracy", COLUMNS, [row])
        spread = np.std(found, ddof=1) if len(found) > 1 else 0.0
        print(f"{name:52} {np.mean(found):.4f} (sd {spread:.4f})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
