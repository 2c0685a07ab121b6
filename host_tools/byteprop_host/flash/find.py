"""Whether a board is plugged in, and how it is reached."""

from __future__ import annotations

from byteprop_host.boards.board import NATIVE, Board
from byteprop_host.boards.ports import ports_of
from byteprop_host.boards.runner import Uf2
from byteprop_host.errors import ToolMissingError
from byteprop_host.flash.base import Way
from byteprop_host.flash.drives import drives
from byteprop_host.flash.kinds import runners
from byteprop_host.flash.usb import usb_devices


def find_board(
    board: Board, *, port: str | None = None, probe: str | None = None, emulated: bool = False
) -> Way | None:
    """How the board is reached; None: it is emulated, or a process of this computer.

    Without port and probe, a board that is plugged in comes before the emulator."""
    if port is not None or probe is not None:
        return Way(port, probe)
    on_cable = [r.is_cable for r in runners(board)]
    if board.build.toolchain == NATIVE or emulated or not any(on_cable):
        return None
    return Way() if all(on_cable) or is_plugged_in(board) else None


def is_plugged_in(board: Board) -> bool:
    """True when its serial port, its probe or the drive of its boot loader is there."""
    if usb_devices(p for r in board.runners for p in r.probes):
        return True
    ids = {r.board_id for r in board.runners if isinstance(r, Uf2)}
    if ids and any(d.board_id in ids for d in drives()):
        return True
    return bool(_ports(board))


def open_port(board: Board, way: Way) -> str | None:
    """The port where the board may answer already; None when it is not there yet, or not clear."""
    if way.port is not None:
        return way.port
    ports = _ports(board)
    return ports[0] if len(ports) == 1 else None


def _ports(board: Board) -> list[str]:
    try:
        return [port.device for port in ports_of(board)]
    except ToolMissingError:  # no pyserial: an emulator needs it too, and says so
        return []
