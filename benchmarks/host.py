"""Inference on this machine, compared with tflite-runtime and LiteRT: one thread, in one run.

    python benchmarks/host.py [--part inference|reals] [--record]

A call is one sample in and one answer out, from Python; for an interpreter that is set_tensor,
invoke and get_tensor. The contestants take turns in every round, so that a machine that slows
down slows all of them; a figure is the median of the rounds. What is not installed is left out.

Then real numbers in and out: `Model.predict` and `Model.run` on Fashion-MNIST, and how many
values per second become integers; the best of the rounds, since both do the same work each time.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))
import records  # noqa: E402

import byteprop  # noqa: E402
from byteprop.graph import Normalization  # noqa: E402
from byteprop.graph.boundary import Boundary  # noqa: E402
from byteprop_host.console import table  # noqa: E402
from models import DATA  # noqa: E402

COLUMNS = "commit cpu contestant model call_us batch batch_samples_per_second".split()
REALS_COLUMNS = (
    "commit cpu model values run_call_us predict_call_us batch run_ms predict_ms "
    "encode_million_per_second normalise_million_per_second"
).split()
MODEL = "fashion_mlp_perchannel"
IMAGES = Path(__file__).resolve().parents[1] / "examples/fashion_mnist/t10k-1000.npz"
ROUNDS = 7
CALLS = 2000
BATCH = 10_000

Array = np.ndarray[Any, Any]
Contestant = tuple[Callable[[Array], Array], Callable[[Array], Array]]


def interpreters(data: bytes) -> dict[str, Callable[[], Any]]:
    """By name: what makes an interpreter for one thread."""
    found: dict[str, Callable[[], Any]] = {}
    try:
        from tflite_runtime import interpreter as tflite
    except ImportError:
        print("tflite-runtime is not installed; left out", file=sys.stderr)
    else:
        for name, resolver in (("default", "AUTO"), ("reference", "BUILTIN_REF")):
            kind = getattr(tflite.OpResolverType, resolver)
            found[f"tflite-runtime, {name} kernels"] = partial(
                tflite.Interpreter,
                model_content=data,
                num_threads=1,
                experimental_op_resolver_type=kind,
            )
    try:
        from ai_edge_litert import interpreter as litert
    except ImportError:
        print("ai-edge-litert is not installed; left out", file=sys.stderr)
    else:
        found["ai-edge-litert"] = partial(litert.Interpreter, model_content=data, num_threads=1)
    return found


def contestants(data: bytes) -> dict[str, Contestant]:
    """By name: a call on one sample, and one on a batch."""
    model = byteprop.load(data)
    made = {name: _single_and_batch(make) for name, make in interpreters(data).items()}
    return {"byteprop": (model.run, model.run), **made}


def _single_and_batch(make: Callable[[], Any]) -> Contestant:
    """One interpreter for single samples, and one resized to the batch."""
    single = make()
    single.allocate_tensors()
    many = make()
    shape = many.get_input_details()[0]["shape"]
    many.resize_tensor_input(many.get_input_details()[0]["index"], [BATCH, *shape[1:]])
    many.allocate_tensors()
    return invoke(single), invoke(many)


def invoke(interpreter: Any) -> Callable[[Array], Array]:
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


def measure_reals(data: bytes, rounds: int) -> list[dict[str, object]]:
    """A row for each dtype that predict takes without a copy."""
    model = byteprop.load(data)
    pixels = np.tile(np.load(IMAGES)["x"], (BATCH // 1000, 1, 1))
    codes = (pixels.astype(np.int16) - 128).astype(np.int8)
    batches: dict[str, Array] = {
        "float32": pixels.astype(np.float32) / np.float32(255),
        "float64": pixels / 255,
        "uint8": pixels,
    }
    source = model.graph.tensors[model.graph.inputs[0]]
    features = np.ones(source.elems, np.float32)
    normalized = replace(source, normalization=Normalization(features, features))
    calls: dict[str, tuple[Callable[[Array], Any], Array, int]] = {}
    for name, x in {"run": codes, **batches}.items():
        call = model.run if name == "run" else model.predict
        calls[f"{name} call"] = call, x[:1].copy(), CALLS
        calls[f"{name} batch"] = call, x, 1
    for kind, tensor in (("encode", source), ("normalise", normalized)):
        for name, x in batches.items():
            calls[f"{name} {kind}"] = partial(Boundary(tensor).quantize, argument="x"), x, 1
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(3 * rounds):
        for name, (call, x, repeats) in calls.items():
            best[name] = min(best[name], seconds(call, x, repeats))
    return [
        {
            "commit": records.commit(),
            "cpu": cpu_name(),
            "model": MODEL,
            "values": name,
            "run_call_us": f"{best['run call'] * 1e6:.2f}",
            "predict_call_us": f"{best[f'{name} call'] * 1e6:.2f}",
            "batch": BATCH,
            "run_ms": f"{best['run batch'] * 1e3:.2f}",
            "predict_ms": f"{best[f'{name} batch'] * 1e3:.2f}",
            "encode_million_per_second": round(x.size / best[f"{name} encode"] / 1e6),
            "normalise_million_per_second": round(x.size / best[f"{name} normalise"] / 1e6),
        }
        for name, x in batches.items()
    ]


def reals_table(rows: list[dict[str, object]]) -> str:
    shown = [
        [
            str(row["values"]),
            str(row["predict_call_us"]),
            str(row["predict_ms"]),
            f"{float(str(row['predict_ms'])) / float(str(row['run_ms'])):.2f}",
            str(row["encode_million_per_second"]),
            str(row["normalise_million_per_second"]),
        ]
        for row in rows
    ]
    return table(
        shown,
        header=[
            "predict",
            "call, us",
            f"ms of {BATCH:,}",
            "times run",
            "encoded, 10^6/s",
            "normalised too",
        ],
        right=frozenset(range(1, 6)),
    )


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def inference_rows(figures: dict[str, tuple[float, float]]) -> list[dict[str, object]]:
    return [
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


def inference_table(figures: dict[str, tuple[float, float]]) -> str:
    own = figures["byteprop"]
    return table(
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--part", choices=("inference", "reals"), help="default: both")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    data = (DATA / f"{MODEL}.tflite").read_bytes()
    found: list[tuple[str, list[str], list[dict[str, object]]]] = []
    if args.part != "reals":
        figures = measure(data, args.rounds)
        print(inference_table(figures))
        found.append(("host-inference", COLUMNS, inference_rows(figures)))
    if args.part != "inference":
        reals = measure_reals(data, args.rounds)
        print(reals_table(reals))
        found.append(("host-reals", REALS_COLUMNS, reals))
    if args.record:
        for name, columns, rows in found:
            print(f"recorded in {records.append(name, columns, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
