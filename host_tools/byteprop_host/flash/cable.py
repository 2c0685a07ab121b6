"""Boards on a cable: what every runner that writes to one has in common."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
UNPLUGGED = "the board was unplugged: plug it in and write again"
TIMED_OUT = "unplug the board, plug it in and try again; --timeout gives it longer"
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
            what = "ended without saying that it wrote the firmware"
            raise self._failed(what, self._remedy(said), said)

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
        self.check_written(self.run(plan, way, timeout), firmware)

    def reset(self, way: Way, timeout: float) -> None:
        exact = self.find_probe(way)
        self.run(self._commands(self.reset_commands(exact)), exact, timeout)

    def erase(self, way: Way, timeout: float) -> None:
        exact = self.find_probe(way)
        commands = self.erase_commands(exact)
        self.run(self._commands(commands), exact, max(timeout, self.seconds))

    def is_there(self, way: Way) -> bool:
        """Whether the device that it writes through is plugged in, as far as that can be seen."""
        devices = usb_devices(self.runner.probes)
        return any(way.probe in (None, device.serial) for device in devices)

    def run(self, plan: FlashCommands, way: Way, timeout: float) -> str:
        """Runs the commands of a plan; each may take `timeout` seconds. Returns what they said."""
        was_there = self.is_there(way)
        said = []
        for command in plan.commands:
            try:
                done = finish(command, timeout=timeout)
            except FileNotFoundError:
                raise self._missing() from None
            except OSError as error:
                what = f"cannot be started: {error.strerror}"
                raise self._failed(what, self.runner.install, "", plan) from None
            except subprocess.TimeoutExpired:
                what = f"timed out after {timeout:g} s"
                remedy = UNPLUGGED if was_there and not self.is_there(way) else TIMED_OUT
                raise self._failed(what, remedy, "", plan) from None
            output = done.stdout + done.stderr
            if done.returncode:
                is_gone = was_there and not self.is_there(way)
                remedy = UNPLUGGED if is_gone else self._remedy(output)
                quoted = done.stderr if done.stderr.strip() else done.stdout
                raise self._failed(f"ended with code {done.returncode}", remedy, quoted, plan)
            said.append(output)
        return "".join(said)

    def _commands(self, args: Sequence[Sequence[str]]) -> FlashCommands:
        return FlashCommands(self.name, tuple((self.program, *a) for a in args))

    def _missing(self) -> ToolMissingError:
        return ToolMissingError(
            f"{self.board.name}: {self.program} is not installed: {self.runner.install}"
        )

    def _failed(
        self, what: str, remedy: str, said: str, plan: FlashCommands | None = None
    ) -> FlashError:
        last = "\n".join(said.strip().splitlines()[-_LAST_LINES:])
        return FlashError(
            f"{self.board.name}: {self.name} {what}; {remedy}"
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

    def is_there(self, way: Way) -> bool:
        return way.port is not None and Path(way.port).exists()


def needs_port(runner: CableRunner, way: Way) -> str:
    """The port of the way. FlashError without one."""
    if way.port is None:
        raise FlashError(f"{runner.board.name}: {runner.name} needs a port; add --port")
    return way.port
