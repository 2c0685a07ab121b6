"""Whether a model fits a board, from board.toml alone: no toolchain is needed."""

from __future__ import annotations

from dataclasses import dataclass

from byteprop._raw import Engine
from byteprop.image import without_names

from .boards import NATIVE, Board
from .errors import FitError


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
    """A baked image carries no names: the host has them, and flash is dear."""
    return without_names(image)
