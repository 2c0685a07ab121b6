"""OpenOCD: writes through debug probes."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Openocd
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import ANOTHER_CHIP, CableRunner, Symptom

# Two calls at a time would want the same TCP ports.
_NO_SERVERS = "gdb_port disabled; tcl_port disabled; telnet_port disabled"


class OpenocdRunner(CableRunner):
    program = "openocd"
    done = r"\*\* Verified OK \*\*"
    symptoms = (
        Symptom(
            r"Can't find (\S+)", "its version lacks that configuration file; install a newer one"
        ),
        Symptom(
            r"voltage may be too low|Target voltage: 0\.0",
            "the board has no power: connect its own supply or USB cable",
        ),
        Symptom(
            r"Could not find MEM-AP|Unknown target|UNEXPECTED|no flash bank found|[Uu]nknown device"
            r"|Bank is invalid|IDCODE .*expected|Cannot identify target",
            ANOTHER_CHIP,
        ),
        Symptom(
            r"open failed|unable to find a matching|No J-Link device found|unable to open",
            "the probe is not there or in use: plug it in again, and end other debuggers",
        ),
        Symptom(
            r"Error connecting DP|cannot read IDR|init mode failed|Failed to read memory"
            r"|unable to connect to the target",
            "the probe does not reach the chip: is the board powered and the ribbon cable in?",
        ),
    )

    def __init__(self, board: Board, runner: Openocd) -> None:
        super().__init__(board, runner)
        self._settings = runner

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        return (self._call(way, f"program {{{firmware.hex}}} verify reset exit"),)

    def reset_commands(self, way: Way) -> Sequence[Sequence[str]]:
        return (self._call(way, "init; reset run; exit"),)

    def erase_commands(self, way: Way) -> Sequence[Sequence[str]]:
        memory = self.board.memory
        whole = f"flash erase_address pad {memory.flash_origin:#x} {memory.flash_bytes}"
        command = self._settings.erase or whole
        return (self._call(way, f"init; reset halt; {command}; exit"),)

    def _call(self, way: Way, command: str) -> list[str]:
        files = [arg for file in self._settings.config for arg in ("-f", file)]
        serial = ["-c", f"adapter serial {way.probe}"] if way.probe else []
        # The serial number comes after the interface's file, which names the driver.
        return [*files, *serial, "-c", _NO_SERVERS, "-c", command]
