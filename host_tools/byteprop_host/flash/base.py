"""What every runner offers: probe, plan, flash, reset."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeVar

from byteprop_host.boards.board import Board
from byteprop_host.firmware.firmware import Firmware


@dataclass(frozen=True)
class Probe:
    """Whether a runner can work here; `install` says how to get what is missing."""

    available: bool
    detail: str
    install: str


def probe_program(program: str, install: str) -> Probe:
    path = shutil.which(program)
    if path is None:
        return Probe(False, f"{program} is not installed", install)
    return Probe(True, path, install)


@dataclass(frozen=True)
class FlashCommands:
    """The exact commands that a runner will run, in order."""

    runner: str
    commands: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """As one would type them."""
        return "\n".join(shlex.join(command) for command in self.commands)


class RunningBoard(Protocol):
    """A board that runs the firmware. A context manager; closing ends an emulator."""

    @property
    def board(self) -> Board: ...
    @property
    def port(self) -> str:
        """Path for pyserial."""
        ...

    @property
    def plan(self) -> FlashCommands: ...
    @property
    def counts_cycles(self) -> bool:
        """Whether its clock counts a CPU's cycles: on a real board and in an exact emulator."""
        ...

    def reset(self) -> None:
        """Resets the board from outside; the session on it is lost."""
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
    """How firmware gets onto a board."""

    @property
    def name(self) -> str: ...
    @property
    def needs_port(self) -> bool: ...
    def probe(self) -> Probe: ...
    def plan(self, firmware: Firmware, port: str | None) -> FlashCommands:
        """What `start` will run. Raises FlashError when something is missing for it."""
        ...

    def start(
        self, firmware: Firmware, port: str | None, *, write: bool, icount: bool, timeout: float
    ) -> RunningBoard:
        """Writes the firmware (an emulator: loads it) and lets it run."""
        ...


class StartedBoard:
    """What all running boards share."""

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
