"""avrdude: writes through the boot loader of an AVR, on the board's serial port."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Avrdude
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import (
    ANOTHER_CHIP,
    PortRunner,
    Symptom,
    needs_port,
)
from byteprop_host.flash.probes import data_port
from byteprop_host.flash.signals import BUSY, NO_PERMISSION, NOT_THERE, pulse_dtr


class AvrdudeRunner(PortRunner):
    program = "avrdude"
    done = r"bytes of flash verified"
    seconds = 180.0  # it asks a silent port for a minute, and 250 KB take longer
    symptoms = (
        Symptom(r"Permission denied", NO_PERMISSION),
        Symptom(r"Device or resource busy", BUSY),
        Symptom(r"[Nn]o such file or directory", NOT_THERE),
        Symptom(
            r"not in sync|stk500.*(recv|getsync|timeout)|timeout communicating",
            "no boot loader answers: is --board right? press reset and try again; clones with an "
            "old boot loader need 57600 baud",
        ),
        Symptom(
            r"[Dd]evice signature .*(not|does)|Expected signature",
            ANOTHER_CHIP,
        ),
        Symptom(r"verification error|content mismatch", "the chip did not keep the data"),
    )

    def __init__(self, board: Board, runner: Avrdude) -> None:
        super().__init__(board, runner)
        self._settings = runner

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        s = self._settings
        call = ["-p", s.part, "-c", s.programmer, "-P", needs_port(self, way), "-b", str(s.baud)]
        return ([*call, "-D", "-U", f"flash:w:{firmware.hex}:i"],)

    def reset(self, way: Way, timeout: float) -> None:
        pulse_dtr(data_port(self.board, way, 0.0), self._settings.baud)
