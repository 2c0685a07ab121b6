"""Training on this machine, compared with Keras, PyTorch and scikit-learn: one thread, in one run.

    python benchmarks/training_host.py [--epochs 3] [--rounds 3] [--record]

Fashion-MNIST, 784-20-10: 60,000 images per epoch, and after every epoch the accuracy on the 10,000
test images, all of it inside the time. byteprop trains at batch 1, the others at batch 32 with Adam
at its usual constants; PyTorch runs a plain loop over tensors that are in memory. The contestants
take turns in every round, so that a machine that slows down slows all of them; a figure is the
median of the rounds. All threads are bound to one CPU and the time is the CPU's, which is what a
clock on the wall shows when nothing else runs. What is not installed is left out.

Data in memory is float32 for the others, made before the clock starts; byteprop gets the pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402
from host import cpu_name  # noqa: E402

from byteprop_host.console import table  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402
from train import HIDDEN, Data, load, network  # noqa: E402

COLUMNS = "commit cpu contestant version batch epochs samples_per_second test_accuracy".split()
BATCH = 32

# Trains for so many epochs, with the validation, and gives the last accuracy.
Contestant = Callable[[int], float]


def byteprop_way(data: Data) -> tuple[str, Contestant]:
    def run(epochs: int) -> float:
        model = network(seed=1)
        held = (data.test_x, data.test_y)
        history = model.fit(data.x, data.y, epochs=epochs, seed=1, validation_data=held)
        return float(history.history["val_accuracy"][-1])

    return records.commit(), run


def keras_way(data: Data) -> tuple[str, Contestant]:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    x, test_x = _floats(data)

    def run(epochs: int) -> float:
        model = keras.Sequential(
            [
                keras.layers.Input((784,)),
                keras.layers.Dense(HIDDEN, activation="relu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            x, data.y, batch_size=BATCH, epochs=epochs, verbose=0,
            validation_data=(test_x, data.test_y),
        )  # fmt: skip
        return float(history.history["val_accuracy"][-1])

    return f"{keras.__version__} on {keras.backend.backend()}", run


def torch_way(data: Data) -> tuple[str, Contestant]:
    import torch

    torch.set_num_threads(1)
    x, test_x = (torch.from_numpy(a) for a in _floats(data))
    y, test_y = (torch.from_numpy(a.astype(np.int64)) for a in (data.y, data.test_y))

    def run(epochs: int) -> float:
        model = torch.nn.Sequential(
            torch.nn.Linear(784, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 10)
        )
        optimiser = torch.optim.Adam(model.parameters())
        loss = torch.nn.CrossEntropyLoss()
        accuracy = 0.0
        for _ in range(epochs):
            for chosen in torch.randperm(len(x)).split(BATCH):
                optimiser.zero_grad()
                loss(model(x[chosen]), y[chosen]).backward()
                optimiser.step()
            with torch.no_grad():
                accuracy = float((model(test_x).argmax(1) == test_y).float().mean())
        return accuracy

    return str(torch.__version__), run


def sklearn_way(data: Data) -> tuple[str, Contestant]:
    import sklearn
    from sklearn.neural_network import MLPClassifier

    x, test_x = _floats(data)

    def run(epochs: int) -> float:
        model = MLPClassifier((HIDDEN,), batch_size=BATCH, alpha=0.0)
        accuracy = 0.0
        draw = np.random.RandomState(1)
        for _ in range(epochs):
            order = draw.permutation(len(x))
            model.partial_fit(x[order], data.y[order], classes=np.arange(10))
            accuracy = float(model.score(test_x, data.test_y))
        return accuracy

    return sklearn.__version__, run


def _floats(data: Data) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return data.x / np.float32(255), data.test_x / np.float32(255)


WAYS = {
    "byteprop": (byteprop_way, 1),
    "Keras": (keras_way, BATCH),
    "PyTorch": (torch_way, BATCH),
    "scikit-learn": (sklearn_way, BATCH),
}


def contestants(data: Data) -> dict[str, tuple[str, Contestant]]:
    found = {}
    for name, (make, _) in WAYS.items():
        try:
            found[name] = make(data)
        except ImportError:
            print(f"{name} is not installed; left out", file=sys.stderr)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    data = load(args.data)
    if not data.is_full:
        sys.exit(f"{args.data} has no training images: apt install dataset-fashion-mnist")

    found = contestants(data)
    seconds: dict[str, list[float]] = {name: [] for name in found}
    accuracy: dict[str, float] = {}
    for warm_up in (True, *([False] * args.rounds)):
        for name, (_, run) in found.items():
            began = time.process_time()
            accuracy[name] = run(1 if warm_up else args.epochs)
            if not warm_up:
                seconds[name].append(time.process_time() - began)
    samples = args.epochs * len(data.x)
    speeds = {name: samples / statistics.median(s) for name, s in seconds.items()}
    rows = [
        {
            "commit": records.commit(),
            "cpu": cpu_name(),
            "contestant": name,
            "version": found[name][0],
            "batch": WAYS[name][1],
            "epochs": args.epochs,
            "samples_per_second": round(speed),
            "test_accuracy": f"{accuracy[name]:.4f}",
        }
        for name, speed in speeds.items()
    ]
    print(
        table(
            [
                [
                    f"{r['contestant']} {r['version']}",
                    str(r["batch"]),
                    f"{r['samples_per_second']:,}",
                    f"{speeds['byteprop'] / speeds[str(r['contestant'])]:.2f}",
                    str(r["test_accuracy"]),
                ]
                for r in rows
            ],
            header=["", "batch", "samples/s", "byteprop is times faster", "test accuracy"],
            right=frozenset({1, 2, 3, 4}),
        )
    )
    if args.record:
        print(f"recorded in {records.append('host-training', COLUMNS, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
