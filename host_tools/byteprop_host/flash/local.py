"""Boards that are a process of this computer, behind a pseudo-terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading

from byteprop_host.boards.board import Board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.firmware.native import NO_PTY
from byteprop_host.flash.base import FlashCommands, StartedBoard, Way
from byteprop_host.flash.process import Child, Pty


class ProcessBoard(StartedBoard):
    """A board behind a pseudo-terminal."""

    counts_cycles = False
    program = "emulator"  # what error texts call it

    def __init__(self, board: Board, plan: FlashCommands, pty: Pty, child: Child) -> None:
        super().__init__(board, plan, pty.port)
        self._pty = pty
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_alive(self) -> bool:
        return self._child.exit_code() is None

    def reset(self) -> None:
        """Sends SIGHUP, which byteprop's own programs handle as a reset."""
        if sys.platform == "win32":
            raise FlashError(NO_PTY)
        if not self.is_alive():
            raise self._fail(f"the {self.program} exited")
        os.kill(self._child.pid, signal.SIGHUP)

    def close(self) -> None:
        self._child.close()
        self._pty.close()

    def _read_line(self, timeout: float) -> bytes:
        """The next line of its output. A timer kills a process that hangs, which ends the line."""
        timer = threading.Timer(timeout, self._kill)
        timer.start()
        try:
            return self._child.stdout.readline()
        finally:
            timer.cancel()

    def _kill(self) -> None:
        self._child.kill()

    def _fail(self, what: str) -> FlashError:
        code = self._child.wait(1.0)
        said = self._child.errors()
        self.close()
        return FlashError(
            f"{self.board.name}: {what}"
            + (f" (exit code {code})" if code is not None else "")
            + (f": {said}" if said else "")
            + f"\nthe command was: {self.plan.text()}"
        )


class ProcessRunner:
    """Starts a process on a pseudo-terminal of its own."""

    is_cable = False
    counts_instructions = False
    no_icount = ""  # the reason

    def __init__(self, board: Board) -> None:
        self.board = board

    def is_present(self) -> bool:
        return True

    def start(
        self,
        firmware: Firmware,
        way: Way,
        *,
        write: bool = True,
        icount: bool = False,
        timeout: float = 10.0,
    ) -> ProcessBoard:
        if icount and not self.counts_instructions:
            raise FlashError(f"{self.board.name}: {self.no_icount}")
        with Pty.closed_on_failure() as pty:
            return self._start(firmware, pty, icount=icount, timeout=timeout)

    def _start(self, firmware: Firmware, pty: Pty, *, icount: bool, timeout: float) -> ProcessBoard:
        raise NotImplementedError
