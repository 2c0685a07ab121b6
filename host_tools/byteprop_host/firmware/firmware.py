"""Built firmware, and the cache that it is stored in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from byteprop_host.boards.board import Board


@dataclass(frozen=True)
class Firmware:
    """Built firmware. For a native board `elf` is the program, and there is no hex or bin file."""

    board: Board
    elf: Path
    hex: Path | None
    binary: Path | None
    uf2: Path | None  # for boards whose boot loader takes it
    build_id: int
    flash_bytes: int
    ram_bytes: int  # with stack, line buffers and pool
    model_bytes: int
    sizes: Mapping[str, int] = field(compare=False)

    @property
    def program_flash_bytes(self) -> int:
        """Flash without the model."""
        return self.flash_bytes - self.model_bytes


def cache_dir() -> Path:
    """The folder of compiled files; safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "byteprop"


@contextmanager
def placed_at_once(target: Path) -> Iterator[Path]:
    """Yields a path to write to; after the block it is renamed to `target`, so that another process
    sees the whole file or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        try:
            yield made
        except OSError as error:
            if error.filename is None:  # a full disk
                error.filename = str(target)
            raise
        made.replace(target)
