"""A board whose program is there already: a sketch that the Arduino IDE has written."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Availability, FlashCommands, Way
from byteprop_host.flash.cable import CableRunner


class SketchRunner(CableRunner):
    """Opens the port and writes nothing."""

    def availability(self) -> Availability:
        return Availability(True, "nothing is written", "")

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        return FlashCommands(self.name, ())

    def find_probe(self, way: Way) -> Way:
        if way.port is None:
            raise FlashError(
                f"{self.board.name}: any serial port may be the board's; name it with --port "
                "(`byteprop boards` lists the ports)"
            )
        return way

    def write(self, firmware: Firmware, way: Way, plan: FlashCommands, timeout: float) -> None:
        pass

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        return ()
