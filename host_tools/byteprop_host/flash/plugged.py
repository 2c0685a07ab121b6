"""What is plugged in: serial ports, probes and drives, and which boards they may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from byteprop_host.boards.board import Board
from byteprop_host.boards.ports import find_ports
from byteprop_host.boards.runner import Daplink, Uf2
from byteprop_host.flash.drives import drives
from byteprop_host.flash.usb import usb_devices


@dataclass(frozen=True)
class Plugged:
    """One thing. kind: "port", "probe" or "drive". where: a port, a serial number or a folder.
    problem: why it cannot be used, "" if it can."""

    kind: str
    where: str
    usb: str
    description: str
    boards: tuple[str, ...]
    problem: str = ""

    @property
    def option(self) -> str:
        """The options that name it to other verbs; "" when it belongs to no known board."""
        if not self.boards:
            return ""
        board = self.boards[0] if len(self.boards) == 1 else "BOARD"
        named = {"port": f" --port {self.where}", "probe": f" --probe {self.where}"}
        return f"--board {board}{named.get(self.kind, '')}"


def plugged(boards: Iterable[Board]) -> tuple[Plugged, ...]:
    """Everything that is there. ToolMissingError without pyserial."""
    known = tuple(boards)
    return (*_ports(known), *_probes(known), *_drives(known))


def _ports(boards: tuple[Board, ...]) -> list[Plugged]:
    return [
        Plugged("port", p.device, p.usb or "", p.description, p.boards) for p in find_ports(boards)
    ]


def _probes(boards: tuple[Board, ...]) -> list[Plugged]:
    ids = {p for b in boards for r in b.runners for p in r.probes}
    return [
        Plugged(
            "probe",
            d.serial,
            d.id,
            d.product,
            tuple(b.name for b in boards if any(d.id in r.probes for r in b.runners)),
            "" if d.is_writable else "no permission: byteprop boards --udev",
        )
        for d in usb_devices(ids)
    ]


def _drives(boards: tuple[Board, ...]) -> list[Plugged]:
    found = []
    for drive in drives():
        names = [
            b.name
            for b in boards
            for r in b.runners
            if (isinstance(r, Uf2) and drive.board_id and r.board_id == drive.board_id)
            or (isinstance(r, Daplink) and drive.unique_id)
        ]
        description = drive.board_id or f"DAPLink {drive.unique_id}"
        found.append(Plugged("drive", str(drive.folder), "", description, tuple(names)))
    return found
