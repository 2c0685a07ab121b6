"""`byteprop boards`: supported boards, plugged-in serial ports and installed tools."""

from __future__ import annotations

import argparse

from byteprop_host.commands import EXIT_OK, Verb
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    del parser


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.inventory import inventory

    found = inventory()
    console.result(found.text(), found.to_json())
    return EXIT_OK


VERB = Verb(
    name="boards",
    summary="list supported boards, plugged-in serial ports and installed tools",
    example="byteprop boards",
    configure=_configure,
    run=_run,
)
