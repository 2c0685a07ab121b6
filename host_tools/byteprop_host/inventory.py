"""Supported boards, serial ports and installed tools: what `byteprop boards` prints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from byteprop_host.boards.board import NATIVE, Board, all_boards
from byteprop_host.boards.ports import SerialPort, find_ports
from byteprop_host.console import table
from byteprop_host.errors import ToolMissingError
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
            "trains": self.trains,
            "saves_what_it_learnt": self.saves,
            "ready": self.ready,
        }

    def row(self) -> list[str]:
        b = self.board
        return [
            b.name,
            b.title,
            b.cpu,
            f"{b.memory.ram_bytes:,}",
            f"{b.memory.flash_bytes:,}",
            b.tier.value,
            ("yes, saves" if self.saves else "yes") if self.trains else "no",
            self.ready,
        ]


@dataclass(frozen=True)
class Inventory:
    """no_ports: why there are no serial ports in the list."""

    boards: tuple[BoardEntry, ...]
    ports: tuple[SerialPort, ...]
    no_ports: str
    tools: tuple[Tool, ...]
    packages: tuple[Package, ...]

    def text(self) -> str:
        """Tables for people."""
        header = ["board", "title", "CPU", "RAM", "flash", "proven on", "trains", "ready for"]
        boards = table([b.row() for b in self.boards], header=header, right=frozenset({3, 4}))
        return f"{boards}\n\nSerial ports:\n{self._port_table()}\n\nTools:\n{self._tool_table()}"

    def _port_table(self) -> str:
        if not self.ports:
            return self.no_ports
        return table(
            [
                [p.device, p.usb or "-", p.description, ", ".join(p.boards) or "unknown"]
                for p in self.ports
            ],
            header=["port", "USB id", "description", "may be"],
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
            "ports": [asdict(p) for p in self.ports],
            "tools": [asdict(t) for t in self.tools],
            "packages": [asdict(p) for p in self.packages],
        }


def inventory() -> Inventory:
    """Lists everything; opens no port and runs only `--version`."""
    boards = all_boards()
    ports: tuple[SerialPort, ...] = ()
    no_ports = "none found"
    try:
        ports = find_ports(boards)
    except ToolMissingError as error:
        no_ports = str(error)
    tools = find_tools(boards)
    missing = {t.program for t in tools if t.version is None}
    entries = (BoardEntry(b, can_train(b), can_save(b), _ready_for(b, missing)) for b in boards)
    return Inventory(tuple(entries), ports, no_ports, tools, find_packages())


def _ready_for(board: Board, missing: set[str]) -> str:
    if board.build.toolchain == NATIVE:
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
