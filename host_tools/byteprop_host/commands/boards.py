"""`byteprop boards`: what is supported, what is plugged in, which tools are installed."""

from __future__ import annotations

import argparse
from collections.abc import Set
from typing import TYPE_CHECKING

from byteprop_host.commands import EXIT_OK, Verb
from byteprop_host.console import Console, table

if TYPE_CHECKING:
    from byteprop_host.boards.board import Board


def _configure(parser: argparse.ArgumentParser) -> None:
    del parser


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.boards.board import all_boards
    from byteprop_host.boards.ports import SerialPort, find_ports
    from byteprop_host.errors import ToolMissingError
    from byteprop_host.toolchains import find_packages, find_tools
    from byteprop_host.training.plan import can_save, can_train

    boards = all_boards()
    ports: tuple[SerialPort, ...] = ()
    no_ports = "none found"
    try:
        ports = find_ports(boards)
    except ToolMissingError as error:
        no_ports = str(error)
    tools = find_tools(boards)
    packages = find_packages()
    missing = {t.program for t in tools if t.version is None}
    rows = [
        [
            b.name,
            b.title,
            b.cpu,
            f"{b.memory.ram_bytes:,}",
            f"{b.memory.flash_bytes:,}",
            b.tier.value,
            learns(b),
            ready_for(b, missing),
        ]
        for b in boards
    ]
    header = ["board", "title", "CPU", "RAM", "flash", "proven on", "trains", "ready for"]
    text = table(rows, header=header, right=frozenset({3, 4}))
    text += "\n\nSerial ports:\n" + (
        table(
            [
                [p.device, p.usb or "-", p.description, ", ".join(p.boards) or "unknown"]
                for p in ports
            ],
            header=["port", "USB id", "description", "may be"],
        )
        if ports
        else no_ports
    )
    text += "\n\nTools:\n" + table(
        [[t.program, t.purpose, t.version or f"missing: {t.install}"] for t in tools]
        + [[p.name, p.purpose, p.version or f"missing: {p.install}"] for p in packages],
        header=["tool", "purpose", "version"],
    )
    value = {
        "boards": [
            {
                "name": b.name,
                "title": b.title,
                "vendor": b.vendor,
                "cpu": b.cpu,
                "ram_bytes": b.memory.ram_bytes,
                "flash_bytes": b.memory.flash_bytes,
                "tier": b.tier.value,
                "trains": can_train(b),
                "saves_what_it_learnt": can_save(b),
                "ready": ready_for(b, missing),
            }
            for b in boards
        ],
        "ports": [vars(p) for p in ports],
        "tools": [vars(t) for t in tools],
        "packages": [vars(p) for p in packages],
    }
    console.result(text, value)
    return EXIT_OK


def learns(board: Board) -> str:
    """Whether the board can train, and keep what it learnt in its own flash."""
    from byteprop_host.training.plan import can_save, can_train

    if not can_train(board):
        return "no"
    return "yes, saves" if can_save(board) else "yes"


def ready_for(board: Board, missing: Set[str]) -> str:
    """What the installed tools suffice for: "process", "emulator", "hardware" or a remark."""
    from byteprop_host.toolchains import SIMAVR

    if board.build.toolchain == "native":
        return "process"
    if f"{board.build.toolchain}-gcc" in missing:
        return "no compiler"
    ready = []
    simavr = any(r.kind == "simavr" for r in board.runners) and SIMAVR not in missing
    if simavr or (board.emulator is not None and board.emulator.program not in missing):
        ready.append("emulator")
    if any(r.kind == "command" and r.program not in missing for r in board.runners):
        ready.append("hardware")
    return ", ".join(ready) or "no emulator, no flash tool"


VERB = Verb(
    name="boards",
    summary="list supported boards, plugged-in serial ports and installed tools",
    example="byteprop boards",
    configure=_configure,
    run=_run,
)
