"""st-flash of stlink-tools: writes through ST-LINK probes."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import ANOTHER_CHIP, CableRunner, Symptom


class StFlashRunner(CableRunner):
    program = "st-flash"
    done = r"jolly good"
    symptoms = (
        Symptom(
            r"[Uu]nknown chip|Could not find chip id|Unknown memory region|addr too (low|high)"
            r"|[Ff]lash.*exceed",
            ANOTHER_CHIP,
        ),
        Symptom(
            r"connect under reset|Can not connect to target",
            "the probe does not reach the chip: is the board powered? hold its reset button while "
            "flashing starts",
        ),
        Symptom(
            r"Couldn't find any ST-Link|Failed to (open|connect)",
            "no probe found, or in use: plug it in again, and end other debuggers",
        ),
    )

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        origin = f"{self.board.memory.flash_origin:#x}"
        return ([*self._probe(way), "--reset", "write", str(firmware.binary), origin],)

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return ([*self._probe(way), "reset"],)

    def erase_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return ([*self._probe(way), "erase"],)

    def _probe(self, way: Way) -> list[str]:
        """Without a serial number it takes the first of several probes, silently."""
        return ["--serial", way.probe] if way.probe else []
