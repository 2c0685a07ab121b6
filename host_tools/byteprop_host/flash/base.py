"""The interface of runners (probe, plan, start) and of running boards (reset, close)."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeVar

from byteprop_host.boards.board import Board
from byteprop_host.firmware.firmware import Firmware


@dataclass(frozen=True)
class Availability:
    """Whether a runner works on this computer; install: how to install what is missing."""

    available: bool
    detail: str
    install: str


def program_availability(program: str, install: str) -> Availability:
    path = shutil.which(program)
    if path is None:
        return Availability(False, f"{program} is not installed", install)
    return Availability(True, path, install)


@dataclass(frozen=True)
class Way:
    """How a board on a cable is reached.

    port: its serial port; None: the one with its USB ids. probe: serial number of the debug probe
    or boot loader; None: the only one."""

    port: str | None = None
    probe: str | None = None


@dataclass(frozen=True)
class FlashCommands:
    """The exact commands of a runner, in order."""

    runner: str
    commands: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """The commands as lines of a shell."""
        return "\n".join(shlex.join(command) for command in self.commands)


class RunningBoard(Protocol):
    """A board that runs the firmware. A context manager; closing ends an emulator."""

    @property
    def board(self) -> Board: ...
    @property
    def port(self) -> str:
        """The port, as pyserial names it."""
        ...

    @property
    def plan(self) -> FlashCommands: ...
    @property
    def counts_cycles(self) -> bool:
        """Whether its clock counts CPU cycles: on a real board and in an exact emulator."""
        ...

    @property
    def quiet(self) -> float:
        """Seconds without a byte in which its boot loader gives way to the program."""
        ...

    def reset(self) -> None:
        """Resets the board as its button does; the session is lost."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> RunningBoard: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class FlashRunner(Protocol):
    """A way to get firmware onto a board."""

    @property
    def name(self) -> str: ...
    @property
    def is_cable(self) -> bool:
        """Whether it writes to a board on a cable; else it runs a process of this computer."""
        ...

    def availability(self) -> Availability: ...
    def is_present(self) -> bool:
        """Whether what it writes through is plugged in, as far as that can be seen."""
        ...

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        """The commands of `start`. FlashError when an argument is missing."""
        ...

    def start(
        self, firmware: Firmware, way: Way, *, write: bool, icount: bool, timeout: float
    ) -> RunningBoard:
        """Writes the firmware (an emulator loads it) and starts it."""
        ...


class StartedBoard:
    """Base of all running boards."""

    quiet = 0.0

    def __init__(self, board: Board, plan: FlashCommands, port: str) -> None:
        self.board = board
        self.plan = plan
        self.port = port

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self: Started) -> Started:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


Started = TypeVar("Started", bound=StartedBoard)
