"""Restarts a board into its boot loader: its USB port is opened at 1200 baud and closed."""

from __future__ import annotations

import errno

from byteprop_host.boards.board import Board
from byteprop_host.boards.ports import ports_of
from byteprop_host.errors import FlashError
from byteprop_host.flash.base import Way

TOUCH_BAUD = 1200
_GONE = (errno.EIO, errno.EPIPE, errno.ENODEV, errno.ENXIO)


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


def touch(port: str) -> None:
    """Opens the port at 1200 baud and closes it. The device may vanish while it is open."""
    import serial

    try:
        line = serial.Serial(port, TOUCH_BAUD, timeout=1.0)
        line.dtr = False
        line.close()
    except OSError as error:  # serial's own errors among them
        if error.errno not in _GONE:
            raise FlashError(f"{port}: cannot be opened: {error.strerror or error}") from None
