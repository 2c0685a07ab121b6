"""Whether a model fits a board, from board.toml alone: no toolchain is needed."""

from __future__ import annotations

from dataclasses import dataclass

from byteprop.engine._raw import Engine
from byteprop.engine._raw_train import Config, plan
from byteprop.image import without_names
from byteprop_host.boards.board import NATIVE, Board
from byteprop_host.errors import FitError


@dataclass(frozen=True)
class Fit:
    """What a firmware needs and what the board has, in bytes."""

    ram_needed: int
    ram_available: int
    flash_needed: int
    flash_available: int
    ok: bool
    text: str


def arena_bytes(image: bytes) -> int:
    """The arena a model image asks for."""
    return Engine(image).arena_bytes


def fit(board: Board, image: bytes | None = None, *, bake: bool | None = None) -> Fit:
    """Whether a model fits, from board.toml alone: no toolchain is needed.

    bake: the model lies in flash (default: wherever there is flash); else it is uploaded into RAM.
    """
    memory = board.memory
    if bake is None:
        bake = board.build.toolchain != NATIVE
    ram, flash = memory.firmware_ram_bytes, memory.firmware_flash_bytes
    ram_available = memory.ram_bytes
    if image is None:
        ram += memory.pool_bytes
    elif bake:
        flash += len(baked_image(image))
        ram += round_up_4(arena_bytes(image))
    else:
        ram += round_up_4(len(image)) + round_up_4(arena_bytes(image))
        ram_available = memory.firmware_ram_bytes + memory.pool_bytes
    return compare(board, ram, ram_available, flash, memory.flash_bytes)


def check_fit(board: Board, image: bytes | None = None, *, bake: bool | None = None) -> Fit:
    """As `fit`; raises FitError with the numbers when it does not."""
    result = fit(board, image, bake=bake)
    if not result.ok:
        raise FitError(result.text)
    return result


def train_pool_bytes(board: Board) -> int:
    """RAM for the image, the arena and training in firmware that trains; 0: it does not fit."""
    memory = board.memory
    if board.build.toolchain == NATIVE:
        return memory.pool_bytes
    return (memory.ram_bytes - memory.train_ram_bytes) & ~3 if memory.train_ram_bytes else 0


def train_fit(board: Board, image: bytes, config: Config, *, bake: bool = False) -> Fit:
    """Whether training of an image with this configuration fits: exactly what TRAIN_BEGIN takes."""
    memory = board.memory
    pool = train_pool_bytes(board)
    trained = baked_image(image) if bake else image
    opened = Engine(image)
    needed = -(-len(trained) // 16) * 16 + round_up_4(opened.arena_bytes)
    needed += plan(opened, config).memory_bytes
    firmware = memory.train_ram_bytes
    flash = memory.train_flash_bytes + (len(trained) if bake else 0)
    flash_available = memory.flash_bytes - 2 * memory.save_slot_bytes
    return compare(board, firmware + needed, firmware + pool, flash, flash_available)


def check_train_fit(board: Board, image: bytes, config: Config, *, bake: bool = False) -> Fit:
    """As `train_fit`; raises FitError with the numbers when it does not."""
    if train_pool_bytes(board) == 0:
        raise FitError(f"{board.name}: the firmware with training does not fit this board")
    result = train_fit(board, image, config, bake=bake)
    if not result.ok:
        raise FitError(result.text)
    return result


def compare(board: Board, ram: int, ram_available: int, flash: int, flash_available: int) -> Fit:
    """What is needed against what there is."""
    needs = []
    if ram > ram_available:
        needs.append(f"needs {ram} bytes of RAM, board has {ram_available}")
    if flash > flash_available:
        needs.append(f"needs {flash} bytes of flash, board has {flash_available}")
    text = (
        f"{board.name}: {'; '.join(needs)}"
        if needs
        else f"{board.name}: RAM {ram} of {ram_available} bytes, "
        f"flash {flash} of {flash_available} bytes"
    )
    return Fit(ram, ram_available, flash, flash_available, not needs, text)


def round_up_4(n: int) -> int:
    return (n + 3) & ~3


def baked_image(image: bytes) -> bytes:
    """The image as boards get it carries no names: the host has them, and memory is dear."""
    return without_names(image)
