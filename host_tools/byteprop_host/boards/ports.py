"""Serial ports that are plugged in, and which boards they may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from byteprop_host.boards.board import Board
from byteprop_host.errors import INSTALL_HOST, ToolMissingError


@dataclass(frozen=True)
class SerialPort:
    """One port. usb is "vvvv:pppp" or None; boards are those with that USB id."""

    device: str
    description: str
    usb: str | None
    serial_number: str | None
    boards: tuple[str, ...]


def find_ports(boards: Iterable[Board]) -> tuple[SerialPort, ...]:
    """Lists ports without opening or writing to any."""
    try:
        from serial.tools import list_ports
    except ImportError as error:
        raise ToolMissingError(f"pyserial is not installed: {INSTALL_HOST}") from error
    known = list(boards)
    found = []
    for port in sorted(list_ports.comports(), key=lambda p: str(p.device)):
        usb = None if port.vid is None else f"{port.vid:04x}:{port.pid:04x}"
        found.append(
            SerialPort(
                device=str(port.device),
                description=str(port.description or ""),
                usb=usb,
                serial_number=port.serial_number,
                boards=tuple(b.name for b in known if usb is not None and usb in b.serial.usb),
            )
        )
    return tuple(found)


def ports_of(board: Board) -> tuple[SerialPort, ...]:
    """The ports with the board's USB ids."""
    return tuple(port for port in find_ports([board]) if port.boards)
