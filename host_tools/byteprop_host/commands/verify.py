"""`byteprop verify`: proves that a board gives the reference's bytes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from byteprop_host.commands import (
    EXIT_DIFFERENT,
    EXIT_OK,
    Verb,
    add_board,
    add_port,
    add_samples,
    add_wire_log,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop_host.verify import Verdict


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="model: .tflite or .bpm")
    add_board(parser)
    add_port(parser)
    add_wire_log(parser)
    add_samples(parser)
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="class numbers, when --data has none"
    )
    parser.add_argument(
        "--reference",
        choices=("auto", "tflite", "numpy"),
        default="auto",
        help="who gives the right answers (default: tflite-runtime's reference kernels where they "
        "are installed, else byteprop's NumPy reference)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="MODEL",
        help="the reference runs MODEL instead of FILE, for instance the .tflite of a .bpm",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="where the report goes (default: byteprop-verify-BOARD.html)",
    )
    parser.add_argument("--no-report", action="store_true", help="write no report")


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.references import ReferenceKind
    from byteprop_host.report import write_report
    from byteprop_host.verify import verify

    with console.progress() as progress:
        verdict = verify(
            args.file,
            board=args.board,
            port=args.port,
            data=args.data,
            labels=args.labels,
            samples=args.samples,
            pixel_scale=args.pixel_scale,
            reference=ReferenceKind(args.reference),
            against=args.against,
            timeout=args.timeout,
            wire_log=args.wire_log,
            progress=progress,
        )
    report = None
    if not args.no_report:
        report = args.report or Path(f"byteprop-verify-{verdict.board.name}.html")
        write_report(verdict, report)
    result = verdict.to_json() | {"report": None if report is None else str(report)}
    text = describe(verdict)
    if report is not None:
        text += f"\nreport     {report}"
    console.result(text, result)
    return EXIT_OK if verdict.identical else EXIT_DIFFERENT


def describe(verdict: Verdict) -> str:
    """The verdict in plain text, the decisive line first."""
    c, f = verdict.comparison, verdict.figures
    word = "identical" if verdict.identical else "DIFFERENT"
    lines = [
        f"{word}: {c.samples_identical} of {c.n_samples} samples, "
        f"{c.bytes_identical:,} of {c.bytes_total:,} output bytes equal the reference",
        f"model      {verdict.model} (crc {verdict.model_crc32:08x}), in {verdict.model_source}",
        f"board      {verdict.board.name}: {verdict.board.title}, {verdict.board.cpu}",
        f"reference  {verdict.reference.name} ({verdict.reference.why})",
        f"samples    {verdict.samples.source}",
    ]
    lines += _differences(verdict)
    if verdict.accuracy is not None:
        lines.append(
            f"accuracy   {verdict.accuracy.board:.4f} on the board, "
            f"{verdict.accuracy.reference:.4f} by the reference"
        )
    if f.ram_bytes is not None:
        lines.append(f"RAM        {f.ram_bytes:,} bytes (arena {f.arena_bytes:,})")
    if f.flash_bytes is not None:
        lines.append(f"flash      {f.flash_bytes:,} bytes (model {f.model_bytes:,})")
    if f.stack_bytes:
        lines.append(f"stack      {f.stack_used_bytes:,} of {f.stack_bytes:,} bytes used at most")
    if f.inference_median is not None:
        per_mac = f", {f.inference_per_mac:.2f} a MAC" if f.inference_per_mac is not None else ""
        lines.append(f"inference  {f.inference_median:,} {f.unit}{per_mac}")
    repeated = f" ({f.retransmissions} frames sent again)" if f.retransmissions else ""
    lines.append(
        f"line       {f.wire_bytes:,} bytes{repeated} in {f.stream_seconds:.2f} s; "
        f"whole run {f.seconds:.2f} s"
    )
    return "\n".join(lines)


def _differences(verdict: Verdict) -> list[str]:
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


VERB = Verb(
    name="verify",
    summary="build, flash, stream samples and compare every output byte with the reference",
    example="byteprop verify fashion.tflite --board mps2-an386 --data t10k.npz",
    configure=_configure,
    run=_run,
)
