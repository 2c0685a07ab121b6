"""Verifies a model on a board: build, start, stream samples, compare every output byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import byteprop
from byteprop.engine._raw import crc32
from byteprop.errors import ArgumentError
from byteprop.graph import Graph, Kind
from byteprop.importer import graph_of_file
from byteprop.importer.formats import TFLITE, model_kind
from byteprop.training.metrics import confusion
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.classes import names_of, read_classes
from byteprop_host.data.reading import Reading
from byteprop_host.data.samples import Ints, SampleSet, choose
from byteprop_host.deployment import Deployment, deploy
from byteprop_host.link import Device, InferAnswer
from byteprop_host.stopwatch import Stopwatch
from byteprop_host.target import BoardTarget
from byteprop_host.verify.arena import arena_map
from byteprop_host.verify.compare import (
    Comparison,
    Difference,
    LayerDifference,
    compare_outputs,
    first_different_layer,
)
from byteprop_host.verify.layers import MeasuredLayer, measured_layers
from byteprop_host.verify.other_kernels import OtherKernels, compare_with_others
from byteprop_host.verify.references import Reference, ReferenceKind, choose_reference
from byteprop_host.verify.verdict import Accuracy, Figures, Verdict

_MEASURED_SAMPLES = 8


def verify(
    model: Path,
    on: BoardTarget | None = None,
    *,
    data: Path | None = None,
    labels: Path | None = None,
    samples: int | None = None,
    reading: Reading | None = None,
    reference: ReferenceKind = ReferenceKind.AUTO,
    against: Path | None = None,
    keep_dead_channels: bool = False,
    classes: Path | None = None,
    other_kernels: bool = False,
    progress: Progress = no_progress,
) -> Verdict:
    """Runs `model` on a board and compares it with a reference.

    on: the board; None: `host`. data: samples (`byteprop.data` names the formats), with labels or
    expected outputs if the file has them; None: generated samples. against: the model file that the
    reference runs, when `model` is another form of it (a .bpm made from a .tflite).
    keep_dead_channels: as byteprop.load. classes: a file with their names. other_kernels: also
    compare with the default kernels of LiteRT and tflite-runtime, where they are installed.
    """
    whole = Stopwatch()
    target = on or BoardTarget.of()
    source = partial(choose, data=data, n=samples, labels=labels, reading=reading)
    load = partial(byteprop.load, keep_dead_channels=keep_dead_channels)
    task = _prepare(load, model, against, source, reference, progress)
    names = _class_names(task, classes)
    with deploy(target, task.model.image, progress=progress) as deployment:
        run = _run_samples(deployment.device, task, progress)
        comparison = compare_outputs(task.truth, run.outputs, task.expected)
        from_file = _compare_with_file(task, run)
        layer, note = _locate(deployment.device, task, comparison, from_file)
        layers, figures = _measure(deployment, task, run, whole)
    others: tuple[OtherKernels, ...] = ()
    if other_kernels:
        others = compare_with_others(
            task.content, task.whole, task.samples, run.outputs, progress=progress
        )
    return Verdict(
        model=str(model),
        model_crc32=deployment.model_crc32,
        against=str(against) if against else None,
        board=deployment.board,
        model_source=deployment.source,
        build_id=deployment.device.info.build_id,
        samples=task.samples,
        reference=task.reference,
        reference_seconds=task.reference_seconds,
        comparison=comparison,
        expected=from_file,
        by_digest=run.by_digest,
        layer=layer,
        layer_note=note,
        accuracy=_accuracy(task, run),
        layers=layers,
        arena=arena_map(task.model.graph, task.model.image),
        figures=figures,
        outputs=run.outputs,
        graph=task.truth,
        expected_outputs=task.expected,
        others=others,
        classes=names,
    )


def _class_names(task: _Task, classes: Path | None) -> tuple[str, ...]:
    if classes is None:
        return task.samples.classes or names_of(task.model)
    return read_classes(classes, task.truth.tensors[task.truth.outputs[0]].elems)


# --- what is run, and what is expected of it ---


@dataclass(frozen=True)
class _Task:
    """truth: the graph that layers are compared with; expected: the reference's outputs
    [n, elems]. content: the file that the reference runs, and whole: all that it has."""

    model: byteprop.Model
    truth: Graph
    samples: SampleSet
    reference: Reference
    expected: tuple[Ints, ...]
    reference_seconds: float
    content: bytes
    whole: Graph


def _prepare(
    load: Callable[[Path], byteprop.Model],
    model: Path,
    against: Path | None,
    source: Callable[[Graph], SampleSet],
    kind: ReferenceKind,
    progress: Progress,
) -> _Task:
    subject = load(model)
    file = against or model
    truth = load(file).graph if against else subject.graph
    _check_same_ends(subject.graph, truth, file)
    samples = source(truth)
    content = file.read_bytes()
    reference = choose_reference(content, kind=kind)
    with Stopwatch() as watch:
        whole = _whole(content, truth)
        expected = reference.run(whole, samples, progress=progress)
    return _Task(subject, truth, samples, reference, expected, watch.seconds, content, whole)


def _whole(content: bytes, graph: Graph) -> Graph:
    """The graph with all that the file has: the reference leaves nothing out."""
    return graph_of_file(content) if model_kind(content) == TFLITE else graph


def _check_same_ends(subject: Graph, truth: Graph, file: Path) -> None:
    for kind in ("inputs", "outputs"):
        a = [(subject.tensors[i].elems, subject.tensors[i].dtype) for i in getattr(subject, kind)]
        b = [(truth.tensors[i].elems, truth.tensors[i].dtype) for i in getattr(truth, kind)]
        if a != b:
            raise ArgumentError(f"{file}: its {kind} differ from those of the model under test")


# --- the board's outputs ---


@dataclass(frozen=True)
class _Run:
    """outputs: [n, elems] each. by_digest: how many samples the digest of their outputs settled.
    ticks: of the first samples."""

    outputs: tuple[Ints, ...]
    by_digest: int
    ticks: list[int]
    seconds: float


def _run_samples(device: Device, task: _Task, progress: Progress) -> _Run:
    """An answer has the digest of all outputs, and the bytes themselves when they are short. Bytes
    that did not come are only fetched where the digest differs from the reference's."""
    samples = task.samples
    if task.model.is_stateful:
        return _run_steps(device, task, progress)
    outputs = tuple(np.empty_like(y) for y in task.expected)
    to_fetch: list[int] = []
    ticks: list[int] = []
    by_digest = 0
    with Stopwatch() as watch:
        for i, answer in enumerate(_answers(device, samples)):
            if i < _MEASURED_SAMPLES:
                ticks.append(answer.ticks)
            expected = b"".join(y[i].tobytes() for y in task.expected)
            if answer.output:
                _store(outputs, i, answer.output)
            elif answer.crc == crc32(expected):
                _store(outputs, i, expected)
                by_digest += 1
            else:
                to_fetch.append(i)
            progress("infer", i + 1, samples.n)
        for k, i in enumerate(to_fetch):
            _store(outputs, i, device.infer(samples.bytes_of(i)).output)
            progress("fetch", k + 1, len(to_fetch))
    return _Run(outputs, by_digest, ticks, watch.seconds)


def _run_steps(device: Device, task: _Task, progress: Progress) -> _Run:
    """The samples as steps. None is run twice, so bytes that do not come with the answer are
    fetched after each step."""
    outputs = tuple(np.empty_like(y) for y in task.expected)
    ticks: list[int] = []
    with Stopwatch() as watch:
        for i in range(task.samples.n):
            answer = device.infer(task.samples.bytes_of(i))
            if i < _MEASURED_SAMPLES:
                ticks.append(answer.ticks)
            _store(outputs, i, answer.output)
            progress("infer", i + 1, task.samples.n)
    return _Run(outputs, 0, ticks, watch.seconds)


def _answers(device: Device, samples: SampleSet) -> Iterator[InferAnswer]:
    """The first samples one at a time, for their ticks: in a stream the next sample's bytes
    interrupt the board. The others as a stream."""
    n = min(samples.n, _MEASURED_SAMPLES)
    for i in range(n):
        yield from device.infer_stream([samples.bytes_of(i)])
    yield from device.infer_stream(samples.bytes_of(i) for i in range(n, samples.n))


def _store(outputs: Sequence[Ints], i: int, raw: bytes) -> None:
    """Puts one sample's output bytes, all outputs one after the other, into row i."""
    at = 0
    for array in outputs:
        row = array[i]
        row[:] = np.frombuffer(raw, dtype=row.dtype, count=row.size, offset=at)
        at += row.nbytes


# --- where they differ ---


def _compare_with_file(task: _Task, run: _Run) -> Comparison | None:
    """Compares with the outputs in the data file, if it has some."""
    if task.samples.expected is None:
        return None
    return compare_outputs(task.truth, run.outputs[:1], (task.samples.expected,))


def _locate(
    device: Device, task: _Task, comparison: Comparison, from_file: Comparison | None
) -> tuple[LayerDifference | None, str]:
    """The first layer that differs, for the first sample that does; else a remark why not."""
    first = _first_difference(comparison)
    if first is None:
        if from_file is not None and not from_file.identical:
            return None, "the board equals the reference; the outputs in the data file differ"
        return None, ""
    if not _same_ops(task.truth, task.model.graph):
        return None, "the two models have different ops, so layers cannot be compared"
    hidden = {t for t, x in enumerate(task.model.graph.tensors) if x.kind is Kind.ROWS}
    layer = first_different_layer(device, task.truth, task.samples, first.sample, hidden)
    if layer is None:
        return None, (
            f"run op by op, every layer of sample {first.sample} on the board equals "
            "byteprop.reference: either that and the reference disagree, or the board's results "
            "are not repeatable"
        )
    return layer, ""


def _first_difference(comparison: Comparison) -> Difference | None:
    return comparison.differences[0] if comparison.differences else None


def _same_ops(a: Graph, b: Graph) -> bool:
    def shape(graph: Graph) -> list[tuple[object, ...]]:
        return [
            (type(op), op.inputs, op.outputs, [graph.tensors[t].elems for t in op.outputs])
            for op in graph.ops
        ]

    return shape(a) == shape(b)


# --- figures ---


def _measure(
    deployment: Deployment, task: _Task, run: _Run, whole: Stopwatch
) -> tuple[tuple[MeasuredLayer, ...], Figures]:
    model, device = task.model, deployment.device
    profile = device.profile(task.samples.bytes_of(task.samples.n - 1))
    layers = measured_layers(model, [deployment.cost(ticks) for ticks in profile])
    stats = device.stats()
    median = deployment.cost(float(np.median(run.ticks)))
    return layers, Figures(
        ram_bytes=deployment.firmware.ram_bytes or None,
        flash_bytes=deployment.firmware.flash_bytes or None,
        model_bytes=deployment.model_bytes,
        arena_bytes=model.arena_bytes,
        stack_used_bytes=stats.stack_bytes - stats.stack_free,
        stack_bytes=stats.stack_bytes,
        unit=deployment.unit,
        inference_median=median,
        inference_max=deployment.cost(max(run.ticks)),
        inference_per_mac=median / model.macs if median is not None and model.macs else None,
        macs=model.macs,
        wire_bytes=device.wire_bytes,
        retransmissions=device.retransmissions,
        build_seconds=deployment.build_seconds,
        stream_seconds=run.seconds,
        seconds=whole.seconds,
    )


def _accuracy(task: _Task, run: _Run) -> Accuracy | None:
    labels = task.samples.labels
    if labels is None:
        return None
    board, reference = (y[0].argmax(axis=1) for y in (run.outputs, task.expected))
    return Accuracy(
        board=float((board == labels).mean()),
        reference=float((reference == labels).mean()),
        confusion=confusion(labels, board, task.truth.tensors[task.truth.outputs[0]].elems),
    )
