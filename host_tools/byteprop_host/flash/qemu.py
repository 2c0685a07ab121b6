"""Boards in QEMU."""

from __future__ import annotations

import json
import threading
import weakref
from typing import Any

from byteprop_host.boards.board import Board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Availability, FlashCommands, Way, program_availability
from byteprop_host.flash.local import ProcessBoard, ProcessRunner
from byteprop_host.flash.process import Child, Pty


class QemuBoard(ProcessBoard):
    """A board in QEMU, with its machine protocol on the standard streams."""

    def __init__(
        self, board: Board, plan: FlashCommands, pty: Pty, timeout: float, *, restarts: bool
    ) -> None:
        super().__init__(board, plan, pty, _emulator(plan, pty))
        self._timeout = timeout
        self._restarts = restarts
        self._lock = threading.Lock()
        self._line_is_ours()
        self._greet()

    def _line_is_ours(self) -> None:
        """Breaks the line when the emulator exits. Our copy of the master is closed at once; for
        an emulator that is started again on the same line, by a thread that waits for the exit."""
        if not self._restarts:
            self._pty.give_master()
            return
        waiter = threading.Thread(
            target=_break_line_at_end, args=(weakref.ref(self), self._child), daemon=True
        )
        waiter.start()

    def break_line(self, of: Child) -> None:
        """Breaks the line after the emulator `of` exited, unless it was started again."""
        with self._lock:
            if self._child is of:
                self._pty.give_master()

    def _greet(self) -> None:
        if "QMP" not in self._read():
            raise self._fail("the emulator did not start")
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """One command of the QEMU machine protocol."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except (OSError, ValueError):
            raise self._fail("the emulator exited") from None
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise FlashError(f"{self.board.name}: QEMU: {answer['error'].get('desc')}")

    def _read(self) -> dict[str, Any]:
        line = self._read_line(self._timeout)
        if not line:
            raise self._fail("the emulator did not start, or exited")
        message: dict[str, Any] = json.loads(line)
        return message

    def reset(self) -> None:
        if not self._restarts:
            self.execute("system_reset")
            return
        if not self.is_alive():
            raise self._fail("the emulator exited")
        with self._lock:
            self._child.close()
            self._child = _emulator(self.plan, self._pty)
        self._line_is_ours()
        self._greet()


def _emulator(plan: FlashCommands, pty: Pty) -> Child:
    """Starts it on one CPU: one thread of QEMU reads a byte of the line, then waits for the other,
    which runs the board's CPU. Waking each other across CPUs takes several times as long."""
    return Child(plan.commands[0], fds=[pty.master], one_cpu=True)


def _break_line_at_end(board: weakref.ref[QemuBoard], child: Child) -> None:
    child.wait(None)
    alive = board()
    if alive is not None:
        alive.break_line(child)


class QemuRunner(ProcessRunner):
    """Loads the firmware into the emulator that board.toml describes."""

    name = "qemu"
    no_icount = "this emulator cannot count instructions"

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        if board.emulator is None:
            raise FlashError(f"{board.name}: board.toml describes no emulator")
        self._emulator = board.emulator
        self.counts_instructions = board.emulator.icount

    def availability(self) -> Availability:
        install = f"sudo apt-get install {self._emulator.install}"
        return program_availability(self._emulator.program, install)

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        return self._plan(firmware, "FD", icount=False)

    def _plan(self, firmware: Firmware, fd: str, *, icount: bool) -> FlashCommands:
        args = [arg.replace("{elf}", str(firmware.elf)) for arg in self._emulator.args]
        command = [
            self._emulator.program,
            *args,
            *("-display none -monitor none -parallel none -net none").split(),
            *("-chardev", "stdio,id=qmp,signal=off", "-mon", "chardev=qmp,mode=control"),
            *("-add-fd", f"fd={fd},set=1"),
            *("-chardev", "serial,id=line,path=/dev/fdset/1", "-serial", "chardev:line"),
        ]
        if icount:
            command += ["-icount", f"shift={self._emulator.icount_shift}"]
        return FlashCommands(self.name, (tuple(command),))

    def _start(self, firmware: Firmware, pty: Pty, *, icount: bool, timeout: float) -> QemuBoard:
        plan = self._plan(firmware, str(pty.master), icount=icount)
        return QemuBoard(self.board, plan, pty, timeout, restarts=self._emulator.restart_to_reset)
