"""An ST-LINK/V2-1, as far as st-flash and OpenOCD ask. Command codes: stlink-org/stlink,
inc/stlink_cmd.h."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .debug_port import DebugPort
from .usb_device import UsbDevice, configuration, endpoint, interface

_OK, _NO_TARGET = b"\x80\0", b"\x09\0"
_CORE_INSTRUCTIONS = 20_000  # the core runs between two commands
_DHCSR = 0xE000EDF0
_WIDTHS = {0x07: 4, 0x08: 4, 0x0C: 1, 0x0D: 1, 0x47: 2, 0x48: 2}


class StLink(UsbDevice):
    vendor, product = 0x0483, 0x374B

    def __init__(self, number: int, serial: str, dap: DebugPort, *, powered: bool = True) -> None:
        super().__init__(number, ("STMicroelectronics", "STM32 STLink", serial))
        self.dap = dap
        self._powered = powered
        self._mode = 1
        self._writing: tuple[int, int, int] | None = None

    def configuration(self) -> bytes:
        ends = endpoint(0x81) + endpoint(0x01) + endpoint(0x82)
        return configuration(interface(ends, (0xFF, 0xFF, 0xFF), 0))

    def received(self, data: bytes) -> None:
        with self.dap.chip.lock:
            self.dap.chip.run(_CORE_INSTRUCTIONS)
            self._received(data)

    def _received(self, data: bytes) -> None:
        if self._writing is not None:
            address, width, n = self._writing
            self._writing = None
            for i in range(0, n, width):
                value = int.from_bytes(data[i : i + width], "little")
                self.dap.chip.write(address + i, width, value)
            return
        reply = self._command(data)
        if reply is not None:
            self.answer(reply)

    def _command(self, data: bytes) -> bytes | None:
        code = data[0]
        if code == 0xF1:  # version V2 J37 M26
            return bytes([0x29, 0x5A]) + struct.pack("<HH", self.vendor, self.product)
        if code == 0xF5:
            return bytes([self._mode, 0])
        if code == 0xF7:  # voltage: 2 * reading * 1.2 / factor
            return struct.pack("<II", 1489, 2036 if self._powered else 0)
        if code == 0xF3:
            self._mode = 1
            return None
        return self._debug(data) if code == 0xF2 else _OK

    def _debug(self, data: bytes) -> bytes | None:
        code, chip = data[1], self.dap.chip
        address = struct.unpack_from("<I", data, 2)[0]
        n = struct.unpack_from("<H", data, 6)[0]
        if not self._powered and code in (0x31, 0x36, 0x22):
            return _NO_TARGET + bytes(10)
        if code in (0x07, 0x0C, 0x47):
            width = _WIDTHS[code]
            out = b"".join(
                (chip.read(address + i, width) or 0).to_bytes(width, "little")
                for i in range(0, n, width)
            )
            return out if len(out) > 1 else out + b"\0"
        if code in (0x08, 0x0D, 0x48):
            self._writing = (address, _WIDTHS[code], n)
            return None
        if code == 0x20:
            self._mode = 2
            return None
        if code == 0x21:
            self._mode = 1
            return None
        simple: dict[int, Callable[[], bytes]] = {
            0x01: lambda: bytes([0x81 if chip.core.halted else 0x80, 0]),
            0x02: lambda: self._then(chip.core.debug.halt),
            0x09: lambda: self._then(lambda: chip.write(_DHCSR, 4, 0xA05F0001)),
            0x22: lambda: struct.pack("<I", self.dap.dpidr),
            0x30: lambda: self._then(self._enter),
            0x31: lambda: _OK + b"\0\0" + struct.pack("<II", self.dap.dpidr, 0),
            0x32: lambda: self._then(chip.reset),
            0x33: lambda: _OK + b"\0\0" + struct.pack("<I", chip.core.get(data[2])),
            0x34: lambda: self._then(
                lambda: chip.core.set(data[2], struct.unpack_from("<I", data, 3)[0])
            ),
            0x35: lambda: self._then(
                lambda: chip.write(address, 4, struct.unpack_from("<I", data, 6)[0])
            ),
            0x36: lambda: _OK + b"\0\0" + struct.pack("<I", chip.read(address, 4) or 0),
            0x3A: lambda: (
                _OK + b"\0\0" + b"".join(struct.pack("<I", chip.core.get(i)) for i in range(21))
            ),
            0x3C: lambda: self._then(chip.reset) if data[2] else _OK,
            0x3E: lambda: _OK + bytes(10),
            0x45: lambda: bytes(16),
        }
        return simple.get(code, lambda: _OK)()

    def _then(self, action: Callable[[], object]) -> bytes:
        action()
        return _OK

    def _enter(self) -> None:
        self._mode = 2
