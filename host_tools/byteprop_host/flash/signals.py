"""What a board does when a port is opened at 1200 baud, at a pulse of DTR and at a break."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from typing import Any

from byteprop_host.errors import FlashError

TOUCH_BAUD = 1200
BREAK_SECONDS = 0.1
_PULSE_SECONDS = 0.1
NO_PERMISSION = "no permission for the port: sudo usermod -aG dialout $USER, then log in again"
BUSY = "another program uses the port: close serial monitors"
NOT_THERE = "the port is not there: see `byteprop boards`"
_REMEDIES = {
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.EBUSY: BUSY,
    errno.ENOENT: NOT_THERE,
}
_GONE = (errno.EIO, errno.EPIPE, errno.ENODEV, errno.ENXIO)


@contextlib.contextmanager
def _opened(port: str, baud: int) -> Iterator[Any]:
    """The open port. FlashError with what to do."""
    import serial

    try:
        with serial.Serial(port, baud, timeout=1.0) as line:
            yield line
    except OSError as error:  # serial's own errors among them
        remedy = _REMEDIES.get(error.errno or 0) or error.strerror or error
        raise FlashError(f"{port} cannot be opened: {remedy}") from error


def touch(port: str) -> None:
    """Opens the port at 1200 baud and closes it. The device may vanish while it is open."""
    try:
        with _opened(port, TOUCH_BAUD) as line:
            line.dtr = False
    except FlashError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in _GONE:
            raise


def pulse_dtr(port: str, baud: int) -> None:
    """Boards with a capacitor between this line and the reset pin restart."""
    with _opened(port, baud) as line:
        line.dtr = False
        time.sleep(_PULSE_SECONDS)
        line.dtr = True


def send_break(port: str, baud: int) -> None:
    """Probes with DAPLink reset the chip: their user guide has it."""
    with _opened(port, baud) as line:
        line.send_break(BREAK_SECONDS)
