"""Chooses the learning rates of lesson 2 without a look at the test images.

    python examples/fashion_mnist/choose_rate.py [--epochs 20] [--seeds 3] [--output FILE.csv]

The last 10,000 training images are held out; every rate trains on the other 50,000 and is judged on
those, after the last epoch. Adam takes its best rate. byteprop keeps fit's default, 0.005, as long
as no other is better by more than the spread between seeds. SGD in float32 takes byteprop's rate:
the two are compared step by step.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from cut import DEBIAN_FOLDER
from float_baselines import train_adam
from train import HIDDEN, Data, load, network

HELD_OUT = 10_000
RATES = {
    "byteprop": (0.00125, 0.0025, 0.005, 0.01, 0.02),
    "float32 Adam": (0.00025, 0.0005, 0.001, 0.002, 0.004),
}


def accuracy(way: str, data: Data, rate: float, epochs: int, seed: int) -> float:
    """On the held-out images, after the last epoch."""
    if way == "byteprop":
        model = network(seed)
        model.fit(data.x, data.y, epochs=epochs, learning_rate=rate, seed=seed)
        return float(model.evaluate(data.test_x, data.test_y)["accuracy"])
    x, held_out = (images / np.float32(255) for images in (data.x, data.test_x))
    trained = train_adam(x, data.y, hidden=HIDDEN, epochs=epochs, rate=rate, seed=seed)
    return float(np.mean(trained.predict(held_out) == data.test_y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="write a line a run to this .csv")
    args = parser.parse_args()

    full = load(args.data)
    if not full.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    first = len(full.x) - HELD_OUT
    data = Data(full.x[:first], full.y[:first], full.x[first:], full.y[first:], True)
    rows = []
    for way, rates in RATES.items():
        for rate in rates:
            found = [accuracy(way, data, rate, args.epochs, s) for s in range(1, args.seeds + 1)]
            spread = f"(sd {np.std(found, ddof=1):.4f})" if len(found) > 1 else ""
            print(f"{way:14} rate {rate:<8g} held out {np.mean(found):.4f} {spread}", flush=True)
            rows += [(way, rate, args.epochs, seed, a) for seed, a in enumerate(found, 1)]
    if args.output:
        with args.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow("way rate epochs seed held_out_accuracy".split())
            writer.writerows(rows)


if __name__ == "__main__":
    main()
