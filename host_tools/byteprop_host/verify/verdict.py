"""The result of a verification: what was compared, what differed, what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from byteprop.graph import Graph
from byteprop.graph.normalization import to_json
from byteprop.inference.info import describe_inputs
from byteprop_host.boards.board import Board
from byteprop_host.console import printable
from byteprop_host.data.samples import Ints, SampleSet
from byteprop_host.verify.arena import Occupied
from byteprop_host.verify.compare import Comparison, LayerDifference
from byteprop_host.verify.layers import MeasuredLayer
from byteprop_host.verify.other_kernels import OtherKernels
from byteprop_host.verify.references import Reference


@dataclass(frozen=True)
class Figures:
    """Measurements. None: the board does not measure it. inference_* are in `unit`."""

    ram_bytes: int | None
    flash_bytes: int | None
    model_bytes: int
    arena_bytes: int
    stack_used_bytes: int | None
    stack_bytes: int | None
    unit: str
    inference_median: int | None
    inference_max: int | None
    inference_per_mac: float | None
    macs: int
    wire_bytes: int
    retransmissions: int
    build_seconds: float
    stream_seconds: float
    seconds: float


@dataclass(frozen=True)
class Accuracy:
    """Shares of right classes, and [true, predicted] counts of the board's outputs."""

    board: float
    reference: float
    confusion: Ints


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """The whole result of a verification. expected_outputs: the reference's. others: comparisons
    with default kernels. classes: names, as far as they are known."""

    model: str
    model_crc32: int
    against: str | None
    board: Board
    model_source: str
    build_id: int
    samples: SampleSet
    reference: Reference
    reference_seconds: float
    comparison: Comparison
    expected: Comparison | None
    by_digest: int
    layer: LayerDifference | None
    layer_note: str
    accuracy: Accuracy | None
    layers: tuple[MeasuredLayer, ...]
    arena: tuple[Occupied, ...]
    figures: Figures
    outputs: tuple[Ints, ...]
    graph: Graph
    expected_outputs: tuple[Ints, ...] = ()
    others: tuple[OtherKernels, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """The outputs equal the reference's, and those in the data file if it has some."""
        return self.comparison.identical and (self.expected is None or self.expected.identical)

    def text(self) -> str:
        """The verdict as text, the decisive line first."""
        return _text(self)

    def __repr__(self) -> str:
        return f"<Verdict: {_headline(self)}>"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "identical": self.identical,
            "model": self.model,
            "model_crc32": f"{self.model_crc32:08x}",
            "normalizations": [
                to_json(self.graph.tensors[i].normalization) for i in self.graph.inputs
            ],
            "against": self.against,
            "board": self.board.name,
            "cpu": self.board.cpu,
            "build_id": f"{self.build_id:016x}",
            "model_in": self.model_source,
            "samples": {"n": self.samples.n, "source": self.samples.source},
            "warnings": list(self.samples.warnings),
            "reference": {
                "name": self.reference.name,
                "why": self.reference.why,
                "seconds": self.reference_seconds,
            },
            "comparison": _comparison_json(self.comparison),
            "compared_by_digest": self.by_digest,
            "expected_outputs": None if self.expected is None else _comparison_json(self.expected),
            "first_different_layer": None if self.layer is None else vars(self.layer),
            "layer_note": self.layer_note,
            "accuracy": None
            if self.accuracy is None
            else {
                "board": self.accuracy.board,
                "reference": self.accuracy.reference,
                "confusion": self.accuracy.confusion.tolist(),
            },
            "default_kernels": [vars(o) for o in self.others],
            "classes": list(self.classes),
            "figures": vars(self.figures),
            "layers": [layer.to_json() for layer in self.layers],
        }


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "identical": comparison.identical,
        "samples": comparison.n_samples,
        "samples_identical": comparison.samples_identical,
        "bytes": comparison.bytes_total,
        "bytes_identical": comparison.bytes_identical,
        "differences": [vars(d) for d in comparison.differences],
    }


def _headline(verdict: Verdict) -> str:
    c = verdict.comparison
    word = "identical" if verdict.identical else "DIFFERENT"
    return (
        f"{word}: {c.samples_identical:,} of {c.n_samples:,} samples, "
        f"{c.bytes_identical:,} of {c.bytes_total:,} output bytes equal the reference"
    )


def _text(verdict: Verdict) -> str:
    f = verdict.figures
    lines = [
        _headline(verdict),
        f"model      {printable(verdict.model)} ({f.model_bytes:,} bytes, "
        f"crc {verdict.model_crc32:08x}), in {verdict.model_source}",
        f"board      {verdict.board.name}: {verdict.board.title}, {verdict.board.cpu}",
        f"reference  {verdict.reference.name} ({verdict.reference.why})",
        f"samples    {verdict.samples.source}",
        *(f"warning    {w}" for w in verdict.samples.warnings),
    ]
    normalized = describe_inputs(verdict.graph)
    if normalized:
        lines.append(f"inputs     normalized: {normalized}")
    lines += _difference_lines(verdict)
    if verdict.accuracy is not None:
        lines.append(
            f"accuracy   {verdict.accuracy.board:.4f} on the board, "
            f"{verdict.accuracy.reference:.4f} by the reference"
        )
    lines += [f"{o.name:<11}{o.text}" for o in verdict.others]
    if f.ram_bytes is not None:
        lines.append(f"RAM        {f.ram_bytes:,} bytes (arena {f.arena_bytes:,})")
    if f.flash_bytes is not None:
        lines.append(f"flash      {f.flash_bytes:,} bytes (model {f.model_bytes:,})")
    if f.stack_bytes:
        lines.append(f"stack      {f.stack_used_bytes:,} of {f.stack_bytes:,} bytes used at most")
    if f.inference_median is not None:
        per_mac = f", {f.inference_per_mac:.2f} per MAC" if f.inference_per_mac is not None else ""
        lines.append(f"inference  {f.inference_median:,} {f.unit}{per_mac}")
    repeated = f" ({f.retransmissions} frames sent again)" if f.retransmissions else ""
    lines.append(
        f"line       {f.wire_bytes:,} bytes{repeated} in {f.stream_seconds:.2f} s; "
        f"whole run {f.seconds:.2f} s"
    )
    return "\n".join(lines)


def _difference_lines(verdict: Verdict) -> list[str]:
    lines = []
    if verdict.comparison.differences:
        lines.append(f"first      {verdict.comparison.differences[0]}")
    if verdict.layer is not None:
        lines.append(f"           first different {verdict.layer}")
    if verdict.expected is not None:
        e = verdict.expected
        lines.append(
            f"expected   {e.bytes_identical:,} of {e.bytes_total:,} output bytes equal those in "
            "the data file"
        )
        if e.differences:
            lines.append(f"           {e.differences[0]}")
    if verdict.layer_note:
        lines.append(f"           {verdict.layer_note}")
    return lines
