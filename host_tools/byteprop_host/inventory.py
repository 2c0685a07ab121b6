"""Supported boards, what is plugged in, and installed tools: what `byteprop boards` prints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from byteprop_host.boards.board import NATIVE, SKETCH, Board, all_boards
from byteprop_host.console import table
from byteprop_host.errors import ToolMissingError
from byteprop_host.flash import CableRunner, runners
from byteprop_host.flash.plugged import Plugged, plugged
from byteprop_host.toolchains import SIMAVR, Package, Tool, find_packages, find_tools
from byteprop_host.training.plan import can_save, can_train


@dataclass(frozen=True)
class BoardEntry:
    """A board. ready: what the installed tools suffice for: "process", "emulator", "hardware", or
    what is missing."""

    board: Board
    trains: bool
    saves: bool
    ready: str

    def to_json(self) -> dict[str, Any]:
        b = self.board
        return {
            "name": b.name,
            "title": b.title,
            "vendor": b.vendor,
            "cpu": b.cpu,
            "ram_bytes": b.memory.ram_bytes,
            "flash_bytes": b.memory.flash_bytes,
            "tier": b.tier.value,
            "proofs": asdict(b.proofs),
            "trains": self.trains,
            "saves_what_it_learnt": self.saves,
            "ready": self.ready,
        }

    def row(self) -> list[str]:
        b = self.board
        sizes = (b.memory.ram_bytes, b.memory.flash_bytes)
        return [
            b.name,
            b.title,
            b.cpu,
            *("-" if b.build.toolchain == SKETCH else f"{n:,}" for n in sizes),
            ", ".join(b.proofs.names()) or "built",
            ("yes, saves" if self.saves else "yes") if self.trains else "no",
            self.ready,
        ]


@dataclass(frozen=True)
class Inventory:
    """nothing: why nothing that is plugged in is in the list."""

    boards: tuple[BoardEntry, ...]
    plugged: tuple[Plugged, ...]
    nothing: str
    tools: tuple[Tool, ...]
    packages: tuple[Package, ...]

    def text(self) -> str:
        """Tables for people."""
        header = ["board", "title", "CPU", "RAM", "flash", "proven by tests", "trains", "ready for"]
        boards = table([b.row() for b in self.boards], header=header, right=frozenset({3, 4}))
        return f"{boards}\n\nPlugged in:\n{self._plugged_table()}\n\nTools:\n{self._tool_table()}"

    def _plugged_table(self) -> str:
        if not self.plugged:
            return self.nothing
        return table(
            [
                [
                    f"{p.kind} {p.where}",
                    p.usb or "-",
                    p.description,
                    ", ".join(p.boards) or "unknown",
                    p.problem or p.option,
                ]
                for p in self.plugged
            ],
            header=["what", "USB id", "description", "may be", "options to type"],
        )

    def _tool_table(self) -> str:
        named = [(t.program, t) for t in self.tools] + [(p.name, p) for p in self.packages]
        return table(
            [[name, t.purpose, t.version or f"missing: {t.install}"] for name, t in named],
            header=["tool", "purpose", "version"],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "boards": [b.to_json() for b in self.boards],
            "plugged_in": [asdict(p) | {"option": p.option} for p in self.plugged],
            "tools": [asdict(t) for t in self.tools],
            "packages": [asdict(p) for p in self.packages],
        }


def inventory() -> Inventory:
    """Lists everything; opens no port and runs only `--version`."""
    boards = all_boards()
    found: tuple[Plugged, ...] = ()
    nothing = "nothing found"
    try:
        found = plugged(boards)
    except ToolMissingError as error:
        nothing = str(error)
    tools = find_tools(boards)
    missing = {t.program for t in tools if t.version is None}
    entries = (BoardEntry(b, can_train(b), can_save(b), _ready_for(b, missing)) for b in boards)
    return Inventory(tuple(entries), found, nothing, tools, find_packages())


def _ready_for(board: Board, missing: set[str]) -> str:
    if board.build.toolchain == NATIVE:
        return "process"
    if board.build.toolchain == SKETCH:
        return "hardware"
    if f"{board.build.toolchain}-gcc" in missing:
        return "no compiler"
    ready = []
    simavr = any(r.kind == "simavr" for r in board.runners) and SIMAVR not in missing
    if simavr or (board.emulator is not None and board.emulator.program not in missing):
        ready.append("emulator")
    cable = [r for r in runners(board) if isinstance(r, CableRunner)]
    if any(r.program not in missing for r in cable):
        ready.append("hardware")
    return ", ".join(ready) or "no emulator, no flash tool"
