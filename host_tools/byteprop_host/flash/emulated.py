"""Boards that are a process on this computer: QEMU, and the native device program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import weakref
from types import TracebackType
from typing import Any

from ..boards import Board
from ..build import Firmware
from ..errors import FlashError
from .base import Plan, Probe
from .process import Child, Pty

# A process that cannot start says so within this time; one that runs costs only this once.
_SETTLE_SECONDS = 0.05


class ProcessBoard:
    """A board behind a pseudo-terminal."""

    counts_cycles = False

    def __init__(self, board: Board, plan: Plan, pty: Pty, child: Child) -> None:
        self.board = board
        self.plan = plan
        self.port = pty.port
        self._pty = pty
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_alive(self) -> bool:
        return self._child.exit_code() is None

    def reset(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._child.close()
        self._pty.close()

    def __enter__(self) -> ProcessBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fail(self, what: str) -> FlashError:
        code = self._child.wait(1.0)
        said = self._child.errors()
        self.close()
        return FlashError(
            f"{self.board.name}: {what}"
            + (f" (it ended with code {code})" if code is not None else "")
            + (f": {said}" if said else "")
            + f"\nthe command was: {self.plan.text()}"
        )


class QemuBoard(ProcessBoard):
    """A board in QEMU, with its machine protocol on the standard streams."""

    def __init__(
        self, board: Board, plan: Plan, pty: Pty, timeout: float, *, restarts: bool
    ) -> None:
        super().__init__(board, plan, pty, _emulator(plan, pty))
        self._timeout = timeout
        self._restarts = restarts
        self._lock = threading.Lock()
        self._line_is_ours()
        self._greet()

    def _line_is_ours(self) -> None:
        """When the emulator dies, the line has to break. It does by itself where nobody else holds
        the master; for an emulator that is started anew on the same line, a watcher lets it go."""
        if not self._restarts:
            self._pty.give_master()
            return
        watcher = threading.Thread(
            target=_break_line_at_end, args=(weakref.ref(self), self._child), daemon=True
        )
        watcher.start()

    def let_line_go(self, of: Child) -> None:
        """The emulator `of` has ended; unless another one has taken its place, so does the line."""
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
            raise self._fail("the emulator has gone") from None
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise FlashError(f"{self.board.name}: QEMU: {answer['error'].get('desc')}")

    def _read(self) -> dict[str, Any]:
        """The next message. A timer ends an emulator that hangs, which ends the reading."""
        timer = threading.Timer(self._timeout, self._kill)
        timer.start()
        try:
            line = self._child.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise self._fail("the emulator did not start or has gone")
        message: dict[str, Any] = json.loads(line)
        return message

    def _kill(self) -> None:
        if self.is_alive():
            os.kill(self._child.pid, signal.SIGKILL)

    def reset(self) -> None:
        if not self._restarts:
            self.execute("system_reset")
            return
        if not self.is_alive():
            raise self._fail("the emulator has gone")
        with self._lock:
            self._child.close()
            self._child = _emulator(self.plan, self._pty)
        self._line_is_ours()
        self._greet()


def _emulator(plan: Plan, pty: Pty) -> Child:
    """On one CPU: one thread of QEMU brings a byte of the line, then waits for the other one, which
    runs the board's CPU. Waking each other across CPUs takes several times as long."""
    return Child(plan.commands[0], fds=[pty.master], one_cpu=True)


def _break_line_at_end(board: weakref.ref[QemuBoard], child: Child) -> None:
    child.wait(None)
    alive = board()
    if alive is not None:
        alive.let_line_go(child)


class QemuRunner:
    """Loads the firmware into the emulator that board.toml describes."""

    name = "qemu"
    needs_port = False

    def __init__(self, board: Board) -> None:
        if board.emulator is None:
            raise FlashError(f"{board.name}: board.toml describes no emulator")
        self.board = board
        self._emulator = board.emulator

    def probe(self) -> Probe:
        path = shutil.which(self._emulator.program)
        install = f"sudo apt-get install {self._emulator.install}"
        if path is None:
            return Probe(False, f"{self._emulator.program} is not installed", install)
        return Probe(True, path, install)

    def plan(self, firmware: Firmware, port: str | None) -> Plan:
        return self._plan(firmware, "FD", icount=False)

    def _plan(self, firmware: Firmware, fd: str, *, icount: bool) -> Plan:
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
        return Plan(self.name, (tuple(command),))

    def start(
        self,
        firmware: Firmware,
        port: str | None,
        *,
        write: bool = True,
        icount: bool = False,
        timeout: float = 10.0,
    ) -> QemuBoard:
        if icount and not self._emulator.icount:
            raise FlashError(f"{self.board.name}: this emulator cannot count instructions")
        pty = Pty.make()
        try:
            plan = self._plan(firmware, str(pty.master), icount=icount)
            return QemuBoard(
                self.board, plan, pty, timeout, restarts=self._emulator.restart_to_reset
            )
        except BaseException:
            pty.close()
            raise


class NativeBoard(ProcessBoard):
    """The device program as a process of this computer."""

    def __init__(self, board: Board, plan: Plan, pty: Pty, child: Child) -> None:
        super().__init__(board, plan, pty, child)
        if child.wait(_SETTLE_SECONDS) is not None:
            raise self._fail("the device program did not start")

    def reset(self) -> None:
        """The program takes this signal as the reset button."""
        os.kill(self._child.pid, signal.SIGHUP)


class NativeRunner:
    """Starts the native device program."""

    name = "native"
    needs_port = False

    def __init__(self, board: Board) -> None:
        self.board = board

    def probe(self) -> Probe:
        return Probe(True, "this computer", "")

    def plan(self, firmware: Firmware, port: str | None) -> Plan:
        return Plan(self.name, ((str(firmware.elf), "FD"),))

    def start(
        self,
        firmware: Firmware,
        port: str | None,
        *,
        write: bool = True,
        icount: bool = False,
        timeout: float = 10.0,
    ) -> NativeBoard:
        if icount:
            raise FlashError(f"{self.board.name}: a native process has no instruction counter")
        pty = Pty.make()
        try:
            plan = Plan(self.name, ((str(firmware.elf), str(pty.master)),))
            child = Child(plan.commands[0], fds=[pty.master])
        except BaseException:
            pty.close()
            raise
        pty.give_master()
        return NativeBoard(self.board, plan, pty, child)
