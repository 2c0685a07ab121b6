"""What examples/wake_word takes per second of sound, and how good it is.

    python benchmarks/wake_word.py [--cpu cortex-m0] [--minutes 40] [--record]

Instructions of the front end and of a step of the model on emulated CPUs, counted as
audio_bench and model_bench do; a second has 50 windows and 16.7 steps. Then the figures of
examples/wake_word/evaluate.py, unless --minutes is 0. With --record all of them are appended to
benchmarks/results/wake-word.csv and wake-word-accuracy.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
EXAMPLE = BENCHMARKS.parent / "examples/wake_word"
sys.path[:0] = [
    str(BENCHMARKS / name) for name in ("", "dense_bench", "model_bench", "audio_bench")
]
sys.path.insert(0, str(EXAMPLE))
import audio_bench  # noqa: E402
import model_bench  # noqa: E402
import records  # noqa: E402

import byteprop  # noqa: E402
import evaluate  # noqa: E402
import network  # noqa: E402

MODEL = EXAMPLE / "wake_word.tflite"
FLAGS = ["-O2"]
CPUS = ("cortex-m4", "cortex-m0", "rv32imac")
COLUMNS = (
    "cpu front_end_per_second model_per_step model_per_second total_per_second commit compiler"
).split()
ACCURACY_COLUMNS = "condition threshold missed total hours commit".split()


def instructions(cpu: str) -> dict[str, object]:
    machine = audio_bench.MACHINES[cpu]
    window = audio_bench.measure(machine, FLAGS).instructions
    step = model_bench.measure(model_bench.MACHINES[cpu], MODEL, FLAGS).instructions
    front_end = window * audio_bench.WINDOWS_PER_SECOND
    model = round(step * audio_bench.WINDOWS_PER_SECOND / network.STEP)
    print(
        f"{cpu:10} per second of sound: front end {front_end:>9,}, model {model:>9,} "
        f"({step:,} per step), together {front_end + model:>9,} instructions",
        flush=True,
    )
    return {
        "cpu": cpu,
        "front_end_per_second": front_end,
        "model_per_step": step,
        "model_per_second": model,
        "total_per_second": front_end + model,
        "commit": records.commit(),
        "compiler": machine.compiler_version(),
    }


def accuracy(minutes: float, seed: int) -> list[dict[str, object]]:
    found = evaluate.figures(byteprop.load(MODEL), minutes, evaluate.THRESHOLDS, seed)
    print(evaluate.text(found))
    return [{**vars(figure), "commit": records.commit()} for figure in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", choices=[*CPUS, "none"], help="default: all")
    parser.add_argument("--minutes", type=float, default=40.0, help="of sound (default: 40)")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    args = parser.parse_args()
    rows = [instructions(cpu) for cpu in CPUS if args.cpu in (None, cpu)]
    figures = accuracy(args.minutes, evaluate.SEED) if args.minutes else []
    if args.record and rows:
        print(f"recorded in {records.append('wake-word', COLUMNS, rows)}")
    if args.record and figures:
        print(f"recorded in {records.append('wake-word-accuracy', ACCURACY_COLUMNS, figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
