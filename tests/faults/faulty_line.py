"""A serial line that damages what passes: a pseudo-terminal between the host and a board's port.

Emulators and pseudo-terminals never lose a byte, so this does it for them: bit flips, lost, doubled
and inserted bytes, and cut stretches, in both directions, at a given rate and from a seed.
"""

from __future__ import annotations

import os
import pty
import random
import select
import threading
import tty
from collections import Counter
from collections.abc import Callable
from types import TracebackType

CUT_BYTES = 40
KINDS = ("flip", "drop", "double", "insert", "cut")


class Damage:
    """Damages a stream. Which bytes suffer depends on seed and position alone."""

    def __init__(self, rate: float, seed: int, kinds: tuple[str, ...] = KINDS) -> None:
        self.done: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._rate = rate
        self._kinds = kinds
        self._to_cut = 0

    def __call__(self, data: bytes) -> bytes:
        return b"".join(self._byte(value) for value in data)

    def _byte(self, value: int) -> bytes:
        if self._to_cut > 0:
            self._to_cut -= 1
            return b""
        if self._random.random() >= self._rate:
            return bytes([value])
        kind = self._random.choice(self._kinds)
        self.done[kind] += 1
        if kind == "flip":
            return bytes([value ^ 1 << self._random.randrange(8)])
        if kind == "drop":
            return b""
        if kind == "double":
            return bytes([value, value])
        if kind == "insert":
            return bytes([self._random.randrange(256), value])
        self._to_cut = self._random.randrange(1, CUT_BYTES)
        return b""


class FaultyLine:
    """`port` leads to the board at `board_port`, through damage.

    At each number of bytes in reset_at (counted towards the board), `reset` is called.
    """

    def __init__(
        self,
        board_port: str,
        *,
        rate: float = 0.0,
        seed: int = 0,
        reset: Callable[[], None] | None = None,
        reset_at: tuple[int, ...] = (),
    ) -> None:
        self.to_board = Damage(rate, seed)
        self.to_host = Damage(rate, seed + 1)
        self.bytes_to_board = 0
        self.resets = 0
        self._reset = reset
        self._reset_at = sorted(reset_at)
        self._board = os.open(board_port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._board)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send_to_board(self, data: bytes) -> None:
        """Puts bytes of its own on the line."""
        os.write(self._board, data)

    def send_to_host(self, data: bytes) -> None:
        os.write(self._master, data)

    def _run(self) -> None:
        try:
            while True:
                ready, _, _ = select.select([self._board, self._master, self._wake], [], [])
                if self._wake in ready:
                    return
                if self._master in ready:
                    self._towards_board(os.read(self._master, 4096))
                if self._board in ready:
                    _write(self._master, self.to_host(os.read(self._board, 4096)))
        except OSError:
            return  # one side has gone; the other one sees silence

    def _towards_board(self, data: bytes) -> None:
        while self._reset_at and self.bytes_to_board + len(data) >= self._reset_at[0]:
            before = max(self._reset_at.pop(0) - self.bytes_to_board, 0)
            self._pass_on(data[:before])
            data = data[before:]
            if self._reset is not None:
                self._reset()
                self.resets += 1
        self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        self.bytes_to_board += len(data)
        _write(self._board, self.to_board(data))

    def close(self) -> None:
        os.write(self._woken, b"x")
        self._thread.join(5.0)
        for fd in (self._board, self._master, self._slave, self._wake, self._woken):
            os.close(fd)

    def __enter__(self) -> FaultyLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
