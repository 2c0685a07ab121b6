"""The default learning rate against the best of fixed ones, in what each of them reaches.

    python benchmarks/default_rates.py --models FOLDER [--epochs 1 3] [--cases TEXT ...] [--record]

FOLDER has ad01_int8.tflite, the anomaly detector of MLPerf Tiny. It learns the sound of
synthetic_sound.py: all layers, all but the first, the last three, two and one. The two networks of
examples/fashion_mnist and the depthwise one of fine_tuning_images.py, which is trained first, learn
1,000 images that are turned by 20 degrees. The loss is that of other samples, after as many epochs
with linear decay. Of a detector the spread is also measured: the deviation of an output from its
own mean over the samples. It is 0 where the answer is always the same.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import byteprop

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/fashion_mnist")]

import records  # noqa: E402
import synthetic_sound  # noqa: E402
from fine_tuning import turned  # noqa: E402
from fine_tuning_images import depthwise  # noqa: E402
from training_images import compiled  # noqa: E402

import train as lesson  # noqa: E402
from cut import DEBIAN_FOLDER  # noqa: E402

COLUMNS = "commit case epochs way rate loss spread".split()
EXAMPLES = HERE.parent / "examples/fashion_mnist"
SAMPLES, HELD = 1000, 2000
CLIPS, HELD_CLIPS = 10, 4
DETECTOR = {
    "all": None,
    "all but the first": "last:9",
    "last three": "last:3",
    "last two": "last:2",
    "last layer": "last",
}
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


def cases(models: Path, deep: Path) -> dict[str, Case]:
    """deep: the depthwise network."""
    found: dict[str, Case] = {}
    detector = models / "ad01_int8.tflite"
    if detector.exists():
        sound = sounds()
        for name, train in DETECTOR.items():
            found[f"ad01, {name}"] = (detector, {"train": train}, *sound)
    mlp, cnn = (EXAMPLES / f"fashion_{kind}.tflite" for kind in ("mlp", "cnn"))
    for name, path, train in (
        ("head of a CNN", cnn, "last"),
        ("last block of a CNN", cnn, "last:2"),
        ("all of a CNN", cnn, "last:3"),
        ("head of a depthwise CNN", deep, "last"),
        ("last block of a depthwise CNN", deep, "last:3"),
        ("all of a depthwise CNN", deep, "last:6"),
        ("last layer of an MLP", mlp, "last"),
        ("all of an MLP", mlp, None),
    ):
        found[name] = (path, {"train": train}, *images(path))
    return found


def depthwise_network(folder: Path) -> Path:
    return depthwise(lesson.load(DEBIAN_FOLDER), folder, compiled(folder)).path


class Outcome(NamedTuple):
    """The loss on other samples, the first rate, and the spread of a detector's answers."""

    loss: float
    rate: float
    spread: float | None


def outcome(case: Case, rate: float | None, epochs: int) -> Outcome:
    path, arguments, x, y, held, answers = case
    model = byteprop.load(path)
    model.fit(x, y, epochs=epochs, learning_rate=rate, **arguments)
    settings = model.run_in_progress.settings
    loss = model.evaluate(held, answers)["loss"]
    spread = None if y is not None else float(model.predict(held).std(0).mean())
    first = settings.rate(settings.rate_q24)
    return Outcome(loss if np.isfinite(loss) else float("inf"), first, spread)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--cases", nargs="+", metavar="TEXT", help="those whose names hold a text")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        deep = depthwise_network(Path(folder))
        chosen = {
            name: case
            for name, case in cases(args.models, deep).items()
            if not args.cases or any(text in name for text in args.cases)
        }
        for (name, case), epochs in itertools.product(chosen.items(), args.epochs):
            best = min(outcome(case, 2.0**e, epochs) for e in EXPONENTS)
            own = outcome(case, None, epochs)
            share = 100 * (own.loss / best.loss - 1)
            print(f"{name:30} {epochs} epochs, default {share:+6.1f} %", flush=True)
            for way, found in (("best", best), ("default", own)):
                spread = "" if found.spread is None else f"{found.spread:.3f}"
                values = name, epochs, way, f"{found.rate:.3e}", f"{found.loss:.4f}", spread
                print("   ", *values[2:], flush=True)
                row = (records.commit(), *values)
                rows.append(dict(zip(COLUMNS, row, strict=True)))
    if args.record:
        records.append("default-rates", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
