"""Boards whose program another tool builds: there is nothing to build or to measure."""

from __future__ import annotations

from pathlib import Path

from byteprop.errors import ArgumentError
from byteprop_host.boards.board import SKETCH, Board
from byteprop_host.firmware.firmware import Firmware


def sketch_firmware(board: Board) -> Firmware:
    return Firmware(
        board=board,
        elf=Path(),
        hex=None,
        binary=None,
        uf2=None,
        build_id=0,
        flash_bytes=0,
        ram_bytes=0,
        model_bytes=0,
        sizes={},
    )


def check_is_built_here(board: Board) -> None:
    """ArgumentError when another tool builds the board's program."""
    if board.build.toolchain == SKETCH:
        raise ArgumentError(
            f"{board.name}: the Arduino IDE builds and writes its program: open the example Device "
            "of the library byteprop there, and upload it (docs/c-library.md)"
        )
