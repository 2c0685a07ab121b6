"""Convolutional models on this machine, compared with tflite-runtime and LiteRT: one thread, in one
run.

    BYTEPROP_PUBLIC_MODELS=FOLDER python benchmarks/host_models.py [--seconds 5] [--record]

A call is one sample in and one answer out, from Python, as in host.py. The contestants take turns:
each makes a call that is not counted, then one that is. A figure is the shortest call, because what
else runs on the machine only ever makes a call longer. byteprop runs by every instruction set of
the CPU. Models and runtimes that are not there are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import host  # first: it sets the number of threads
import numpy as np
import records

import byteprop
from byteprop.engine import _raw
from byteprop_host.console import table
from models import PUBLIC, ROOT

COLUMNS = "commit cpu contestant model call_us".split()
MODELS: dict[str, Path] = {
    "fashion_cnn": ROOT / "examples/fashion_mnist/fashion_cnn.tflite",
    **{
        name: PUBLIC / f"{name}.tflite"
        for name in ("kws_dscnn", "ic01_resnet8", "vww_mobilenet_96", "ad01_int8")
    },
}
# Of the calls of a slow contestant, fewer are enough.
SLOW, SLOW_CALLS = 0.002, 20

Call = Callable[[], Any]


def contestants(data: bytes) -> dict[str, Call]:
    """By name: a call on one random sample."""
    model = byteprop.load(data)
    (info,) = model.inputs
    draw = np.random.RandomState(1)
    x = draw.randint(-128, 128, info.shape).astype(info.dtype)
    found: dict[str, Call] = {}
    for isa in _raw.isa_names():
        _raw.isa_select(isa)
        found[f"byteprop, {isa}"] = _by(isa, byteprop.load(data), x)
    peers = host.interpreters(data)
    return found | {name: _peer(make(), x) for name, make in peers.items()}


def _by(isa: str, model: byteprop.Model, x: host.Array) -> Call:
    def call() -> Any:
        if _raw.isa_name() != isa:  # in the call that is not counted
            _raw.isa_select(isa)
        return model.run(x)

    return call


def _peer(interpreter: Any, x: host.Array) -> Call:
    interpreter.allocate_tensors()
    invoke = host.invoke(interpreter)
    return lambda: invoke(x)


def measure(calls: dict[str, Call], seconds: float) -> dict[str, float]:
    """Seconds of the shortest call of each."""
    best = dict.fromkeys(calls, float("inf"))
    end, turn = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or turn < SLOW_CALLS:
        for name, call in calls.items():
            if best[name] > SLOW and turn >= SLOW_CALLS:
                continue
            call()
            began = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - began)
        turn += 1
    return best


def shown(figures: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(figures.values())))
    rows = [[name, *(f"{found[name] * 1e6:.1f}" for found in figures.values())] for name in names]
    header = ["microseconds", *figures]
    return table(rows, header=header, right=frozenset(range(1, len(header))))


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="per model")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    paths = {name: path for name, path in MODELS.items() if path.exists()}
    figures = {n: measure(contestants(p.read_bytes()), args.seconds) for n, p in paths.items()}
    print(shown(figures))
    if args.record:
        rows = [
            {
                "commit": records.commit(),
                "cpu": host.cpu_name(),
                "contestant": contestant,
                "model": model,
                "call_us": f"{seconds * 1e6:.1f}",
            }
            for model, found in figures.items()
            for contestant, seconds in found.items()
        ]
        print(f"recorded in {records.append('host-models', COLUMNS, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
