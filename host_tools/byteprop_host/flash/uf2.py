"""The drive of a boot loader that takes UF2 files."""

from __future__ import annotations

import shlex
import time

from byteprop_host import activity
from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Uf2
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Availability, FlashCommands, Way
from byteprop_host.flash.cable import CableRunner
from byteprop_host.flash.drives import Drive, copy_to_drive, drives
from byteprop_host.flash.touch import has_port, restart_into_boot_loader

_DRIVE_SECONDS = 10.0  # until the drive is mounted
_LOOK_SECONDS = 0.2


class Uf2Runner(CableRunner):
    def __init__(self, board: Board, runner: Uf2) -> None:
        super().__init__(board, runner)
        self._settings = runner

    def availability(self) -> Availability:
        return Availability(True, "this computer", "")

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        """Without a drive, where it is to be copied to."""
        found = self._drives()
        folder = str(found[0].folder) if len(found) == 1 else self._settings.board_id
        return FlashCommands(self.name, (("cp", str(firmware.uf2), folder),))

    def is_present(self) -> bool:
        return bool(self._drives()) or (self._settings.touch and has_port(self.board))

    def find_probe(self, way: Way) -> Way:
        """A drive has no serial number; the board's serial port appears when its program runs."""
        return way

    def write(self, firmware: Firmware, way: Way, plan: FlashCommands, timeout: float) -> None:
        if firmware.uf2 is None:
            raise FlashError(f"{self.board.name}: build.uf2_family is missing in its board.toml")
        for copy in plan.commands:
            activity.command(copy)
        copy_to_drive(firmware.uf2, self._drive(way), self.board.name)

    def _drives(self) -> list[Drive]:
        return [d for d in drives() if d.board_id == self._settings.board_id]

    def _drive(self, way: Way) -> Drive:
        """The drive, which appears after the touch where the board has a program of ours."""
        touched = not self._drives() and self._settings.touch
        if touched:
            touched = restart_into_boot_loader(self.board, way)
        end = time.monotonic() + (_DRIVE_SECONDS if touched else 0.0)
        while not self._drives() and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        found = self._drives()
        if len(found) == 1:
            return found[0]
        name = self._settings.board_id
        if found:
            folders = ", ".join(shlex.quote(str(d.folder)) for d in found)
            raise FlashError(
                f"{self.board.name}: {len(found)} drives {name} are mounted ({folders}); "
                "unplug all boards but one"
            )
        raise FlashError(
            f"{self.board.name}: no drive {name} is mounted: hold BOOTSEL while you plug in the "
            "board. If it does not appear by itself, mount it: "
            f"udisksctl mount -b /dev/disk/by-label/{name}"
        )
