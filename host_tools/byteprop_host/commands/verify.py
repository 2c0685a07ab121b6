"""`byteprop verify`: proves that a board gives the reference's bytes."""

from __future__ import annotations

import argparse
from pathlib import Path

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
    text = verdict.text()
    if report is not None:
        text += f"\nreport     {report}"
    console.result(text, result)
    return EXIT_OK if verdict.identical else EXIT_DIFFERENT


VERB = Verb(
    name="verify",
    summary="build, flash, stream samples and compare every output byte with the reference",
    example="byteprop verify fashion.tflite --board mps2-an386 --data t10k.npz",
    configure=_configure,
    run=_run,
)
