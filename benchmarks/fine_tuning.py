"""Fine-tuning figures of docs/training.md: a dense network meets images turned by 20 degrees.

    python benchmarks/fine_tuning.py [--seeds 5] [--samples 1000] [--record]

The int8 network of examples/fashion_mnist (784-20-10, quantised after training in float elsewhere)
is tuned with its file's own scales on the first turned training images, and tested on all turned
test images. Rate and epochs were chosen on 10,000 other turned training images.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402

import train as lesson  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

Pixels = npt.NDArray[np.uint8]

COLUMNS = "commit net trained way samples epochs rate seed test_accuracy".split()
NET = "784-20-10"
MODEL = HERE.parent / "examples/fashion_mnist/fashion_mlp.tflite"
DEGREES, SIDE = 20.0, 28
EPOCHS, RATE = 20, 0.01


def turned(images: Pixels) -> Pixels:
    """images [n, 784] turned about their centres, between pixels in straight lines; what comes from
    outside is black."""
    middle = (SIDE - 1) / 2
    row, column = np.mgrid[:SIDE, :SIDE] - middle
    sine, cosine = np.sin(np.radians(DEGREES)), np.cos(np.radians(DEGREES))
    y, x = cosine * row + sine * column + middle, cosine * column - sine * row + middle
    found = np.zeros((len(images), SIDE, SIDE))
    source = images.reshape(-1, SIDE, SIDE)
    for top, left in itertools.product((0, 1), (0, 1)):
        i, j = np.floor(y).astype(int) + top, np.floor(x).astype(int) + left
        share = (1 - np.abs(y - i)) * (1 - np.abs(x - j))
        inside = (np.minimum(i, j) >= 0) & (np.maximum(i, j) < SIDE)
        found += np.where(inside, share, 0) * source[:, i.clip(0, SIDE - 1), j.clip(0, SIDE - 1)]
    return np.rint(found).astype(np.uint8).reshape(images.shape)


# What is trained, the way, and arguments of fit.
WAYS: list[tuple[str, str, dict[str, Any]]] = [
    ("all", "int8 + residual", {}),
    ("last layer", "int8 + residual", {"train": "last"}),
    ("all", "int8 alone", {"residual": False}),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    data = lesson.load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")

    untouched = byteprop.load(MODEL)
    shape = (-1, *untouched.inputs[0].shape[1:])
    x, test_x = (
        turned(images).reshape(shape) / np.float32(255)
        for images in (data.x[: args.samples], data.test_x)
    )
    y = data.y[: args.samples]
    upright = data.test_x.reshape(shape) / np.float32(255)
    print(f"upright, untouched  {untouched.evaluate(upright, data.test_y)['accuracy']:.4f}")
    print(f"turned, untouched   {untouched.evaluate(test_x, data.test_y)['accuracy']:.4f}")
    for trained, way, arguments in WAYS:
        found = []
        for seed in range(1, args.seeds + 1):
            model = byteprop.load(MODEL)
            model.fit(x, y, epochs=EPOCHS, learning_rate=RATE, seed=seed, **arguments)
            found.append(model.evaluate(test_x, data.test_y)["accuracy"])
        spread = np.std(found, ddof=1) if len(found) > 1 else 0.0
        what = f"turned, {args.samples} samples, {trained:10} {way:16}"
        print(f"{what} {np.mean(found):.4f} (sd {spread:.4f})")
        if args.record:
            fixed = (records.commit(), NET, trained, way, args.samples, EPOCHS, RATE)
            rows = [(*fixed, seed, f"{a:.4f}") for seed, a in enumerate(found, 1)]
            records.append(
                "fine-tuning", COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in rows]
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
