"""`byteprop info`: the layers of a model, its costs, and the boards that it fits."""

from __future__ import annotations

import argparse

from byteprop_host.commands import EXIT_OK, Verb, add_file, add_rows
from byteprop_host.console import Console, printable


def _configure(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    add_rows(parser)


def _run(args: argparse.Namespace, console: Console) -> int:
    import byteprop
    from byteprop_host.info import info

    model = byteprop.load(args.file, keep_dead_channels=args.keep_dead_channels, rows=args.rows)
    found = info(model)
    file = str(args.file)
    console.result(f"{printable(file)}\n{found.text()}", {"file": file, **found.to_json()})
    return EXIT_OK


VERB = Verb(
    name="info",
    summary="show a model's layers, scales, cost, and the boards that it fits",
    example="byteprop info fashion.tflite",
    configure=_configure,
    run=_run,
    docs="glossary",
)
