"""Lets a board infer samples again and again, for a view."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np

import byteprop
from byteprop.reference import dequantize
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.classes import read_classes
from byteprop_host.data.reading import Reading
from byteprop_host.data.samples import SampleSet, choose
from byteprop_host.deployment import Deployment, deploy
from byteprop_host.target import BoardTarget
from byteprop_host.watch.views import InferenceView

_RATE_SAMPLES = 8  # the rate is that of the last ones


def infer_for_view(
    file: Path,
    on: BoardTarget,
    show: Callable[[InferenceView], object],
    *,
    data: Path | None = None,
    samples: int | None = None,
    reading: Reading | None = None,
    classes: Path | None = None,
    keep_dead_channels: bool = False,
    per_second: float | None = None,
    seconds: float | None = None,
    started: Callable[[InferenceView], object] = lambda view: None,
    progress: Progress = no_progress,
) -> InferenceView:
    """Calls `show` after each answer, until `seconds` have passed; without them, for ever.

    per_second: samples, at most. started: called once, when the board runs.
    """
    model = byteprop.load(file, keep_dead_channels=keep_dead_channels)
    chosen = choose(model.graph, data, samples, reading=reading)
    output = model.graph.tensors[model.graph.outputs[0]]
    names = chosen.classes if classes is None else read_classes(classes, output.elems)
    with deploy(on, model.image, progress=progress) as deployment:
        view = InferenceView(
            f"{file.name} on {deployment.board.title} ({deployment.board.cpu})",
            names,
            deployment.unit,
        )
        started(view)
        for _ in _answers(view, deployment, model, chosen, per_second, seconds):
            show(view)
    return view


def _answers(
    view: InferenceView,
    deployment: Deployment,
    model: byteprop.Model,
    samples: SampleSet,
    per_second: float | None,
    seconds: float | None,
) -> Iterator[None]:
    tensor = model.graph.tensors[model.graph.outputs[0]]
    began = last = time.monotonic()
    moments: list[float] = [began]
    for k in count():
        i = k % samples.n
        answer = deployment.device.infer(samples.bytes_of(i))
        output = answer.output[: tensor.elems]
        codes = np.frombuffer(output, tensor.dtype.value_numpy)
        now = time.monotonic()
        moments = [*moments[-_RATE_SAMPLES:], now]
        view.add(
            i,
            dequantize(codes, tensor.scale, tensor.zero_point).tolist(),
            None if samples.labels is None else int(samples.labels[i]),
            deployment.cost(answer.ticks),
            (len(moments) - 1) / max(moments[-1] - moments[0], 1e-9),
        )
        yield
        if seconds is not None and time.monotonic() - began >= seconds:
            return
        if per_second is not None:
            last = max(last + 1 / per_second, time.monotonic() - 1 / per_second)
            time.sleep(max(last - time.monotonic(), 0.0))
