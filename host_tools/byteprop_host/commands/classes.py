"""`byteprop classes`: shows the classes of a model, adds and removes them, here or on a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from byteprop_host.commands import (
    EXIT_DIFFERENT,
    EXIT_OK,
    Verb,
    add_file,
    add_port,
    check_outputs,
    integer,
    positive_int,
)
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    parser.add_argument(
        "--add",
        type=_named,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a new class, from the samples of a file or folder (byteprop help data); repeatable",
    )
    parser.add_argument(
        "--known",
        type=Path,
        metavar="PATH",
        help="with --add: samples with labels of the other classes, of which 20 each are taken; "
        "without them the row of a class is made, and nothing is trained",
    )
    parser.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="CLASS",
        help="name or number of a class to take out of use; repeatable",
    )
    parser.add_argument(
        "--room",
        type=positive_int,
        metavar="N",
        help="make room for N classes in all, for boards that add them later",
    )
    parser.add_argument(
        "--test", type=Path, metavar="PATH", help="samples with labels, to measure the accuracy"
    )
    parser.add_argument(
        "--board",
        "-b",
        metavar="BOARD",
        help="board that learns the new classes; this computer does the same, and every bit is "
        "compared (default: this computer alone)",
    )
    add_port(parser)
    parser.add_argument("--seed", type=integer, default=0, metavar="N", help="of the rounding")
    parser.add_argument(
        "--output", "-o", type=Path, metavar="OUT", help="model to write: .tflite or .bpm"
    )


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not name.strip() or not equals or not path:
        raise argparse.ArgumentTypeError(f"expected a name and a path, as bag=bags/, got {text}")
    return name.strip(), Path(path)


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop.errors import ArgumentError
    from byteprop_host.classes import Options, change, check_output
    from byteprop_host.target import BoardTarget

    check_output(args.output)
    check_outputs(args.output)
    if args.known is not None and not args.add:
        raise ArgumentError("--known: expected --add with it, got none")
    if args.board is not None and not args.add:
        raise ArgumentError("--board: expected --add with it, got none")
    on = args.board and BoardTarget.of(
        args.board,
        port=args.port,
        probe=args.probe,
        emulated=args.emulated,
        timeout=args.timeout,
        wire_log=None,
    )
    with console.progress() as progress:
        result = change(
            Options(
                file=args.file,
                add=tuple(args.add),
                remove=tuple(args.remove),
                room=args.room,
                known=args.known,
                test=args.test,
                seed=args.seed,
                output=args.output,
                keep_dead_channels=args.keep_dead_channels,
            ),
            on or None,
            progress=progress,
        )
    console.result(result.text(), result.to_json())
    return EXIT_OK if result.identical else EXIT_DIFFERENT


VERB = Verb(
    name="classes",
    summary="show, add and remove classes of a model, here or on a board",
    example="byteprop classes words.tflite --add stop=stop/ --known words/ -o words-13.tflite",
    configure=_configure,
    run=_run,
    docs="add-a-class",
)
