"""Boards that only their answer to HELLO describes: any Arduino with the sketch Device."""

from __future__ import annotations

from dataclasses import replace

from byteprop.engine._raw import Engine
from byteprop_host.boards.board import SKETCH, Board, Tick
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.capacity import pool_needs
from byteprop_host.link.answers import DeviceInfo


def as_reported(board: Board, info: DeviceInfo) -> Board:
    """The board with the CPU, memory and clock that it reports. A size of 0 is one that it does not
    know. Boards that byteprop builds for stay as they are described."""
    if board.build.toolchain != SKETCH:
        return board
    memory = replace(
        board.memory,
        ram_bytes=info.ram_bytes or board.memory.ram_bytes,
        flash_bytes=info.flash_bytes or board.memory.flash_bytes,
        pool_bytes=info.pool_bytes,
    )
    clock = replace(board.clock, tick=Tick(info.tick), tick_hz=info.tick_hz, hz=info.tick_hz)
    return replace(board, cpu=info.cpu, memory=memory, clock=clock)


def check_upload(info: DeviceInfo, image: bytes) -> None:
    """DoesNotFitError when the board cannot take the model into its RAM, with what to do."""
    needed = pool_needs(len(image), Engine(image).arena_bytes)
    if needed <= info.pool_bytes:
        return
    there = f"now it has one with CRC {info.flash_crc32:08x}" if info.flash_crc32 else "it has none"
    into_flash = (
        f"put this model into the sketch's flash ({there}): byteprop convert MODEL -o model.h, and "
        "upload the sketch again"
    )
    if info.pool_bytes == 0:
        raise DoesNotFitError(f"the sketch on this {info.cpu} takes no uploads; {into_flash}")
    raise DoesNotFitError(
        f"the model does not fit: needs {needed:,} bytes of RAM for image and arena, the sketch's "
        f"pool has {info.pool_bytes:,}; give it a larger one, or {into_flash}"
    )
