"""A board on a cable, written by a program that board.toml describes wholly."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ..boards import Board, Runner
from ..build import Firmware
from ..errors import FlashError, ToolMissingError
from .base import Plan, Probe, StartedBoard, probe_program

_PLACEHOLDERS = ("elf", "hex", "bin", "port", "baud")


class CableBoard(StartedBoard):
    """A board on a cable. Closing leaves it running: it is not ours to switch off."""

    counts_cycles = True

    def __init__(
        self, runner: CommandRunner, firmware: Firmware, plan: Plan, port: str, timeout: float
    ) -> None:
        super().__init__(runner.board, plan, port)
        self._runner = runner
        self._firmware = firmware
        self._timeout = timeout

    def reset(self) -> None:
        _run(self._runner.reset_plan(self._firmware, self.port), self._timeout)

    def close(self) -> None:
        pass


class CommandRunner:
    """Runs a flash tool with its arguments from board.toml."""

    needs_port = True

    def __init__(self, board: Board, runner: Runner) -> None:
        self.board = board
        self.name = runner.name
        self._runner = runner

    def probe(self) -> Probe:
        return probe_program(self._runner.program, self._runner.install)

    def plan(self, firmware: Firmware, port: str | None) -> Plan:
        return self._filled(self._runner.flash, firmware, port)

    def reset_plan(self, firmware: Firmware, port: str | None) -> Plan:
        if not self._runner.reset:
            raise FlashError(
                f"{self.board.name}: {self.name} has no reset command in board.toml; "
                "press the board's reset button"
            )
        return self._filled(self._runner.reset, firmware, port)

    def _filled(self, args: Sequence[str], firmware: Firmware, port: str | None) -> Plan:
        values = {
            "elf": firmware.elf,
            "hex": firmware.hex,
            "bin": firmware.binary,
            "port": port,
            "baud": self.board.serial.baud,
        }
        command = [self._runner.program]
        for arg in args:
            for name in _PLACEHOLDERS:
                if "{" + name + "}" not in arg:
                    continue
                if values[name] is None:
                    raise FlashError(
                        f"{self.board.name}: {self.name} needs a {name}; give --{name}"
                    )
                arg = arg.replace("{" + name + "}", str(values[name]))
            command.append(arg)
        return Plan(self.name, (tuple(command),))

    def start(
        self,
        firmware: Firmware,
        port: str | None,
        *,
        write: bool = True,
        icount: bool = False,
        timeout: float = 60.0,
    ) -> CableBoard:
        if port is None:
            raise FlashError(f"{self.board.name}: which port is the board on? give --port")
        if icount:
            raise FlashError(f"{self.board.name}: only an emulator counts instructions")
        plan = self.plan(firmware, port)
        if write:
            probe = self.probe()
            if not probe.available:
                raise ToolMissingError(f"{probe.detail}; install it: {probe.install}")
            _run(plan, max(timeout, 60.0))
        return CableBoard(self, firmware, plan, port, timeout)


def _run(plan: Plan, timeout: float) -> None:
    for command in plan.commands:
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=timeout,
            )
        except FileNotFoundError:
            raise ToolMissingError(f"{command[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise FlashError(f"no end after {timeout:g} s: {plan.text()}") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise FlashError(f"{plan.text()}\nended with code {done.returncode}: {said}")
