"""A board with an ESP32-C3 behind a USB-to-serial chip. Its modem lines reset the chip and choose
what the chip's ROM does then, as on Espressif's boards: RTS alone holds it in reset, and DTR alone
asks for the boot loader. ESP32-C3-DevKitM-1 schematic; docs.espressif.com, esptool, "Boot Mode
Selection"."""

from __future__ import annotations

import contextlib
import os
import termios
import threading
import time
from pathlib import Path
from typing import Any

from .esp32c3 import Esp32c3
from .esp_rom import KINDS, EspRom
from .line import Line
from .serial_board import SerialBoard
from .usb_device import DTR, RTS, Testbed

_FLASH_BYTES = 4 << 20
_RISE_SECONDS = 0.005  # of the reset line, which a capacitor delays
_INSTRUCTIONS = 4000  # of the core between two looks at its line
_ROM_BAUD = 115_200
_SPEEDS = {115_200: termios.B115200, 460_800: termios.B460800}
_STARTS = b"\r\nrst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)\r\n"
_WAITS = b"\r\nrst:0x1 (POWERON),boot:0x5 (DOWNLOAD)\r\nwaiting for download\r\n"


class EspBoard(SerialBoard):
    """spec: "chip" of KINDS; "flash": a file that is in flash already; "silent": the boot loader
    does not answer; "stalls_after", "unplugged_after": blocks of data that it takes."""

    def __init__(self, number: int, spec: dict[str, Any]) -> None:
        super().__init__(number, {"usb": "10c4:ea60", **spec})
        self._flash = bytearray(b"\xff" * _FLASH_BYTES)
        if "flash" in spec:
            held = Path(spec["flash"]).read_bytes()
            self._flash[: len(held)] = held
        self._rom = EspRom(KINDS[spec.get("chip", "esp32c3")], self._flash, self._set_baud)
        self._chip: Esp32c3 | None = None
        self._faults: list[str] = []
        self._is_in_boot_loader = False
        self._baud = _ROM_BAUD
        self._lines = 0
        self._rises_at: float | None = None  # the reset line
        self._is_held = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self, testbed: Testbed, folder: Path) -> None:
        self._testbed, self._folder = testbed, folder
        self._fd = testbed.add_port(self._spec["port"], self, self._set_lines)
        self._line = Line(self._fd)
        self._set_state(Path(testbed.umockdev.get_root_dir()) / "dev" / self._spec["port"])
        self._boot()
        self._thread.start()

    def stop(self, folder: Path) -> dict[str, Any]:
        self._end.set()
        self._thread.join()
        self._stop_chip()
        self._dump(folder).write_bytes(bytes(self._flash))
        return {"faults": self._faults + self._rom.faults, "blocks": self._rom.blocks}

    # ---- reset and boot mode ----

    def _set_lines(self, which: int, values: int) -> None:
        self._lines = self._lines & ~which | values & which
        if self._lines & (DTR | RTS) == RTS:
            self._is_held, self._rises_at = True, None
        elif self._is_held and self._rises_at is None:
            self._rises_at = time.monotonic() + _RISE_SECONDS

    def _follow_lines(self) -> None:
        if self._rises_at is not None and time.monotonic() >= self._rises_at:
            self._is_held, self._rises_at = False, None
            self._boot()

    def _boot(self) -> None:
        self._stop_chip()
        self._baud = _ROM_BAUD
        self._line.to_chip.clear()
        self._is_in_boot_loader = self._lines & (DTR | RTS) == DTR
        if self._is_in_boot_loader:
            self._rom.restart()
            self._send(_WAITS)
        else:
            self._send(_STARTS)
            self._chip = Esp32c3()
            self._chip.flash.cells[:] = self._flash
            self._chip.reset()
            self._chip.uart.connect(self._line)

    def _stop_chip(self) -> None:
        """A chip that found no program has done nothing wrong."""
        if self._chip is not None and self._flash[:8] == b"\xff" * 8:
            self._chip = None
        if self._chip is not None:
            self._faults += self._chip.faults
            self._chip = None

    # ---- the line ----

    def _run(self) -> None:
        while not self._end.is_set():
            self._follow_lines()
            self._line.poll()
            if self._is_held or not self._has_right_speed():
                self._line.to_chip.clear()
                time.sleep(0.001)
            elif self._is_in_boot_loader:
                self._serve()
            elif self._chip is not None:
                self._chip.run(_INSTRUCTIONS)

    def _has_right_speed(self) -> bool:
        """Bytes at another speed are noise. Any will do while nothing has set one."""
        with contextlib.suppress(termios.error):
            return termios.tcgetattr(self._fd)[5] in (_SPEEDS[self._baud], termios.B38400)
        return False

    def _set_baud(self, baud: int) -> None:
        self._baud = baud

    def _serve(self) -> None:
        data = bytes(self._line.to_chip)
        self._line.to_chip.clear()
        if not data:
            time.sleep(0.0005)
        elif not self._spec.get("silent"):
            answer = self._rom.take(data)
            if self._rom.blocks >= self._spec.get("unplugged_after", 1 << 30):
                self._unplug()
            elif self._rom.blocks < self._spec.get("stalls_after", 1 << 30):
                self._send(answer)

    def _send(self, data: bytes) -> None:
        for byte in data:
            self._line.send(byte)

    def _unplug(self) -> None:
        self._testbed.remove(self)
        os.close(self._fd)
        self._end.set()
