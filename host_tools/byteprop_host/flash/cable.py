"""Boards on a cable: what every runner that writes to one has in common."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Runner
from byteprop_host.errors import FlashError, ToolMissingError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.firmware.subprocesses import finish
from byteprop_host.flash.base import (
    Availability,
    FlashCommands,
    StartedBoard,
    Way,
    program_availability,
)
from byteprop_host.flash.probes import data_port, find_probe
from byteprop_host.flash.usb import can_list, usb_devices

_LAST_LINES = 12  # of a tool that failed
_PORT_SECONDS = 10.0  # until the program's own USB port appears


# Remedies that several tools share.
ANOTHER_CHIP = "this is another chip than expected: is --board right?"
NO_USB_PERMISSION = "no permission: `byteprop boards --udev` mends it"


@dataclass(frozen=True)
class Symptom:
    """A failure as a tool reports it: a regular expression, what it means, and what to do."""

    pattern: str
    remedy: str


class CableBoard(StartedBoard):
    """A board on a cable. Closing leaves it running."""

    counts_cycles = True

    def __init__(
        self, runner: CableRunner, plan: FlashCommands, way: Way, port: str, timeout: float
    ) -> None:
        super().__init__(runner.board, plan, port)
        self.quiet = runner.board.serial.quiet_ms / 1000
        self._runner = runner
        self._way = way
        self._timeout = timeout

    def reset(self) -> None:
        self._runner.reset(self._way, self._timeout)

    def close(self) -> None:
        pass


class CableRunner:
    """Base of the runners of boards on a cable. A kind implements `flash_commands`, and what else
    it can do. The tool's own words decide whether it has written the firmware, because several
    tools exit with code 0 when they have not."""

    is_cable = True
    program = ""
    done = ""
    """Regular expression of what the tool says when the whole firmware was written."""
    symptoms: tuple[Symptom, ...] = ()
    seconds = 60.0
    """That a call may take at least."""

    def __init__(self, board: Board, runner: Runner) -> None:
        self.board = board
        self.name = runner.name
        self.runner = runner

    def availability(self) -> Availability:
        return program_availability(self.program, self.runner.install)

    def is_present(self) -> bool:
        """Whether what it writes through is plugged in, as far as that can be seen."""
        probes = self.runner.probes
        return not probes or not can_list() or bool(usb_devices(probes))

    # ---- what a kind implements ----

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        """Arguments of the program, of each of its calls."""
        raise NotImplementedError

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        raise FlashError(
            f"{self.board.name}: {self.name} cannot reset this board; press its reset button"
        )

    def erase_commands(self, way: Way) -> Sequence[Sequence[str]]:
        raise FlashError(f"{self.board.name}: {self.name} cannot erase the flash of this board")

    def check_written(self, said: str, firmware: Firmware) -> None:
        """Raises FlashError unless the tool said that it wrote the firmware."""
        if not re.search(self.done, said):
            raise self._failed("ended without saying that it wrote the firmware", said)

    # ---- the interface ----

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        return self._commands(self.flash_commands(firmware, way))

    def start(
        self,
        firmware: Firmware,
        way: Way,
        *,
        write: bool = True,
        icount: bool = False,
        timeout: float = 60.0,
    ) -> CableBoard:
        if icount:
            raise FlashError(f"{self.board.name}: only an emulator counts instructions")
        exact = self.find_probe(way) if write else way
        plan = self.plan(firmware, exact)
        if write:
            self.write(firmware, exact, plan, max(timeout, self.seconds))
        port = data_port(self.board, exact, _PORT_SECONDS if write else 0.0)
        return CableBoard(self, plan, exact, port, timeout)

    def find_probe(self, way: Way) -> Way:
        """The way with the serial number of the probe."""
        return find_probe(self.board, self.runner, way)

    def write(self, firmware: Firmware, way: Way, plan: FlashCommands, timeout: float) -> None:
        self.check_written(self.run(plan, timeout), firmware)

    def reset(self, way: Way, timeout: float) -> None:
        self.run(self._commands(self.reset_commands(self.find_probe(way))), timeout)

    def erase(self, way: Way, timeout: float) -> None:
        commands = self.erase_commands(self.find_probe(way))
        self.run(self._commands(commands), max(timeout, self.seconds))

    def run(self, plan: FlashCommands, timeout: float) -> str:
        """Runs the commands of a plan; each may take `timeout` seconds. Returns what they said."""
        said = []
        for command in plan.commands:
            try:
                done = finish(command, timeout=timeout)
            except FileNotFoundError:
                raise self._missing() from None
            except OSError as error:
                raise self._failed(f"cannot be started: {error.strerror}", "", plan) from None
            except subprocess.TimeoutExpired:
                raise self._failed(f"timed out after {timeout:g} s", "", plan) from None
            output = done.stdout + done.stderr
            if done.returncode:
                quoted = done.stderr if done.stderr.strip() else done.stdout
                raise self._failed(f"ended with code {done.returncode}", quoted, plan, output)
            said.append(output)
        return "".join(said)

    def _commands(self, args: Sequence[Sequence[str]]) -> FlashCommands:
        return FlashCommands(self.name, tuple((self.program, *a) for a in args))

    def _missing(self) -> ToolMissingError:
        return ToolMissingError(
            f"{self.board.name}: {self.program} is not installed: {self.runner.install}"
        )

    def _failed(
        self, what: str, said: str, plan: FlashCommands | None = None, searched: str = ""
    ) -> FlashError:
        last = "\n".join(said.strip().splitlines()[-_LAST_LINES:])
        return FlashError(
            f"{self.board.name}: {self.name} {what}; {self._remedy(searched or said)}"
            + (f"\n{last}" if last else "")
            + (f"\nthe command was: {plan.text()}" if plan else "")
        )

    def _remedy(self, said: str) -> str:
        for symptom in self.symptoms:
            if re.search(symptom.pattern, said):
                return symptom.remedy
        return "is the board plugged in?"


class PortRunner(CableRunner):
    """Base of the runners that write through the board's serial port, which is found by its USB
    ids: their tools would take the first port, or try every port of the computer."""

    def find_probe(self, way: Way) -> Way:
        return Way(data_port(self.board, way, 0.0), way.probe)


def needs_port(runner: CableRunner, way: Way) -> str:
    """The port of the way. FlashError without one."""
    if way.port is None:
        raise FlashError(f"{runner.board.name}: {runner.name} needs a port; add --port")
    return way.port
