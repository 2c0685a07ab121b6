"""What the tests of emulated boards share. Where tools are missing a test is skipped, and says what
to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from byteprop.engine._raw import const
from byteprop_host.boards.board import Board, all_boards, load_board
from byteprop_host.errors import ToolMissingError
from byteprop_host.firmware.build import build, compiler
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash import choose, start
from byteprop_host.link import Device

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
EMULATORS = ("qemu", "simavr")


def _emulations(board: Board) -> list[str]:
    """What load_board calls it, once for each emulator that runs it."""
    kinds = [runner.name for runner in board.runners if runner.kind in EMULATORS]
    return [board.name] if len(kinds) < 2 else [f"{board.name}:{kind}" for kind in kinds]


EMULATED = [
    name
    for b in all_boards()
    if any(runner.kind in EMULATORS for runner in b.runners)
    for name in _emulations(b)
]

# Every board that there is a cross compiler for, whether something runs its firmware or not.
COMPILED = [b.name for b in all_boards() if b.is_baked]

FLASH = const("BP_SOURCE_FLASH")

Vectors = tuple[Any, list[bytes], list[bytes]]


def require(board: Board) -> Board:
    """The board, or a skip with the reason."""
    try:
        compiler(board)
        choose(board)
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    return board


def compilable(name: str) -> Board:
    """The board, or a skip when its compiler is missing."""
    board = load_board(name)
    try:
        compiler(board)
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    return board


def strict(
    board: Board, image: bytes | None = None, *, program: tuple[Path, ...] = (), **defines: str
) -> Firmware:
    """Firmware whose sources compile without a warning."""
    return build(board, image, defines=defines, flags=["-Werror"], program=program)


@contextmanager
def opened(
    board: Board, firmware: Firmware, *, icount: bool = False
) -> Iterator[tuple[Any, Device]]:
    with (
        start(board, firmware, icount=icount, timeout=30.0) as running,
        Device.open(running.port, baud=board.serial.baud, timeout=30.0, board=board.name) as device,
    ):
        yield running, device
