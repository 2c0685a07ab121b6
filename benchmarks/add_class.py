"""Classes that are added later, on Fashion-MNIST: figures of docs/add-a-class.md.

    python benchmarks/add_class.py [--draws 3] [--record]

A network of 784-64-8 learns classes 0 to 7 here, from random weights; its hidden layer is then the
frozen part, and its 64 int8 features of an image are what the last layer reads. Classes 8 and 9 are
added from a few training images each. Accuracy on the 10,000 test images: of the old eight classes,
of the new two, and of all ten. Draws are other images, the same network.

Nothing was chosen on test images: the margin of a new row (2) and its correction for few samples on
the last 10,000 training images; rate and number of rehearsals are the defaults of Model.add_class.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.training.head import KEPT_PER_CLASS, REHEARSALS_PER_SAMPLE

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402

import train as lesson  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

COLUMNS = "commit way shots draw old_accuracy new_accuracy accuracy".split()
OLD, NEW = range(8), (8, 9)
HIDDEN, EPOCHS = 64, 4
SHOTS = (1, 5, 20, 100)

Indices = npt.NDArray[np.int64]
WAYS = ("imprinted", "imprinted and rehearsed", "imprinted, then fit on the new images alone")


def old_network(data: lesson.Data) -> byteprop.Model:
    """With two rows in reserve."""
    net = byteprop.Sequential(
        [byteprop.Dense(HIDDEN, "relu"), byteprop.Dense(len(OLD), "softmax")], input_shape=784
    )
    old = np.isin(data.y, OLD)
    net.fit(data.x.reshape(-1, 784)[old], data.y[old], epochs=EPOCHS)
    return net.with_capacity(len(OLD) + len(NEW))


def picked(y: npt.NDArray[Any], classes: Any, n: int, draw: int) -> Indices:
    rng = np.random.default_rng(draw)
    return np.concatenate([rng.choice(np.flatnonzero(y == c), n, False) for c in classes])


def taught(net: byteprop.Model, data: lesson.Data, way: str, shots: int, draw: int) -> Any:
    """The network with both new classes."""
    model = copy.deepcopy(net)
    x, y = data.x.reshape(-1, 784), data.y
    known = picked(y, OLD, KEPT_PER_CLASS, 100 + draw)
    fresh = picked(y, NEW, shots, draw)
    for label in NEW:
        own = fresh[y[fresh] == label]
        # Only behind the second class the last layer learns, from samples of all ten.
        rehearses = way == WAYS[1] and label == NEW[-1]
        n = REHEARSALS_PER_SAMPLE * (len(known) + len(own)) if rehearses else 0
        model.add_class(x[own], known=(x[known], y[known]), rehearsals=n, seed=draw)
        known = np.concatenate([known, own[:KEPT_PER_CLASS]])
    if way == WAYS[2]:
        model.fit(x[fresh], y[fresh], epochs=20, train="last", learning_rate=0.003, seed=draw)
    return model


def measured(model: byteprop.Model, data: lesson.Data) -> tuple[float, float, float]:
    right = model.predict(data.test_x.reshape(-1, 784)).argmax(1) == data.test_y
    new = np.isin(data.test_y, NEW)
    return float(right[~new].mean()), float(right[new].mean()), float(right.mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--draws", type=int, default=3, metavar="N")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    data = lesson.load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    begin = time.perf_counter()
    net = old_network(data)
    print(f"the eight classes alone: {measured(net, data)[0]:.4f}")
    for shots in SHOTS:
        for way in WAYS:
            found = [
                measured(taught(net, data, way, shots, draw), data) for draw in range(args.draws)
            ]
            mean = np.mean(found, axis=0)
            print(f"{shots:4} images  {way:45} " + "  ".join(f"{v:.4f}" for v in mean))
            if args.record:
                fixed = (records.commit(), way, shots)
                rows = [(*fixed, i, *(f"{v:.4f}" for v in f)) for i, f in enumerate(found)]
                records.append(
                    "add-class", COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in rows]
                )
    print(f"{time.perf_counter() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
