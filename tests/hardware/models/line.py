"""A serial line between a UART and a test or a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os


class Line:
    """Bytes in both directions. fd: of a pseudo-terminal's master; None: `to_chip` and `from_chip`
    are for the test."""

    def __init__(self, fd: int | None = None) -> None:
        self.to_chip = bytearray()
        self.from_chip = bytearray()
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)

    def poll(self) -> None:
        """Takes over what the other side has sent."""
        if self._fd is not None:
            with contextlib.suppress(BlockingIOError, OSError):
                self.to_chip += os.read(self._fd, 4096)

    def send(self, byte: int) -> None:
        self.from_chip.append(byte)
        if self._fd is None:
            return  # for `taken`
        while self.from_chip:
            try:
                sent = os.write(self._fd, bytes(self.from_chip))
            except BlockingIOError:
                continue
            except OSError:  # nobody has the port open
                return
            del self.from_chip[:sent]

    def taken(self) -> bytes:
        """What the chip has sent since the last call, for a line without a pseudo-terminal."""
        sent = bytes(self.from_chip)
        self.from_chip.clear()
        return sent
