"""Measures an inference on a board: whole and layer by layer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import byteprop
from byteprop_host.boards.board import NATIVE, Board
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.reading import Reading
from byteprop_host.data.samples import SampleSet, batched, choose
from byteprop_host.deployment import Deployment, deploy
from byteprop_host.target import BoardTarget
from byteprop_host.verify.layers import MeasuredLayer, measured_layers

ROUNDS = 5


@dataclass(frozen=True)
class Latency:
    """Times on this computer: a Python call on one sample, and a batch. Medians of rounds."""

    call_seconds: float
    batch: int
    samples_per_second: float


@dataclass(frozen=True)
class Bench:
    """unit: of the costs: "instructions", "cycles", "ns"; or "none", and costs are None.

    The board subtracts the cost of reading its counter from every figure.
    """

    model: str
    board: Board
    unit: str
    median: int | None
    minimum: int | None
    maximum: int | None
    per_mac: float | None
    macs: int
    samples: int
    layers: tuple[MeasuredLayer, ...]
    flash_bytes: int | None
    ram_bytes: int | None
    model_bytes: int
    arena_bytes: int
    stack_used_bytes: int | None
    sizes: Mapping[str, int]
    latency: Latency | None
    source: str = ""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = dict(vars(self))
        values["board"] = self.board.name
        values["layers"] = [layer.to_json() for layer in self.layers]
        values["latency"] = None if self.latency is None else vars(self.latency)
        return values


def bench(
    model: Path,
    on: BoardTarget,
    *,
    data: Path | None = None,
    samples: int | None = None,
    reading: Reading | None = None,
    keep_dead_channels: bool = False,
    progress: Progress = no_progress,
) -> Bench:
    """Measures `model` on a board over a few samples (8 generated ones by default)."""
    loaded = byteprop.load(model, keep_dead_channels=keep_dead_channels)
    chosen = choose(loaded.graph, data, samples or 8, reading=reading)
    with deploy(on, loaded.image, progress=progress) as deployment:
        return _measure(deployment, loaded, str(model), chosen, progress)


def _measure(
    deployment: Deployment,
    model: byteprop.Model,
    name: str,
    samples: SampleSet,
    progress: Progress,
) -> Bench:
    ticks = []
    profiles = []
    for i in range(samples.n):
        ticks.append(deployment.device.infer(samples.bytes_of(i)).ticks)
        profiles.append(deployment.device.profile())
        progress("measure", i + 1, samples.n)
    whole = [deployment.cost(t) for t in ticks]
    costs = [deployment.cost(float(t)) for t in np.median(profiles, axis=0)]
    known = [w for w in whole if w is not None]
    median = int(np.median(known)) if known else None
    is_host = deployment.board.build.toolchain == NATIVE
    stats = deployment.device.stats()
    return Bench(
        model=name,
        board=deployment.board,
        unit=deployment.unit,
        median=median,
        minimum=min(known) if known else None,
        maximum=max(known) if known else None,
        per_mac=median / model.macs if median is not None and model.macs else None,
        macs=model.macs,
        samples=samples.n,
        layers=measured_layers(model, costs),
        flash_bytes=deployment.firmware.flash_bytes or None,
        ram_bytes=deployment.firmware.ram_bytes or None,
        model_bytes=deployment.model_bytes,
        arena_bytes=model.arena_bytes,
        stack_used_bytes=stats.stack_bytes - stats.stack_free,
        sizes=deployment.firmware.sizes,
        latency=host_latency(model, samples) if is_host else None,
        source=samples.source,
        warnings=samples.warnings,
    )


def host_latency(model: byteprop.Model, samples: SampleSet, *, batch: int = 1000) -> Latency:
    """Times `Model.run` on this machine, one thread."""
    repeats = -(-batch // samples.n)
    tensors = [model.graph.tensors[i] for i in model.graph.inputs]
    pairs = list(zip(samples.file, tensors, strict=True))
    one = [batched(x[:1], t) for x, t in pairs]
    many = [batched(np.concatenate([x] * repeats)[:batch], t) for x, t in pairs]
    single = _median_seconds(lambda: _call(model, one), 500)
    whole = _median_seconds(lambda: _call(model, many), 3)
    return Latency(single, batch, batch / whole)


def _call(model: byteprop.Model, arrays: Sequence[np.ndarray[Any, Any]]) -> object:
    return model.run(arrays[0] if len(arrays) == 1 else tuple(arrays))


def _median_seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        rounds.append((time.perf_counter() - began) / repeats)
    return float(np.median(rounds))
