"""A running board with a model on it: check the fit, build, start, connect, load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from byteprop._raw import const, crc32
from byteprop_host.boards import Board, load_board
from byteprop_host.build import Firmware, Fit, build, check_fit
from byteprop_host.console import Progress, no_progress
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Device


@dataclass(frozen=True)
class Session:
    """What `open_session` yields. `source` says where the model lies: "flash" or "RAM"."""

    board: Board
    fit: Fit
    firmware: Firmware
    running: RunningBoard
    device: Device
    source: str
    build_seconds: float


@contextmanager
def open_session(
    board: str | Path | Board,
    image: bytes,
    *,
    port: str | None = None,
    timeout: float = 10.0,
    progress: Progress = no_progress,
    wire_log: Path | None = None,
) -> Iterator[Session]:
    """Gets `image` running on a board, and lets go of everything at the end.

    A board with a toolchain has the model baked into its flash; without one (host) the model is
    uploaded into RAM.
    """
    board = board if isinstance(board, Board) else load_board(board)
    bake = is_baked(board)
    fit = check_fit(board, image)
    began = time.monotonic()
    progress("build", 0, 1)
    firmware = build(board, image if bake else None)
    progress("build", 1, 1)
    build_seconds = time.monotonic() - began
    with ExitStack() as stack:
        progress("start", 0, 1)
        running = stack.enter_context(start(board, firmware, port=port, timeout=timeout))
        log = stack.enter_context(wire_log.open("wb")) if wire_log else None
        device = Device.open(running.port, baud=board.serial.baud, timeout=timeout, log=log)
        stack.callback(device.close)
        progress("start", 1, 1)
        if bake:
            device.select(const("BP_SOURCE_FLASH"))
        else:
            device.load_image(image, progress=lambda done, total: progress("load", done, total))
        yield Session(
            board, fit, firmware, running, device, "flash" if bake else "RAM", build_seconds
        )


def is_baked(board: Board) -> bool:
    """Whether the model is linked into the board's firmware rather than uploaded."""
    return board.build.toolchain != "native"


def image_crc(image: bytes) -> int:
    """The checksum that names a model image, as the board tells it."""
    return crc32(image[16:])
