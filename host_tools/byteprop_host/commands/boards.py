"""`byteprop boards`: supported boards, what is plugged in, and installed tools."""

from __future__ import annotations

import argparse
from pathlib import Path

from byteprop_host.commands import EXIT_OK, Verb
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--udev",
        action="store_true",
        help="print rules for Linux that give users access to probes and boot loaders",
    )

    parser.add_argument(
        "--new",
        metavar="NAME",
        help="write the files of a new board, with --from (byteprop help porting)",
    )
    parser.add_argument(
        "--from", dest="source", metavar="BOARD", help="the board that a --new one is like"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="where to make the folder of a --new board (default: here)",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    if args.new or args.source or args.into:
        return _write_new(args, console)
    if args.udev:
        from byteprop_host.boards.board import all_boards
        from byteprop_host.flash.udev import FILE, udev_rules

        rules = udev_rules(all_boards())
        console.result(rules, {"file": FILE, "rules": rules})
        return EXIT_OK
    from byteprop_host.inventory import inventory

    found = inventory()
    console.result(found.text(), found.to_json())
    return EXIT_OK


def _write_new(args: argparse.Namespace, console: Console) -> int:
    from byteprop.errors import ArgumentError
    from byteprop_host.boards.new_board import write_new_board

    if not (args.new and args.source):
        missing, given = ("--from BOARD", "--new") if args.new else ("--new NAME", "--from, --into")
        raise ArgumentError(f"expected {missing} with {given}: see byteprop help porting")
    into = args.into or Path()
    written = write_new_board(args.new, args.source, into)
    lines = [f"written: {path}" for path in written]
    lines += [
        "edit its title, memory and pins; then",
        f"  export BYTEPROP_BOARDS={into.resolve()}",
        f"  byteprop build --board {args.new}",
    ]
    console.result("\n".join(lines), {"board": args.new, "files": [str(p) for p in written]})
    return EXIT_OK


VERB = Verb(
    name="boards",
    summary="list supported boards, what is plugged in, and installed tools",
    example="byteprop boards",
    configure=_configure,
    run=_run,
    docs="porting",
)
