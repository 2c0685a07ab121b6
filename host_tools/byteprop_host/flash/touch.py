"""Restarts a board into its boot loader: its USB port is opened at 1200 baud and closed."""

from __future__ import annotations

from byteprop_host.boards.board import Board
from byteprop_host.boards.ports import ports_of
from byteprop_host.flash.base import Way
from byteprop_host.flash.signals import touch


def restart_into_boot_loader(board: Board, way: Way) -> bool:
    """Touches the board's port. False when there is no port of it, or more than one."""
    ports = ports_of(board)
    port = way.port or (ports[0].device if len(ports) == 1 else None)
    if port is None:
        return False
    touch(port)
    return True


def has_port(board: Board) -> bool:
    """Whether a program of ours may answer on the board's own USB port."""
    return bool(ports_of(board))
