"""The drive of a debug probe with DAPLink, which writes Intel HEX files to the board's chip."""

from __future__ import annotations

from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash.base import Availability, FlashCommands, Way
from byteprop_host.flash.cable import CableRunner
from byteprop_host.flash.drives import Drive, copy_to_drive, drives, wait_for_verdict
from byteprop_host.flash.probes import data_port
from byteprop_host.flash.signals import send_break

_PROGRAM_SECONDS = 30.0


class DaplinkRunner(CableRunner):
    def availability(self) -> Availability:
        return Availability(True, "this computer", "")

    def is_present(self) -> bool:
        return bool(self._drives(Way()))

    def find_probe(self, way: Way) -> Way:
        """A drive's text has the serial number; copying to it takes no permission for USB."""
        return Way(way.port, self._drive(way).unique_id)

    def plan(self, firmware: Firmware, way: Way) -> FlashCommands:
        found = self._drives(way)
        folder = str(found[0].folder) if len(found) == 1 else "DAPLINK"
        return FlashCommands(self.name, (("cp", str(firmware.hex), folder),))

    def write(self, firmware: Firmware, way: Way, plan: FlashCommands, timeout: float) -> None:
        if firmware.hex is None:
            raise FlashError(f"{self.board.name}: expected a firmware with a .hex file, got none")
        drive = self._drive(way)
        copy_to_drive(firmware.hex, drive, self.board.name)
        wait_for_verdict(drive, self.board.name, _PROGRAM_SECONDS)

    def reset(self, way: Way, timeout: float) -> None:
        send_break(data_port(self.board, self.find_probe(way), 0.0), self.board.serial.baud)

    def _drives(self, way: Way) -> list[Drive]:
        """Drives of DAPLink probes; with a serial number, that probe's alone."""
        found = [d for d in drives() if d.unique_id]
        return [d for d in found if way.probe in (None, d.unique_id)]

    def _drive(self, way: Way) -> Drive:
        found = self._drives(way)
        if len(found) == 1:
            return found[0]
        if found:
            listed = "\n".join(f"  --probe {d.unique_id}   {d.folder}" for d in found)
            raise FlashError(
                f"{self.board.name}: {len(found)} boards' drives are mounted; choose one:\n{listed}"
            )
        raise FlashError(
            f"{self.board.name}: its drive is not mounted: plug in the board with a data cable. If "
            "no drive appears by itself, mount it: udisksctl mount -b /dev/disk/by-label/MICROBIT"
        )
