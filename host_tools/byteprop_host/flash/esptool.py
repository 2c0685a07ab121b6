"""esptool: writes through the ROM boot loader of Espressif's chips, on a serial port."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Esptool
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import (
    ANOTHER_CHIP,
    PortRunner,
    Symptom,
    needs_port,
)
from byteprop_host.flash.signals import NO_PERMISSION


class EsptoolRunner(PortRunner):
    program = "esptool"
    done = r"Hash of data verified"
    symptoms = (
        Symptom(
            r"Permission denied",
            NO_PERMISSION,
        ),
        Symptom(
            r"port is busy or doesn't exist|Could not open",
            "the port is busy or not there: close serial monitors, and see `byteprop boards`",
        ),
        Symptom(
            r"This chip is|Wrong chip|chip_id|is not \S+\. Wrong --chip",
            ANOTHER_CHIP,
        ),
        Symptom(
            r"No serial data received|Failed to connect",
            "the chip does not answer: hold BOOT, press reset, release BOOT, and try again",
        ),
    )

    def __init__(self, board: Board, runner: Esptool) -> None:
        super().__init__(board, runner)
        self._settings = runner

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        offset = f"{self._settings.offset:#x}"
        return ([*self._call(way), "write-flash", offset, str(firmware.binary)],)

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return ([*self._call(way), "run"],)

    def erase_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return ([*self._call(way), "erase-flash"],)

    def _call(self, way: Way) -> list[str]:
        """Without a port it tries every port of the computer."""
        s = self._settings
        return ["--chip", s.chip, "--port", needs_port(self, way), "--baud", str(s.baud)]
