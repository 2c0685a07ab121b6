"""The device program as a process of this computer."""

from __future__ import annotations

import sys

from byteprop_host.boards.board import Board
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.firmware.native import NO_PTY
from byteprop_host.flash.base import Availability, FlashCommands, Way
from byteprop_host.flash.local import ProcessBoard, ProcessRunner
from byteprop_host.flash.process import Child, Pty

# A process that cannot start exits within this time; one that runs waits it once.
_SETTLE_SECONDS = 0.05


class NativeBoard(ProcessBoard):
    """The device program as a process of this computer."""

    program = "device program"

    def __init__(self, board: Board, plan: FlashCommands, pty: Pty) -> None:
        super().__init__(board, plan, pty, Child(plan.commands[0], fds=[pty.master]))
        pty.give_master()
        if self._child.wait(_SETTLE_SECONDS) is not None:
            raise self._fail("the device program did not start")


class NativeRunner(ProcessRunner):
    """Starts the native device program."""

    name = "native"
    no_icount = "a native process has no instruction counter"

    def availability(self) -> Availability:
        if sys.platform == "win32":
            return Availability(False, "Windows has no pseudo-terminals", NO_PTY)
        return Availability(True, "this computer", "")

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        return self._plan(firmware, "FD")

    def _plan(self, firmware: Firmware, fd: str) -> FlashCommands:
        return FlashCommands(self.name, ((str(firmware.elf), fd),))

    def _start(self, firmware: Firmware, pty: Pty, *, icount: bool, timeout: float) -> NativeBoard:
        return NativeBoard(self.board, self._plan(firmware, str(pty.master)), pty)
