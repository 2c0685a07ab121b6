"""`byteprop run`: writes a board's outputs to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from byteprop.errors import ArgumentError
from byteprop_host.commands import (
    EXIT_OK,
    Verb,
    add_file,
    add_samples,
    add_session,
    check_outputs,
    reading_from,
    target_from,
)
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_session(parser)
    add_samples(parser, required=True)
    parser.add_argument(
        "--stateful",
        action="store_true",
        help="the samples are steps that follow one another, for a model with state",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="file for the outputs: .npy, or .npz if the model has several",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.verify.board_model import run_on_board, save_outputs

    if args.output.suffix not in (".npy", ".npz"):
        raise ArgumentError(
            f"--output: expected a name that ends in .npy or .npz, got {args.output}"
        )
    check_outputs(args.output, args.wire_log)
    with console.progress() as progress:
        answers = run_on_board(
            args.file,
            args.data,
            target_from(args),
            samples=args.samples,
            reading=reading_from(args),
            keep_dead_channels=args.keep_dead_channels,
            stateful=args.stateful,
            progress=progress,
        )
    save_outputs(answers, args.output)
    n = len(answers.outputs[0])
    lines = [
        f"{args.output}: outputs of {n:,} sample{'s' if n > 1 else ''} on {answers.board}",
        f"samples    {answers.source}",
        *(f"warning    {w}" for w in answers.warnings),
    ]
    console.result(
        "\n".join(lines),
        {
            "output": str(args.output),
            "samples": n,
            "board": answers.board,
            "shapes": [list(y.shape) for y in answers.outputs],
            "dtypes": [str(y.dtype) for y in answers.outputs],
            "seconds": answers.seconds,
            "source": answers.source,
            "warnings": list(answers.warnings),
        },
    )
    return EXIT_OK


VERB = Verb(
    name="run",
    summary="run samples on a board and write the outputs to a file",
    example="byteprop run fashion.tflite --board microbit --data t10k.npz -o answers.npy",
    configure=_configure,
    run=_run,
    docs="data",
)
