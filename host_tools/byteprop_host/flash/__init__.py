"""Writes firmware to a board and starts it, emulated or on a cable. Prints nothing."""

from __future__ import annotations

from byteprop_host.boards.board import Board
from byteprop_host.errors import FlashError, ToolMissingError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Availability, FlashCommands, FlashRunner, RunningBoard, Way
from byteprop_host.flash.cable import CableBoard, CableRunner
from byteprop_host.flash.command import CommandRunner
from byteprop_host.flash.find import find_board, is_plugged_in, open_port
from byteprop_host.flash.kinds import runners
from byteprop_host.flash.native import NativeBoard, NativeRunner
from byteprop_host.flash.qemu import QemuBoard, QemuRunner
from byteprop_host.flash.simavr import SimavrBoard, SimavrRunner

__all__ = [
    "Availability",
    "CableBoard",
    "CableRunner",
    "CommandRunner",
    "FlashCommands",
    "FlashRunner",
    "NativeBoard",
    "NativeRunner",
    "QemuBoard",
    "QemuRunner",
    "RunningBoard",
    "SimavrBoard",
    "SimavrRunner",
    "Way",
    "choose",
    "find_board",
    "is_plugged_in",
    "open_port",
    "plan",
    "runners",
    "start",
]


def _candidates(board: Board, way: Way | None, name: str | None) -> list[FlashRunner]:
    """The runners that suit, installed or not; at least one."""
    candidates = [
        r
        for r in runners(board)
        if (r.name == name if name is not None else r.is_cable == (way is not None))
    ]
    if candidates:
        return candidates
    known = ", ".join(r.name for r in runners(board))
    if name is not None:
        raise FlashError(f"{board.name}: expected a runner of {known}, got {name!r}")
    if way is not None:
        raise FlashError(
            f"{board.name} runs only on this computer ({known}); leave out "
            + (f"--port {way.port}" if way.port else f"--probe {way.probe}")
        )
    raise FlashError(
        f"{board.name} has no emulator; plug in the board, or name its port with --port"
    )


def choose(board: Board, way: Way | None = None, *, name: str | None = None) -> FlashRunner:
    """The first available runner, if possible one whose probe or drive is plugged in. With a way,
    one that writes over a cable; else an emulator."""
    candidates = _candidates(board, way, name)
    available = [r for r in candidates if r.availability().available]
    if available:
        return next((r for r in available if r.is_present()), available[0])
    found = [r.availability() for r in candidates]
    missing = "; or ".join(f"{a.detail}: {a.install}" for a in found)
    raise ToolMissingError(f"{board.name}: {missing}")


def plan(
    board: Board, firmware: Firmware, *, way: Way | None = None, runner: str | None = None
) -> FlashCommands:
    """A dry run: the exact commands that `start` runs once the tool is installed."""
    candidates = _candidates(board, way, runner)
    chosen = next((r for r in candidates if r.availability().available), candidates[0])
    return chosen.plan(firmware, way or Way())


def start(
    board: Board,
    firmware: Firmware,
    *,
    way: Way | None = None,
    runner: str | None = None,
    write: bool = True,
    icount: bool = False,
    timeout: float = 10.0,
) -> RunningBoard:
    """Writes `firmware` to `board` and starts it.

    way: how the board is reached; None: it is emulated. write=False: the board on the cable has
    this firmware already. icount: the emulator counts instructions, so that ticks repeat exactly.
    """
    chosen = choose(board, way, name=runner)
    return chosen.start(firmware, way or Way(), write=write, icount=icount, timeout=timeout)
