"""esptool: writes through the ROM boot loader of Espressif's chips, on a serial port.

The ROM alone does it (`--no-stub`), not the faster program that esptool would load into RAM first:
what the ROM answers is documented, so the tests can stand in for it byte by byte."""

from __future__ import annotations

import re
from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Esptool
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import (
    ANOTHER_CHIP,
    UNPLUGGED,
    PortRunner,
    Symptom,
    needs_port,
)
from byteprop_host.flash.signals import NO_PERMISSION

# The first minor revision whose ROM starts a program in flash without a boot loader of Espressif's:
# Espressif's example esp32c3-direct-boot-example, "Direct boot feature".
_DIRECT_BOOT = {"esp32c3": 3}


class EsptoolRunner(PortRunner):
    program = "esptool"
    done = r"Hash of data verified"
    seconds = 180.0  # 4 MB at 460,800 baud
    symptoms = (
        Symptom(r"invalid choice: 'write-flash'", "esptool 5 or later is needed"),
        Symptom(
            r"Permission denied",
            NO_PERMISSION,
        ),
        Symptom(
            r"Lost connection|serial exception error|\[Errno 5\]",
            UNPLUGGED,
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
            r"No more data to read|transfer stopped|data stream stopped",
            "the chip stopped answering while it was written: write again, with another cable or "
            "another USB socket if it happens twice",
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
        return ([*self._call(way), "--no-stub", "write-flash", offset, str(firmware.binary)],)

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        """Every command ends with a reset; this one reads six bytes before it."""
        return ([*self._call(way), "--no-stub", "read-mac"],)

    def erase_commands(self, way: Way) -> Sequence[Sequence[str]]:
        """The ROM alone cannot."""
        return ([*self._call(way), "erase-flash"],)

    def check_written(self, said: str, firmware: Firmware) -> None:
        super().check_written(said, firmware)
        found = re.search(r"\(revision v(\d+)\.(\d+)\)", said)
        first = _DIRECT_BOOT.get(self._settings.chip, 0)
        if found and (int(found[1]), int(found[2])) < (0, first):
            raise FlashError(
                f"{self.board.name}: the firmware is written, but revision v{found[1]}.{found[2]} "
                f"of the chip cannot start from flash: take a board with v0.{first} or later"
            )

    def _call(self, way: Way) -> list[str]:
        """Without a port it tries every port of the computer."""
        s = self._settings
        return ["--chip", s.chip, "--port", needs_port(self, way), "--baud", str(s.baud)]
