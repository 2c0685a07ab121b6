"""Chooses the learning rates of lesson 2 without a look at the test images.

    python examples/fashion_mnist/choose_rate.py [--epochs 20] [--no-sgd]

The last 10,000 training images are held out; every rate trains on the other 50,000 and is judged on
those. The rate with the best mean is the one to take; a tie within the seeds' spread goes to the
rate in the middle. With SGD in NumPy this takes an hour, without it some minutes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from cut import DEBIAN_FOLDER
from float_baselines import train_adam, train_sgd
from train import HIDDEN, Data, load, network

HELD_OUT = 10_000
RATES = {
    "byteprop": (0.00125, 0.0025, 0.005, 0.01, 0.02),
    "float32 Adam": (0.00025, 0.0005, 0.001, 0.002, 0.004),
    "float32 SGD": (0.00125, 0.0025, 0.005, 0.01, 0.02),
}


def accuracy(way: str, data: Data, rate: float, epochs: int, seed: int) -> float:
    """On the held-out images, after the last epoch."""
    if way == "byteprop":
        model = network(seed)
        model.fit(data.x, data.y, epochs=epochs, learning_rate=rate, seed=seed)
        return float(model.evaluate(data.test_x, data.test_y)["accuracy"])
    train = train_adam if way == "float32 Adam" else train_sgd
    x, held_out = (images / np.float32(255) for images in (data.x, data.test_x))
    trained = train(x, data.y, hidden=HIDDEN, epochs=epochs, rate=rate, seed=seed)
    return float(np.mean(trained.predict(held_out) == data.test_y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-sgd", action="store_true", help="leave the slow one out")
    parser.add_argument("--output", type=Path, help="write a line a run to this .csv")
    args = parser.parse_args()

    full = load(args.data)
    if not full.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    first = len(full.x) - HELD_OUT
    data = Data(full.x[:first], full.y[:first], full.x[first:], full.y[first:], True)
    rows = []
    for way, rates in RATES.items():
        if way == "float32 SGD" and args.no_sgd:
            continue
        for rate in rates:
            found = [accuracy(way, data, rate, args.epochs, s) for s in range(1, args.seeds + 1)]
            print(f"{way:14} rate {rate:<8g} held-out accuracy {np.mean(found):.4f}", flush=True)
            rows += [(way, rate, args.epochs, seed, a) for seed, a in enumerate(found, 1)]
    if args.output:
        with args.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow("way rate epochs seed held_out_accuracy".split())
            writer.writerows(rows)


if __name__ == "__main__":
    main()
