"""`byteprop boards`: supported boards, what is plugged in, and installed tools."""

from __future__ import annotations

import argparse

from byteprop_host.commands import EXIT_OK, Verb
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--udev",
        action="store_true",
        help="print rules for Linux that give users access to probes and boot loaders",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
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


VERB = Verb(
    name="boards",
    summary="list supported boards, what is plugged in, and installed tools",
    example="byteprop boards",
    configure=_configure,
    run=_run,
    docs="docs/porting.md",
)
