"""Inference on this machine beside tflite-runtime and LiteRT, one thread, in one run.

    python benchmarks/host.py [--record]

A call is one sample in and one answer out, from Python; for an interpreter that is set_tensor,
invoke and get_tensor. The contestants take turns in every round, so that a machine that slows
down slows all of them; a figure is the median of the rounds. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))
import records  # noqa: E402

import byteprop  # noqa: E402
from byteprop_host.console import table  # noqa: E402
from models import DATA  # noqa: E402

COLUMNS = "commit cpu contestant model call_us batch batch_samples_per_second".split()
MODEL = "fashion_mlp_perchannel"
ROUNDS = 7
CALLS = 2000
BATCH = 10_000

Array = np.ndarray[Any, Any]
Contestant = tuple[Callable[[Array], Array], Callable[[Array], Array]]


def contestants(data: bytes) -> dict[str, Contestant]:
    """By name: a call on one sample, and one on a batch."""
    model = byteprop.load(data)
    found: dict[str, Contestant] = {"byteprop": (model.run, model.run)}
    try:
        from tflite_runtime import interpreter as tflite
    except ImportError:
        print("tflite-runtime is not installed; left out", file=sys.stderr)
    else:
        for name, resolver in (("default", "AUTO"), ("reference", "BUILTIN_REF")):
            kind = getattr(tflite.OpResolverType, resolver)
            found[f"tflite-runtime, {name} kernels"] = _interpreters(
                partial(
                    tflite.Interpreter,
                    model_content=data,
                    num_threads=1,
                    experimental_op_resolver_type=kind,
                )
            )
    try:
        from ai_edge_litert import interpreter as litert
    except ImportError:
        print("ai-edge-litert is not installed; left out", file=sys.stderr)
    else:
        found["ai-edge-litert"] = _interpreters(
            partial(litert.Interpreter, model_content=data, num_threads=1)
        )
    return found


def _interpreters(make: Callable[[], Any]) -> Contestant:
    """One interpreter for single samples, and one resized to the batch."""
    single = make()
    single.allocate_tensors()
    many = make()
    shape = many.get_input_details()[0]["shape"]
    many.resize_tensor_input(many.get_input_details()[0]["index"], [BATCH, *shape[1:]])
    many.allocate_tensors()
    return _invoke(single), _invoke(many)


def _invoke(interpreter: Any) -> Callable[[Array], Array]:
    at_input = interpreter.get_input_details()[0]["index"]
    at_output = interpreter.get_output_details()[0]["index"]

    def call(x: Array) -> Array:
        interpreter.set_tensor(at_input, x)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(at_output))

    return call


def seconds(call: Callable[[Array], Array], x: Array, repeats: int) -> float:
    """Of one call."""
    began = time.perf_counter()
    for _ in range(repeats):
        call(x)
    return (time.perf_counter() - began) / repeats


def measure(data: bytes, rounds: int) -> dict[str, tuple[float, float]]:
    """Seconds of a call and of a batch, by contestant."""
    draw = np.random.RandomState(1)
    batch = draw.randint(-128, 128, (BATCH, 28, 28)).astype(np.int8)
    one = batch[:1].copy()
    found = contestants(data)
    singles: dict[str, list[float]] = {name: [] for name in found}
    batches: dict[str, list[float]] = {name: [] for name in found}
    for warm_up in (True, *([False] * rounds)):
        for name, (single, many) in found.items():
            a = seconds(single, one, 10 if warm_up else CALLS)
            b = seconds(many, batch, 1)
            if not warm_up:
                singles[name].append(a)
                batches[name].append(b)
    return {n: (statistics.median(singles[n]), statistics.median(batches[n])) for n in found}


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    figures = measure((DATA / f"{MODEL}.tflite").read_bytes(), args.rounds)
    rows = [
        {
            "commit": records.commit(),
            "cpu": cpu_name(),
            "contestant": name,
            "model": MODEL,
            "call_us": f"{call * 1e6:.2f}",
            "batch": BATCH,
            "batch_samples_per_second": round(BATCH / batch),
        }
        for name, (call, batch) in figures.items()
    ]
    own = figures["byteprop"]
    print(
        table(
            [
                [
                    name,
                    f"{call * 1e6:.2f}",
                    f"{call / own[0]:.2f}",
                    f"{BATCH / batch:,.0f}",
                    f"{batch / own[1]:.2f}",
                ]
                for name, (call, batch) in figures.items()
            ],
            header=["", "call, us", "times byteprop", f"samples/s of {BATCH:,}", "times byteprop"],
            right=frozenset({1, 2, 3, 4}),
        )
    )
    if args.record:
        print(f"recorded in {records.append('host-inference', COLUMNS, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
