"""The default learning rate against the best of fixed ones, in what each of them reaches.

    python benchmarks/default_rates.py --models FOLDER [--epochs 1] [--record]

FOLDER has ad01_int8.tflite, the anomaly detector of MLPerf Tiny. It learns the sound of
synthetic_sound.py: all layers, the last one, the last two. The head of examples/fashion_mnist's
convolutional network and the last dense layer of its dense network learn 1,000 images that are
turned by 20 degrees. The loss is that of other samples, after as many epochs with linear decay.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import byteprop

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402
import synthetic_sound  # noqa: E402
from fine_tuning import turned  # noqa: E402

import train as lesson  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

COLUMNS = "commit case epochs way rate loss".split()
EXAMPLES = HERE.parent / "examples/fashion_mnist"
SAMPLES, HELD = 1000, 2000
CLIPS, HELD_CLIPS = 10, 4
# Powers of two, from where nothing is learnt to where everything breaks.
EXPONENTS = range(-20, 4)

Case = tuple[Path, dict[str, Any], Any, Any, Any, Any]


def images(path: Path) -> tuple[Any, Any, Any, Any]:
    data = lesson.load(DEBIAN_FOLDER)
    shape = byteprop.load(path).inputs[0].shape[1:]
    cut = turned(data.x[: SAMPLES + HELD]).reshape(-1, *shape) / np.float32(255)
    y = data.y[: SAMPLES + HELD]
    return cut[:SAMPLES], y[:SAMPLES], cut[SAMPLES:], y[SAMPLES:]


def sounds() -> tuple[Any, Any, Any, Any]:
    x, held = synthetic_sound.windows(1000, CLIPS), synthetic_sound.windows(5000, HELD_CLIPS)
    return x, None, held, held


def cases(models: Path) -> dict[str, Case]:
    found: dict[str, Case] = {}
    detector = models / "ad01_int8.tflite"
    if detector.exists():
        sound = sounds()
        for name, train in (("all", None), ("last layer", "last"), ("last two", "last:2")):
            found[f"ad01, {name}"] = (detector, {"train": train}, *sound)
    for name, file in (("head of a CNN", "fashion_cnn"), ("last layer of an MLP", "fashion_mlp")):
        path = EXAMPLES / f"{file}.tflite"
        found[name] = (path, {"train": "last"}, *images(path))
    found["all of an MLP"] = (path, {}, *images(path))
    return found


def outcome(case: Case, rate: float | None, epochs: int) -> tuple[float, float]:
    """The first rate, and the loss on other samples."""
    path, arguments, x, y, held, answers = case
    model = byteprop.load(path)
    history = model.fit(x, y, epochs=epochs, learning_rate=rate, **arguments)
    del history
    settings = model.run_in_progress.settings
    loss = model.evaluate(held, answers)["loss"]
    return settings.rate(settings.rate_q24), loss if np.isfinite(loss) else float("inf")


def best_of(measure: Callable[[float], float]) -> tuple[float, float]:
    """Loss and rate of the best power of two."""
    return min((measure(2.0**e), 2.0**e) for e in EXPONENTS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    for name, case in cases(args.models).items():
        before = byteprop.load(case[0]).evaluate(case[4], case[5])["loss"]
        for epochs in args.epochs:
            best, rate = best_of(lambda r, c=case, n=epochs: outcome(c, r, n)[1])  # type: ignore[misc]
            chosen, loss = outcome(case, None, epochs)
            print(
                f"{name:22} {epochs} epochs: before {before:8.4f}, best {best:8.4f} at {rate:.2e}, "
                f"default {loss:8.4f} at {chosen:.2e}, {100 * (loss / best - 1):+6.1f} %",
                flush=True,
            )
            for way, r, value in (("best", rate, best), ("default", chosen, loss)):
                values = (records.commit(), name, epochs, way, f"{r:.3e}", f"{value:.4f}")
                rows.append(dict(zip(COLUMNS, values, strict=True)))
    if args.record:
        records.append("default-rates", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
