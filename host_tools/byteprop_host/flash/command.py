"""A board on a cable, written by a program that board.toml describes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence

from byteprop_host.boards.board import Board, Runner
from byteprop_host.errors import FlashError, ToolMissingError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.firmware.subprocesses import finish
from byteprop_host.flash.base import FlashCommands, Probe, StartedBoard, probe_program

_LAST_LINES = 12  # of a tool that failed


class CableBoard(StartedBoard):
    """A board on a cable. Closing leaves it running."""

    counts_cycles = True

    def __init__(
        self,
        runner: CommandRunner,
        firmware: Firmware,
        plan: FlashCommands,
        port: str,
        timeout: float,
    ) -> None:
        super().__init__(runner.board, plan, port)
        self._runner = runner
        self._firmware = firmware
        self._timeout = timeout

    def reset(self) -> None:
        self._runner.run(self._runner.reset_plan(self._firmware, self.port), self._timeout)

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

    def plan(self, firmware: Firmware, port: str | None) -> FlashCommands:
        return self._filled(self._runner.flash, firmware, port)

    def reset_plan(self, firmware: Firmware, port: str | None) -> FlashCommands:
        if not self._runner.reset:
            raise FlashError(
                f"{self.board.name}: {self.name} has no reset command in board.toml; "
                "press the board's reset button"
            )
        return self._filled(self._runner.reset, firmware, port)

    def _filled(self, args: Sequence[str], firmware: Firmware, port: str | None) -> FlashCommands:
        values: dict[str, object] = {
            "elf": firmware.elf,
            "hex": firmware.hex,
            "bin": firmware.binary,
            "port": port,
            "baud": self.board.serial.baud,
        }
        filled = (re.sub(r"\{(\w+)\}", lambda m: self._value(values, m[1]), arg) for arg in args)
        return FlashCommands(self.name, ((self._runner.program, *filled),))

    def _value(self, values: Mapping[str, object], name: str) -> str:
        if values[name] is None:
            raise FlashError(f"{self.board.name}: {self.name} needs a {name}; add --{name}")
        return str(values[name])

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
            raise FlashError(
                f"{self.board.name}: expected the port of the board, got none; add --port"
            )
        if icount:
            raise FlashError(f"{self.board.name}: only an emulator counts instructions")
        plan = self.plan(firmware, port)
        if write:
            probe = self.probe()
            if not probe.available:
                raise self._missing()
            self.run(plan, max(timeout, 60.0))
        return CableBoard(self, firmware, plan, port, timeout)

    def run(self, plan: FlashCommands, timeout: float) -> None:
        """Runs the commands of a plan; each may take `timeout` seconds."""
        for command in plan.commands:
            try:
                done = finish(command, timeout=timeout)
            except FileNotFoundError:
                raise self._missing() from None
            except OSError as error:
                raise self._failed(f"cannot be started: {error.strerror}", plan) from None
            except subprocess.TimeoutExpired:
                raise self._failed(f"timed out after {timeout:g} s", plan) from None
            if done.returncode:
                raise self._failed(
                    f"ended with code {done.returncode}", plan, done.stderr or done.stdout
                )

    def _missing(self) -> ToolMissingError:
        return ToolMissingError(
            f"{self.board.name}: {self._runner.program} is not installed: {self._runner.install}"
        )

    def _failed(self, what: str, plan: FlashCommands, said: str = "") -> FlashError:
        last = "\n".join(said.strip().splitlines()[-_LAST_LINES:])
        return FlashError(
            f"{self.board.name}: {self.name} {what}; is the board plugged in?"
            + (f"\n{last}" if last else "")
            + f"\nthe command was: {plan.text()}"
        )
