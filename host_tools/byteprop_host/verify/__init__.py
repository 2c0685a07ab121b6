"""Proving a model on a board: build, start, stream samples, compare every output byte."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import byteprop
from byteprop.engine._raw import crc32
from byteprop.errors import ArgumentError
from byteprop.graph import Graph
from byteprop.training.metrics import confusion
from byteprop_host.boards.board import Board
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.reading import Reading
from byteprop_host.data.samples import Ints, SampleSet, choose
from byteprop_host.deployment import Deployment, deploy
from byteprop_host.link import Device, InferAnswer
from byteprop_host.target import BoardTarget
from byteprop_host.verify.compare import (
    Comparison,
    Difference,
    LayerDifference,
    compare_outputs,
    first_different_layer,
)
from byteprop_host.verify.layers import LayerRow, layer_rows
from byteprop_host.verify.references import ReferenceKind, choose_reference
from byteprop_host.verify.verdict import Accuracy, Figures, Verdict

_MEASURED_SAMPLES = 8


def verify(
    model: Path,
    *,
    board: str | Path | Board = "host",
    port: str | None = None,
    data: Path | None = None,
    labels: Path | None = None,
    samples: int | None = None,
    reading: Reading | None = None,
    reference: ReferenceKind = ReferenceKind.AUTO,
    against: Path | None = None,
    timeout: float = 10.0,
    progress: Progress = no_progress,
    wire_log: Path | None = None,
) -> Verdict:
    """Runs `model` on `board` and compares it with a reference.

    data: samples (`byteprop.data` names the formats), with labels or expected outputs when they
    are there; generated when None. against: the model file that the reference runs, when `model`
    is another form of it (a .bpm made from a .tflite).
    """
    began = time.monotonic()
    target = BoardTarget.of(board, port=port, timeout=timeout, wire_log=wire_log)
    subject = byteprop.load(model)
    truth_file = against or model
    truth = byteprop.load(truth_file).graph if against else subject.graph
    _check_same_borders(subject.graph, truth, truth_file)
    chosen = choose(truth, data, samples, labels=labels, reading=reading)
    source = choose_reference(truth_file.read_bytes(), kind=reference)
    ref_began = time.monotonic()
    wanted = source.run(truth, chosen, progress=progress)
    ref_seconds = time.monotonic() - ref_began
    with deploy(target, subject.image, progress=progress) as deployment:
        stream_began = time.monotonic()
        got, by_digest, ticks = _run_samples(deployment.device, chosen, wanted, progress)
        stream_seconds = time.monotonic() - stream_began
        comparison = compare_outputs(truth, got, wanted)
        expected = None
        if chosen.expected is not None:
            expected = compare_outputs(truth, got[:1], (chosen.expected,))
        layer, note = _locate(deployment.device, truth, subject.graph, chosen, comparison, expected)
        rows = _profiled_rows(deployment, subject, chosen)
        figures = _figures(
            deployment,
            subject,
            ticks,
            stream_seconds=stream_seconds,
            seconds=time.monotonic() - began,
        )
        return Verdict(
            model=str(model),
            model_crc32=deployment.model_crc32,
            against=str(against) if against else None,
            board=deployment.board,
            model_source=deployment.source,
            build_id=deployment.device.info.build_id,
            samples=chosen,
            reference=source,
            reference_seconds=ref_seconds,
            comparison=comparison,
            expected=expected,
            by_digest=by_digest,
            layer=layer,
            layer_note=note,
            accuracy=_accuracy(truth, chosen, got[0], wanted[0]),
            layers=rows,
            figures=figures,
            outputs=got,
            graph=truth,
        )


def _check_same_borders(subject: Graph, truth: Graph, file: Path) -> None:
    for kind in ("inputs", "outputs"):
        a = [(subject.tensors[i].elems, subject.tensors[i].dtype) for i in getattr(subject, kind)]
        b = [(truth.tensors[i].elems, truth.tensors[i].dtype) for i in getattr(truth, kind)]
        if a != b:
            raise ArgumentError(f"{file}: its {kind} are not those of the model to verify")


def _run_samples(
    device: Device, samples: SampleSet, wanted: Sequence[Ints], progress: Progress
) -> tuple[tuple[Ints, ...], int, list[int]]:
    """The board's outputs, how many samples the digest alone settled, and the ticks of the first
    samples.

    An answer has the digest of all outputs, and the bytes themselves when they are short. Bytes
    that did not come are only fetched where the digest differs from the reference's.
    """
    got = tuple(np.empty_like(w) for w in wanted)
    by_digest = 0
    to_fetch: list[int] = []
    ticks: list[int] = []
    for i, answer in enumerate(_answers(device, samples)):
        if i < _MEASURED_SAMPLES:
            ticks.append(answer.ticks)
        expected = b"".join(w[i].tobytes() for w in wanted)
        if answer.output:
            _store(got, i, answer.output)
        elif answer.crc == crc32(expected):
            _store(got, i, expected)
            by_digest += 1
        else:
            to_fetch.append(i)
        progress("infer", i + 1, samples.n)
    for k, i in enumerate(to_fetch):
        _store(got, i, device.infer(samples.bytes_of(i)).output)
        progress("fetch", k + 1, len(to_fetch))
    return got, by_digest, ticks


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


def _locate(
    device: Device,
    truth: Graph,
    subject: Graph,
    samples: SampleSet,
    comparison: Comparison,
    expected: Comparison | None,
) -> tuple[LayerDifference | None, str]:
    """The first layer that differs, for the first sample that does; else a remark why not."""
    first = _first_difference(comparison)
    if first is None:
        if expected is not None and not expected.identical:
            return None, (
                "the board equals the reference, so the outputs in the data file are what differs"
            )
        return None, ""
    if not _same_ops(truth, subject):
        return None, "the two models have different ops, so layers cannot be compared"
    layer = first_different_layer(device, truth, samples, first.sample)
    if layer is None:
        return None, (
            f"run op by op, the board gives every layer of sample {first.sample} as "
            "byteprop.reference does: either that and the reference disagree, or the board's "
            "answers are not repeatable"
        )
    return layer, ""


def _first_difference(comparison: Comparison) -> Difference | None:
    return comparison.differences[0] if comparison.differences else None


def _same_ops(a: Graph, b: Graph) -> bool:
    def shape(graph: Graph) -> list[tuple[object, ...]]:
        return [(type(op), op.input, op.output, graph.tensors[op.output].elems) for op in graph.ops]

    return shape(a) == shape(b)


def _profiled_rows(
    deployment: Deployment, model: byteprop.Model, samples: SampleSet
) -> tuple[LayerRow, ...]:
    profile = deployment.device.profile(samples.bytes_of(samples.n - 1))
    costs = [deployment.cost(ticks) for ticks in profile]
    return layer_rows(model, costs)


def _accuracy(graph: Graph, samples: SampleSet, got: Ints, wanted: Ints) -> Accuracy | None:
    if samples.labels is None:
        return None
    labels = samples.labels
    chosen = got.argmax(axis=1)
    return Accuracy(
        board=float((chosen == labels).mean()),
        reference=float((wanted.argmax(axis=1) == labels).mean()),
        confusion=confusion(labels, chosen, graph.tensors[graph.outputs[0]].elems),
    )


def _figures(
    deployment: Deployment,
    model: byteprop.Model,
    ticks: Sequence[int],
    *,
    stream_seconds: float,
    seconds: float,
) -> Figures:
    stats = deployment.device.stats()
    median = deployment.cost(float(np.median(ticks)))
    return Figures(
        ram_bytes=deployment.firmware.ram_bytes or None,
        flash_bytes=deployment.firmware.flash_bytes or None,
        model_bytes=deployment.model_bytes,
        arena_bytes=model.arena_bytes,
        stack_used_bytes=stats.stack_bytes - stats.stack_free,
        stack_bytes=stats.stack_bytes,
        unit=deployment.unit,
        inference_median=median,
        inference_max=deployment.cost(max(ticks)),
        inference_per_mac=median / model.macs if median is not None and model.macs else None,
        macs=model.macs,
        wire_bytes=deployment.device.wire_bytes,
        retransmissions=deployment.device.retransmissions,
        build_seconds=deployment.build_seconds,
        stream_seconds=stream_seconds,
        seconds=seconds,
    )
