"""Any flash tool, with its arguments from board.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Command
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import CableRunner


class CommandRunner(CableRunner):
    """Its exit code alone says whether it wrote the firmware."""

    def __init__(self, board: Board, runner: Command) -> None:
        super().__init__(board, runner)
        self.program = runner.program
        self._settings = runner

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        files = {
            "elf": firmware.elf,
            "hex": firmware.hex,
            "bin": firmware.binary,
            "uf2": firmware.uf2,
        }
        return (self._filled(self._settings.flash, files, way),)

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        if not self._settings.reset:
            raise FlashError(
                f"{self.board.name}: {self.name} has no reset command in board.toml; "
                "press the board's reset button"
            )
        return (self._filled(self._settings.reset, {}, way),)

    def check_written(self, said: str, firmware: Firmware) -> None:
        pass

    def _filled(self, args: Sequence[str], files: Mapping[str, object], way: Way) -> list[str]:
        line = {"port": way.port, "probe": way.probe, "baud": self.board.serial.baud}
        values = {**files, **line}
        return [re.sub(r"\{(\w+)\}", lambda m: self._value(values, m[1]), arg) for arg in args]

    def _value(self, values: Mapping[str, object], name: str) -> str:
        if values.get(name) is None:
            raise FlashError(f"{self.board.name}: {self.name} needs a {name}; add --{name}")
        return str(values[name])
