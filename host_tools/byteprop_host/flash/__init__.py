"""Writes firmware to a board and starts it, emulated or on a cable. Prints nothing."""

from __future__ import annotations

from byteprop_host.boards.board import Board, Runner
from byteprop_host.errors import FlashError, ToolMissingError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import FlashCommands, FlashRunner, Probe, RunningBoard
from byteprop_host.flash.command import CableBoard, CommandRunner
from byteprop_host.flash.native import NativeBoard, NativeRunner
from byteprop_host.flash.qemu import QemuBoard, QemuRunner
from byteprop_host.flash.simavr import SimavrBoard, SimavrRunner

__all__ = [
    "CableBoard",
    "CommandRunner",
    "FlashCommands",
    "FlashRunner",
    "NativeBoard",
    "NativeRunner",
    "Probe",
    "QemuBoard",
    "QemuRunner",
    "RunningBoard",
    "SimavrBoard",
    "SimavrRunner",
    "choose",
    "plan",
    "runners",
    "start",
]


def _runner(board: Board, runner: Runner) -> FlashRunner:
    if runner.kind == "qemu":
        return QemuRunner(board)
    if runner.kind == "simavr":
        return SimavrRunner(board, runner)
    if runner.kind == "native":
        return NativeRunner(board)
    return CommandRunner(board, runner)


def runners(board: Board) -> tuple[FlashRunner, ...]:
    """The board's runners in the order of board.toml."""
    return tuple(_runner(board, r) for r in board.runners)


def _candidates(board: Board, port: str | None, name: str | None) -> list[FlashRunner]:
    """The runners that suit, installed or not; at least one."""
    candidates = [
        r
        for r in runners(board)
        if (r.name == name if name is not None else r.needs_port == (port is not None))
    ]
    if candidates:
        return candidates
    known = ", ".join(r.name for r in runners(board))
    if name is not None:
        raise FlashError(f"{board.name}: expected a runner of {known}, got {name!r}")
    if port is not None:
        raise FlashError(
            f"{board.name} runs only on this computer ({known}); leave out --port {port}"
        )
    raise FlashError(f"{board.name} has no emulator; name the port of the board with --port")


def choose(board: Board, port: str | None = None, *, name: str | None = None) -> FlashRunner:
    """The first available runner: with a port, one that writes over a cable; else an emulator."""
    candidates = _candidates(board, port, name)
    for runner in candidates:
        if runner.probe().available:
            return runner
    missing = "; or ".join(f"{r.probe().detail}: {r.probe().install}" for r in candidates)
    raise ToolMissingError(f"{board.name}: {missing}")


def plan(
    board: Board, firmware: Firmware, *, port: str | None = None, runner: str | None = None
) -> FlashCommands:
    """A dry run: the exact commands that `start` runs once the tool is installed."""
    candidates = _candidates(board, port, runner)
    chosen = next((r for r in candidates if r.probe().available), candidates[0])
    return chosen.plan(firmware, port)


def start(
    board: Board,
    firmware: Firmware,
    *,
    port: str | None = None,
    runner: str | None = None,
    write: bool = True,
    icount: bool = False,
    timeout: float = 10.0,
) -> RunningBoard:
    """Writes `firmware` to `board` and starts it.

    port: serial port of the board; None: it is emulated. write=False: the board on the cable has
    this firmware already. icount: the emulator counts instructions, so that ticks repeat exactly.
    """
    chosen = choose(board, port, name=runner)
    return chosen.start(firmware, port, write=write, icount=icount, timeout=timeout)
