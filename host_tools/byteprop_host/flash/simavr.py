"""AVR boards in simavr, which counts the cycles of every instruction by the data sheet."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

from byteprop_host import activity
from byteprop_host.boards.board import Board, boards_root
from byteprop_host.boards.runner import Simavr
from byteprop_host.errors import ToolMissingError
from byteprop_host.firmware.firmware import Firmware, cache_dir, placed_at_once
from byteprop_host.flash.base import Availability, FlashCommands, Way
from byteprop_host.flash.local import ProcessBoard, ProcessRunner
from byteprop_host.flash.process import Child, Pty

_NAME = "byteprop-simavr"
_MISSING_HEADER = "simavr/"


def simulator() -> Path:
    """The program around libsimavr, compiled when it is first used. Raises ToolMissingError."""
    folder = boards_root() / "simulators"
    text = b"".join(file.read_bytes() for file in sorted(folder.glob("*.[ch]")))
    target = cache_dir() / "native" / f"{zlib.crc32(text):08x}" / _NAME
    if target.is_file() and _can_start(target):
        return target
    cc = shutil.which("cc") or shutil.which("gcc")
    if cc is None:
        raise ToolMissingError("cc is not installed")
    with placed_at_once(target) as made:
        command = [cc, "-std=c99", "-O2", str(folder / "simavr.c"), "-lsimavr", "-o", str(made)]
        activity.command(command)
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60.0, check=False
        )
        if done.returncode:
            raise ToolMissingError(_why(done.stderr))
    return target


def _can_start(program: Path) -> bool:
    """False if the library was removed since; without arguments it prints its usage."""
    done = subprocess.run([program], capture_output=True, timeout=10.0, check=False)
    return b"usage" in done.stderr


def _why(said: str) -> str:
    if _MISSING_HEADER in said or "-lsimavr" in said:
        return "libsimavr-dev is not installed"
    return f"simavr's library cannot be used: {said.strip()}"


class SimavrBoard(ProcessBoard):
    """A board in simavr."""

    counts_cycles = True

    def __init__(self, board: Board, plan: FlashCommands, pty: Pty, timeout: float) -> None:
        super().__init__(board, plan, pty, Child(plan.commands[0], fds=[pty.master]))
        pty.give_master()
        if not self._read_line(timeout):
            raise self._fail("the emulator did not start")


class SimavrRunner(ProcessRunner):
    """Loads the firmware into the microcontroller that board.toml names."""

    name = "simavr"
    no_icount = "simavr counts cycles, not instructions"

    def __init__(self, board: Board, runner: Simavr) -> None:
        super().__init__(board)
        self._runner = runner

    def availability(self) -> Availability:
        try:
            return Availability(True, str(simulator()), self._runner.install)
        except ToolMissingError as missing:
            return Availability(False, str(missing), self._runner.install)

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        return self._plan(firmware, _NAME, "FD")

    def _plan(self, firmware: Firmware, program: str, fd: str) -> FlashCommands:
        hz = str(self.board.clock.hz)
        return FlashCommands(
            self.name, ((program, self._runner.mcu, hz, str(firmware.binary), fd),)
        )

    def _start(self, firmware: Firmware, pty: Pty, *, icount: bool, timeout: float) -> SimavrBoard:
        plan = self._plan(firmware, str(simulator()), str(pty.master))
        return SimavrBoard(self.board, plan, pty, timeout)
