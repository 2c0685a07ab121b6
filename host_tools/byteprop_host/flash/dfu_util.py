"""dfu-util: writes through a boot loader that speaks USB DFU."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import DfuUtil
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Way
from byteprop_host.flash.cable import (
    ANOTHER_CHIP,
    NO_USB_PERMISSION,
    UNPLUGGED,
    CableRunner,
    Symptom,
)
from byteprop_host.flash.probes import wait_for_probe
from byteprop_host.flash.touch import restart_into_boot_loader
from byteprop_host.flash.usb import usb_devices

_BOOT_SECONDS = 8.0  # until the boot loader is there
_ASKED_FOR = (
    "the boot loader is there only when it was asked for: press reset twice, or hold BOOT at reset"
)


class DfuUtilRunner(CableRunner):
    program = "dfu-util"
    done = r"Download done|File downloaded successfully"
    symptoms = (
        Symptom(
            r"No DFU capable USB device",
            "no boot loader found: press reset twice, or hold the board's BOOT button while you "
            "plug it in",
        ),
        Symptom(r"Cannot open DFU device|LIBUSB_ERROR_ACCESS", NO_USB_PERMISSION),
        Symptom(r"Last page at .* is not writeable|errADDRESS|errTARGET", ANOTHER_CHIP),
        Symptom(r"LIBUSB_ERROR_(NO_DEVICE|IO|PIPE)", UNPLUGGED),
    )

    def __init__(self, board: Board, runner: DfuUtil) -> None:
        super().__init__(board, runner)
        self._settings = runner

    def find_probe(self, way: Way) -> Way:
        if self._settings.touch and not usb_devices(self.runner.probes):
            restart_into_boot_loader(self.board, way)
            return wait_for_probe(self.board, self.runner, way, _BOOT_SECONDS)
        try:
            return super().find_probe(way)
        except FlashError as error:
            if usb_devices(self.runner.probes):
                raise
            raise FlashError(f"{error}; {_ASKED_FOR}") from None

    def flash_commands(self, firmware: Firmware, way: Way) -> Sequence[Sequence[str]]:
        s = self._settings
        ids = ",".join(s.probes)
        call = ["-d", ids, "-a", str(s.alt), *(["-S", way.probe] if way.probe else [])]
        if s.address:
            call += ["-s", f"{s.address:#010x}:leave"]
        else:
            call += ["-R"]  # start the program
        return ([*call, "-D", str(firmware.binary)],)
