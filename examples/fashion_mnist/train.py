"""Lesson 2: a network learns to distinguish ten kinds of clothing, in integers.

    python examples/fashion_mnist/train.py                      3 epochs, about half a minute
    python examples/fashion_mnist/train.py --full --seeds 5     20 epochs, five times: the figures
    python examples/fashion_mnist/train.py --board mps2-an386   500 images on a board

The network has 784 inputs (pixels), 20 hidden neurons and 10 outputs. It begins with random weights
and sees one image after the other. The script trains the same network in float32 with SGD and with
Adam too, so that you see what integers cost: nothing.

The 60,000 training images come from the data set alone: `apt install dataset-fashion-mnist`, or the
four files from https://github.com/zalandoresearch/fashion-mnist in a folder that --data names. This
folder has 1,000 test images only. Without the data set the script learns from 800 of them
and is tested on 200: enough to see it work, too few for figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import byteprop
from cut import DEBIAN_FOLDER, HERE, read_idx
from float_baselines import train_adam, train_sgd
from pictures import save_pictures

NAMES = "T-shirt trousers pullover dress coat sandal shirt sneaker bag boot".split()
HIDDEN = 20
# Chosen by choose_rate.py on a validation set of 10,000 training images; 0.005 is fit's default.
SGD_RATE = 0.005
ADAM_RATE = 0.002
BOARD_TEST = 200


@dataclass(frozen=True)
class Data:
    """Images uint8 [n, 784], labels uint8 [n]."""

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    is_full: bool


def load(folder: Path) -> Data:
    """The data set, or without it the test images of this folder."""
    if (folder / "train-images-idx3-ubyte.gz").exists():
        x, y, test_x, test_y = (
            read_idx(folder / f"{part}-{kind}-ubyte.gz", rank)
            for part in ("train", "t10k")
            for kind, rank in (("images-idx3", 3), ("labels-idx1", 1))
        )
        return Data(x.reshape(-1, 784), y, test_x.reshape(-1, 784), test_y, True)
    with np.load(HERE / "t10k-1000.npz") as file:
        x, y = file["x"].reshape(-1, 784), file["y"]
    return Data(x[:800], y[:800], x[800:], y[800:], False)


def network(seed: int) -> byteprop.Sequential:
    return byteprop.Sequential(
        [byteprop.Dense(HIDDEN, "relu"), byteprop.Dense(10, "softmax")],
        input_shape=(784,),
        input_range=(0, 1),
        seed=seed,
    )


def train(data: Data, epochs: int, seed: int) -> tuple[byteprop.Model, byteprop.History]:
    """With fit's defaults. The test images are only looked at, for the curves."""
    model = network(seed)
    history = model.fit(
        data.x, data.y, epochs=epochs, seed=seed, validation_data=(data.test_x, data.test_y)
    )
    return model, history


def accuracies(data: Data, epochs: int, seeds: int, baselines: str) -> dict[str, list[float]]:
    """Test accuracy of every way to train, for every seed, after the last epoch."""
    x, test_x = (images / np.float32(255) for images in (data.x, data.test_x))

    def of_float(train_one: Callable[..., object], rate: float, **more: object) -> float:
        trained = train_one(x, data.y, hidden=HIDDEN, epochs=epochs, rate=rate, **more)
        return float(np.mean(trained.predict(test_x) == data.test_y))

    def of_integers(seed: int) -> float:
        return float(train(data, epochs, seed)[0].evaluate(data.test_x, data.test_y)["accuracy"])

    ways: dict[str, Callable[[int], float]] = {"byteprop, int8 with residual, batch 1": of_integers}
    if baselines != "none":
        ways["float32 Adam, batch 32, linear decay"] = lambda s: of_float(
            train_adam, ADAM_RATE, seed=s
        )
        ways["float32 Adam, batch 32, constant rate"] = lambda s: of_float(
            train_adam, ADAM_RATE, seed=s, decay=False
        )
    if baselines == "all":
        ways["float32 SGD, batch 1, linear decay"] = lambda s: of_float(train_sgd, SGD_RATE, seed=s)
    table: dict[str, list[float]] = {}
    for name, way in ways.items():
        began = time.monotonic()
        table[name] = [way(seed) for seed in range(1, seeds + 1)]
        print_row(name, table[name], time.monotonic() - began)
    return table


def train_on_board(data: Data, board: str, port: str | None, samples: int) -> str:
    """One epoch over some images on a board, and the same on this computer; all bits have to be
    the same. Gives what `byteprop train` says."""
    from byteprop.training.options import TrainOptions
    from byteprop_host.target import BoardTarget
    from byteprop_host.training.data import Sources
    from byteprop_host.training.job import Options, train
    from byteprop_host.training.subject import Subject

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "train.npz", x=data.x[:samples], y=data.y[:samples])
        np.savez(folder / "test.npz", x=data.test_x[:BOARD_TEST], y=data.test_y[:BOARD_TEST])
        options = Options(
            Subject(net=f"784-{HIDDEN}-10"),
            Sources(folder / "train.npz", test=folder / "test.npz", validation_split=0.0),
            TrainOptions(epochs=1, seed=1),
        )
        result = train(options, BoardTarget.of(board, port=port))
    if not result.identical:
        raise SystemExit(result.text())
    return result.text()


def print_row(name: str, found: list[float], seconds: float) -> None:
    spread = f" (sd {np.std(found, ddof=1):.4f})" if len(found) > 1 else ""
    print(f"  {name:38} {np.mean(found):.4f}{spread:12} {seconds:6.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--full", action="store_true", help="20 epochs instead of 3")
    parser.add_argument("--epochs", type=int, help="any other number of epochs")
    parser.add_argument("--seeds", type=int, default=1, help="how often (default: once)")
    parser.add_argument(
        "--baselines", choices=["all", "adam", "none"], default="all", help="SGD is the slow one"
    )
    parser.add_argument("--board", help="train on this board, for instance mps2-an386")
    parser.add_argument("--port", help="where the board is plugged in; without it, an emulator")
    parser.add_argument("--samples", type=int, default=500, help="images for the board")
    parser.add_argument("--pictures", type=Path, default=Path("pictures"), metavar="FOLDER")
    args = parser.parse_args()

    data = load(args.data)
    if not data.is_full:
        print(f"{args.data} has no training images (apt install dataset-fashion-mnist).")
        print("Learning from 800 of the 1,000 test images here instead: no figures to quote.")
    if args.board:
        print(train_on_board(data, args.board, args.port, args.samples))
        return
    epochs = args.epochs or (20 if args.full else 3)
    print(f"{len(data.x):,} images to learn from, {len(data.test_x):,} to be tested on, ", end="")
    print(f"{epochs} epochs; accuracy on the test images after the last epoch:")
    accuracies(data, epochs, args.seeds, args.baselines)
    model, history = train(data, epochs, seed=1)
    answers = model.predict(data.test_x).argmax(axis=1)
    confusion = model.confusion_matrix(data.test_x, data.test_y)
    for path in save_pictures(
        args.pictures, NAMES, history.history, confusion, data.test_x, data.test_y, answers
    ):
        print(f"picture {path}")


if __name__ == "__main__":
    main()
