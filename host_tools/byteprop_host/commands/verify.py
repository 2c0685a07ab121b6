"""`byteprop verify`: checks that a board's outputs equal the reference, byte for byte."""

from __future__ import annotations

import argparse
from pathlib import Path

from byteprop_host.commands import (
    Verb,
    add_file,
    add_labels,
    add_report,
    add_samples,
    add_session,
    check_outputs,
    print_result_and_report,
    reading_from,
    target_from,
)
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_session(parser)
    add_samples(parser)
    add_labels(parser)
    parser.add_argument(
        "--reference",
        choices=("auto", "tflite", "numpy"),
        default="auto",
        help="reference implementation to compare with (default: tflite-runtime's reference "
        "kernels if installed, else byteprop's NumPy reference)",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="MODEL",
        help="file that the reference runs instead of FILE, for instance the .tflite of a .bpm",
    )
    add_report(parser, "verify")


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.verify import verify
    from byteprop_host.verify.references import ReferenceKind
    from byteprop_host.verify.report import write_report

    check_outputs(args.report, args.wire_log)
    with console.progress() as progress:
        verdict = verify(
            args.file,
            target_from(args),
            data=args.data,
            labels=args.labels,
            samples=args.samples,
            reading=reading_from(args),
            reference=ReferenceKind(args.reference),
            against=args.against,
            keep_dead_channels=args.keep_dead_channels,
            progress=progress,
        )
    return print_result_and_report(args, console, verdict, lambda path: write_report(verdict, path))


VERB = Verb(
    name="verify",
    summary="build, flash, stream samples and compare every output byte with the reference",
    example="byteprop verify fashion.tflite --board mps2-an386 --data t10k.npz",
    configure=_configure,
    run=_run,
    docs="docs/testing.md",
)
