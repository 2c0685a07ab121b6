"""A Pico on a USB cable: the boot ROM's drive, which takes a UF2 file, and the serial port of the
program that it then starts in rp2040js."""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path
from typing import Any

from .rp2040js import Rp2040Js
from .usb_device import DTR, Testbed, UsbDevice

_FLASH, _BLOCK = 0x10000000, 512
_INFO = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
_LOOK_SECONDS = 0.05


def flash_of(uf2: bytes) -> bytes:
    """What the blocks of a UF2 file leave in flash; b"" while some are missing."""
    flash = bytearray()
    blocks = [uf2[i : i + _BLOCK] for i in range(0, len(uf2), _BLOCK)]
    if not blocks or len(blocks[-1]) < _BLOCK:
        return b""
    total = struct.unpack_from("<I", blocks[0], 24)[0]
    for block in blocks:
        begin, second, _, address, n = struct.unpack_from("<5I", block)
        assert (begin, second) == (0x0A324655, 0x9E5D5157)
        at = address - _FLASH
        flash.extend(b"\xff" * (at + n - len(flash)))
        flash[at : at + n] = block[32 : 32 + n]
    return bytes(flash) if len(blocks) == total else b""


class SerialPort(UsbDevice):
    vendor, product = 0x2E8A, 0x000A
    usb_class = (2, 0, 0)

    def __init__(self, number: int) -> None:
        super().__init__(number, ("byteprop", "byteprop on Raspberry Pi Pico", ""))

    def configuration(self) -> bytes:
        return b""


class Pico:
    """spec: "serial", "drive" (its folder), "npm", "rom"."""

    def __init__(self, testbed: Testbed, spec: dict[str, Any]) -> None:
        self.serial = spec["serial"]
        self.flash = b""
        self.state: dict[str, Any] = {"starts": 0, "touches": 0, "faults": []}
        self._testbed, self._spec = testbed, spec
        self._drive = Path(spec["drive"])
        self._chip: Rp2040Js | None = None
        self._port: SerialPort | None = None
        self._end = threading.Event()
        self._show_drive()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _show_drive(self) -> None:
        self._drive.mkdir(exist_ok=True)
        (self._drive / "INFO_UF2.TXT").write_text(_INFO, encoding="ascii")

    def _run(self) -> None:
        while not self._end.is_set():
            time.sleep(_LOOK_SECONDS)
            if self._chip is None:
                self._look_for_program()
            elif self._chip.wait("boot_loader", 0):
                self.state["touches"] += 1
                self._unplug()
                self._show_drive()

    def _look_for_program(self) -> None:
        for file in self._drive.glob("*.uf2"):
            flash = flash_of(file.read_bytes())
            if flash:
                self.flash = flash
                file.unlink()
                (self._drive / "INFO_UF2.TXT").unlink()
                self._start()

    def _start(self) -> None:
        """Each time with another name, as it happens when a program still has the last one open."""
        number = 2 + self.state["starts"]
        program = self._drive.parent / f"{self.serial}-{number}.program"
        program.write_bytes(self.flash)
        self._port = SerialPort(number)
        self._testbed.add(self._port)
        master = self._testbed.add_port(f"ttyACM{number}", self._port, self._set_lines)
        npm, rom = self._spec["npm"], self._spec["rom"]
        self._chip = Rp2040Js(npm, rom, str(program), "usb", master)
        self.state["starts"] += 1

    def _set_lines(self, which: int, values: int) -> None:
        if self._chip is not None and which & DTR:
            self._chip.set_dtr(bool(values & DTR))

    def _unplug(self) -> None:
        assert self._chip is not None and self._port is not None
        self._chip.close()
        self.state["faults"] += self._chip.faults
        self._testbed.remove(self._port)
        self._chip = None

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        if self._chip is not None:
            self.state["faults"] += self._chip.faults
            self._chip.close()
