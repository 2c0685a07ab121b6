"""Figures of docs/federated.md: ten clients with 600 images of Fashion-MNIST each, averaged in
integers, with samples of all classes and of two classes per client.

    python benchmarks/federated.py [--seeds 2] [--rounds 20] [--record]

784-20-10, one local epoch per round, at a rate that falls in a line over the rounds. The same
6,000 images in one place, for as many epochs, are the comparison.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.federated import arrays_of, average, set_arrays, train_client

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402

import train as lesson  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

COLUMNS = "commit way rounds seed test_accuracy".split()
CLIENTS, IMAGES, RATE = 10, 600, 0.02


def network(seed: int) -> byteprop.Sequential:
    layers = [byteprop.Dense(20, "relu"), byteprop.Dense(10, "softmax")]
    return byteprop.Sequential(layers, input_shape=(28, 28), input_range=(0, 1), seed=seed)


def parts(y: npt.NDArray[Any], way: str, seed: int) -> list[npt.NDArray[np.intp]]:
    """Which images each client has."""
    order = np.random.default_rng(seed).permutation(len(y))[: CLIENTS * IMAGES]
    if way == "two classes per client":
        # Sorted and cut in two pieces per client, so most have two classes.
        order = order[np.argsort(y[order], kind="stable")]
        pieces = np.array_split(order, 2 * CLIENTS)
        return [np.concatenate([pieces[i], pieces[i + CLIENTS]]) for i in range(CLIENTS)]
    return list(np.array_split(order, CLIENTS))


def together(data: lesson.Data, way: str, seed: int, rounds: int) -> byteprop.Model:
    model = network(seed)
    x = data.x.reshape(-1, 28, 28)
    for turn in range(rounds):
        rate = RATE * (rounds - turn) / rounds
        found = []
        for mine in parts(data.y, way, seed):
            client = network(seed)
            set_arrays(client, arrays_of(model))
            n = train_client(
                client, x[mine], data.y[mine], seed=turn, learning_rate=rate, schedule="constant"
            )
            found.append((arrays_of(client), n))
        set_arrays(model, average(found))
    return model


def alone(data: lesson.Data, seed: int, rounds: int) -> byteprop.Model:
    model = network(seed)
    mine = np.concatenate(parts(data.y, "all classes", seed))
    x = data.x.reshape(-1, 28, 28)[mine]
    model.fit(x, data.y[mine], epochs=rounds, learning_rate=RATE, seed=seed, window=0)
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    data = lesson.load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")
    rows = []
    for way in ("all classes", "two classes per client", "in one place"):
        for seed in range(1, args.seeds + 1):
            if way == "in one place":
                model = alone(data, seed, args.rounds)
            else:
                model = together(data, way, seed, args.rounds)
            found = model.evaluate(data.test_x.reshape(-1, 28, 28), data.test_y)["accuracy"]
            print(f"{way:24} seed {seed}: {found:.4f}", flush=True)
            values = (records.commit(), way, args.rounds, seed, f"{found:.4f}")
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    if args.record:
        records.append("federated", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
