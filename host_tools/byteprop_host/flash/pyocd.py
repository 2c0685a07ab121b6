"""pyOCD: writes through probes that speak CMSIS-DAP."""

from __future__ import annotations

import re
from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Pyocd
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import ANOTHER_CHIP, NO_USB_PERMISSION, CableRunner, Symptom


class PyocdRunner(CableRunner):
    program = "pyocd"
    symptoms = (
        Symptom(
            r"Target type \S+ not recognized",
            "this version does not know the chip: pip install -U pyocd",
        ),
        Symptom(
            # Of a chip whose flash has other pages it says no more than a number.
            r"flash (erase|program) .*failure|[Ww]rong chip|Flash algorithm"
            r"|C Error: \d+ \[__main__\]",
            ANOTHER_CHIP,
        ),
        Symptom(
            r"No connected debug probes|No target device available",
            "no board found: plug it in with a data cable, and see `byteprop boards`",
        ),
        Symptom(
            r"No ACK|SWD/JTAG communication failure|Memory transfer fault",
            "the probe does not reach the chip: is the board powered?",
        ),
        Symptom(r"[Aa]ccess denied|[Pp]ermission", NO_USB_PERMISSION),
    )

    def __init__(self, board: Board, runner: Pyocd) -> None:
        super().__init__(board, runner)
        self._target = runner.target

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        return (self._call("flash", way, str(firmware.hex)),)

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return (self._call("reset", way),)

    def erase_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return (self._call("erase", way, "--mass"),)

    def check_written(self, said: str, firmware: Firmware) -> None:
        """A file outside of the chip's flash is no error of pyOCD: it reports 0 bytes."""
        found = re.search(r"programmed (\d+) bytes .*identical (\d+) bytes", said)
        written = sum(map(int, found.groups())) if found else 0
        if written < firmware.flash_bytes:
            raise self._failed(
                f"wrote {written:,} of {firmware.flash_bytes:,} bytes", ANOTHER_CHIP, said
            )

    def _call(self, verb: str, way: Way, *args: str) -> list[str]:
        """Without -W it waits for a probe for ever."""
        serial = ["-u", way.probe] if way.probe else []
        return [verb, "-W", *serial, "-t", self._target, *args]
