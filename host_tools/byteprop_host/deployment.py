"""A running board with a model on it: check memory, build, start, connect, load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from byteprop.engine._raw import Engine, const
from byteprop_host.boards.board import SKETCH, Board, Tick
from byteprop_host.console import Progress, no_progress
from byteprop_host.errors import DoesNotFitError, LinkError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import baked_image, check_memory, firmware_image
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash import RunningBoard, Way, find_board, open_port, runners, start
from byteprop_host.link import Device
from byteprop_host.link.sketch import as_reported, check_upload
from byteprop_host.target import BoardTarget

_PEEK_SECONDS = 2.0


@dataclass(frozen=True)
class Deployment:
    """A running board, connected. source: the memory that has the model, "flash" or "RAM".
    model_crc32: of the image without names, before any change of layout."""

    board: Board
    is_emulated: bool
    firmware: Firmware
    running: RunningBoard
    device: Device
    source: str = ""
    model_bytes: int = 0
    model_crc32: int = 0
    build_seconds: float = 0.0

    @property
    def unit(self) -> str:
        """Unit of `cost`: "instructions" in an emulator that counts them; "cycles" or "ns" on a
        real board, in an emulator that counts cycles, and on this computer; else "none"."""
        if self._is_approximate:
            return "none" if self.board.instructions(1) is None else "instructions"
        names = {Tick.NONE: "none", Tick.INSTRUCTIONS: "instructions", Tick.CYCLES: "cycles"}
        return names.get(self.board.clock.tick, "ns")

    @property
    def _is_approximate(self) -> bool:
        """Emulated, and every instruction takes the same time."""
        return self.is_emulated and not self.running.counts_cycles

    def cost(self, ticks: float) -> int | None:
        """Converts `ticks` into that unit."""
        unit = self.unit
        if unit == "none":
            return None
        if unit == "ns":
            return round(ticks * 1e9 / self.board.clock.tick_hz)
        if self._is_approximate:
            return round(self.board.instructions(round(ticks)) or 0.0)
        return round(ticks)


@contextmanager
def deploy(
    on: BoardTarget, image: bytes, *, anomaly: bool = False, progress: Progress = no_progress
) -> Iterator[Deployment]:
    """Starts `image` on a board, and releases everything at the end of the block.

    For a board with flash the model is baked into its firmware, with weights in the layout of its
    CPU; to `host` it is uploaded. Both have it without names. anomaly: with a detector.
    """
    board, image = on.board, baked_image(image)
    try:
        check_memory(board, image)
    except DoesNotFitError as error:
        raise DoesNotFitError(
            f"{error}; `byteprop info` shows the boards that the model fits"
        ) from error
    began = time.monotonic()
    firmware = build(board, image if board.is_baked else None, anomaly=anomaly, progress=progress)
    build_seconds = time.monotonic() - began
    with connect(on, firmware, progress=progress) as deployment:
        yield replace(
            deployment,
            source=_put_model(deployment, image, progress),
            model_bytes=len(image),
            model_crc32=Engine(image).crc32,
            build_seconds=build_seconds,
        )


def _put_model(deployment: Deployment, image: bytes, progress: Progress) -> str:
    """Selects the model in flash, or uploads it; returns the memory that has it then."""
    board, device = deployment.board, deployment.device
    if board.is_baked:
        device.select(const("BP_SOURCE_FLASH"), firmware_image(board, image))
        return "flash"
    if board.build.toolchain == SKETCH:
        if device.info.flash_crc32 == Engine(image).crc32:
            device.select(const("BP_SOURCE_FLASH"), image)
            return "flash"
        check_upload(device.info, image)
    device.load_image(image, progress=lambda done, total: progress("load", done, total))
    return "RAM"


@contextmanager
def connect(
    on: BoardTarget, firmware: Firmware, *, progress: Progress = no_progress
) -> Iterator[Deployment]:
    """Starts firmware and opens the line; no model is selected yet."""
    board, wire_log = on.board, on.wire_log
    way = find_board(board, port=on.port, probe=on.probe, emulated=on.emulated)
    with ExitStack() as stack:
        running = stack.enter_context(
            start_board(board, firmware, way=way, timeout=on.timeout, progress=progress)
        )
        # Unbuffered: the log has everything before a crash, and only a write can fail.
        log = stack.enter_context(wire_log.open("wb", buffering=0)) if wire_log else None
        device = stack.enter_context(
            Device.open(
                running.port,
                baud=board.serial.baud,
                timeout=on.timeout,
                log=log,
                board=None if board.build.toolchain == SKETCH else board.name,
                quiet=running.quiet,
            )
        )
        check_build(device, board, firmware)
        yield Deployment(
            as_reported(board, device.info), _is_emulated(board, way), firmware, running, device
        )


def check_build(device: Device, board: Board, firmware: Firmware) -> None:
    """Raises LinkError unless the board runs this very build. The process `host` always does."""
    if board.is_baked and device.info.build_id != firmware.build_id:
        raise LinkError(
            f"{device.info.board} runs another firmware: expected build {firmware.build_id:016x}, "
            f"got {device.info.build_id:016x}; flash it with: byteprop flash"
        )


def start_board(
    board: Board,
    firmware: Firmware,
    *,
    way: Way | None = None,
    timeout: float = 10.0,
    progress: Progress = no_progress,
) -> RunningBoard:
    """Flashes a board on a cable, unless it has this very firmware already, or starts its emulator.

    Emulators count instructions, so that the same inference always costs the same.
    """
    if way is not None and board.build.toolchain != SKETCH:
        by_cable = next((r for r in runners(board) if r.is_cable), None)
        port = open_port(board, way)
        if by_cable is not None and port is not None and _has_firmware(port, board, firmware):
            # Nothing is written, so the flash tool need not even be installed.
            there = Way(port, way.probe)
            return by_cable.start(firmware, there, write=False, icount=False, timeout=timeout)
    stage = "start" if way is None else "flash"
    progress(stage, 0, 1)
    icount = _is_emulated(board, way) and board.emulator is not None and board.emulator.icount
    running = start(board, firmware, way=way, icount=icount, timeout=timeout)
    progress(stage, 1, 1)
    return running


def _is_emulated(board: Board, way: Way | None) -> bool:
    return way is None and board.emulator is not None


def _has_firmware(port: str, board: Board, firmware: Firmware) -> bool:
    """True if the board already runs this build; False also if it does not respond."""
    try:
        quiet = board.serial.quiet_ms / 1000
        device = Device.open(port, baud=board.serial.baud, timeout=_PEEK_SECONDS, quiet=quiet)
    except LinkError:
        return False
    with device:
        return device.info.board == board.name and device.info.build_id == firmware.build_id
