"""Any flash tool, with its arguments from board.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.ports import find_ports
from byteprop_host.boards.runner import Command
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import CableRunner
from byteprop_host.flash.probes import find_flash_port, flash_ports
from byteprop_host.flash.signals import touch

_BOOT_SECONDS = 8.0  # until the boot loader's port is there


class CommandRunner(CableRunner):
    """Its exit code alone says whether it wrote the firmware."""

    def __init__(self, board: Board, runner: Command) -> None:
        super().__init__(board, runner)
        self.program = runner.program
        self._settings = runner

    def find_probe(self, way: Way) -> Way:
        if not self._settings.has_flash_port:
            return super().find_probe(way)
        touched = [] if flash_ports(self.runner, way) else self._touched()
        return find_flash_port(self.board, self.runner, way, _BOOT_SECONDS if touched else 0.0)

    def _touched(self) -> list[str]:
        """Sends the only board with another program into its boot loader."""
        ports = [p.device for p in find_ports([]) if p.usb in self._settings.touch]
        if len(ports) == 1:
            touch(ports[0])
        return ports

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
        boot = flash_ports(self.runner, way) if self._settings.has_flash_port else []
        line = {
            "port": way.port,
            "flash_port": boot[0].device if boot else "FLASH_PORT",  # of a dry run
            "probe": way.probe,
            "baud": self.board.serial.baud,
        }
        values = {**files, **line}
        return [re.sub(r"\{(\w+)\}", lambda m: self._value(values, m[1]), arg) for arg in args]

    def _value(self, values: Mapping[str, object], name: str) -> str:
        if values.get(name) is None:
            raise FlashError(f"{self.board.name}: {self.name} needs a {name}; add --{name}")
        return str(values[name])
