"""A debug probe that speaks CMSIS-DAP v2. Arm, "CMSIS-DAP", Commands."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .debug_port import DebugPort
from .usb_device import UsbDevice, configuration, endpoint, interface

_INFO_TEXTS = {1: "byteprop", 2: "Emulated CMSIS-DAP", 4: "2.1.0"}
_OK, _FAULT, _NO_ACK = 1, 4, 7
_CORE_INSTRUCTIONS = 20_000  # the core runs between two commands


class CmsisDap(UsbDevice):
    vendor, product = 0x0D28, 0x0204
    usb_class = (0xEF, 2, 1)

    def __init__(self, number: int, serial: str, dap: DebugPort, *, powered: bool = True) -> None:
        super().__init__(number, ("byteprop", "Emulated CMSIS-DAP", serial), ("CMSIS-DAP v2",))
        self.dap = dap
        self._powered = powered
        self._commands: dict[int, Callable[[bytes], bytes]] = {
            0x00: self._info,
            0x02: lambda _: b"\x01",  # connect: SWD
            0x05: self._transfer,
            0x06: self._transfer_block,
            0x08: self._clear,
            0x0A: lambda _: b"\0\0",
            0x10: self._pins,
            0x1D: self._sequence,
        }

    def configuration(self) -> bytes:
        return configuration(interface(endpoint(0x01) + endpoint(0x82), (0xFF, 0, 0), 4))

    def received(self, data: bytes) -> None:
        command = self._commands.get(data[0], lambda _: b"\0")
        with self.dap.chip.lock:
            self.dap.chip.run(_CORE_INSTRUCTIONS)
            self.answer(data[:1] + command(data))

    def _info(self, data: bytes) -> bytes:
        which = data[1]
        text = self.strings[3] if which == 3 else _INFO_TEXTS.get(which)
        if text is not None:
            coded = text.encode() + b"\0"
            return bytes([len(coded)]) + coded
        # Capabilities: SWD alone; four packets at a time, of 64 bytes.
        return {0xF0: b"\x01\x01", 0xFE: b"\x01\x04", 0xFF: b"\x02\x40\x00"}.get(which, b"\0")

    def _access(self, request: int, value: int | None) -> tuple[int, int]:
        """One transfer: its acknowledgement and the value that was read."""
        if not self._powered:
            return _NO_ACK, 0
        is_ap, address = bool(request & 1), request & 0xC
        if not request & 2:
            self.dap.write(is_ap, address, value or 0)
            return _OK, 0
        read = self.dap.read(is_ap, address)
        return (_FAULT if is_ap and self.dap.error else _OK), read

    def _transfer(self, data: bytes) -> bytes:
        at, done, ack, out = 3, 0, _OK, b""
        for _ in range(data[2]):
            request = data[at]
            at += 1
            value = None
            if not request & 2 or request & 0x30:
                value = struct.unpack_from("<I", data, at)[0]
                at += 4
            if request & 0x20:  # the mask for reads that wait for a value
                done += 1
                continue
            ack, read = self._access(request, value)
            if ack != _OK:
                break
            done += 1
            if request & 2 and not request & 0x10:
                out += struct.pack("<I", read)
        return bytes([done, ack]) + out

    def _transfer_block(self, data: bytes) -> bytes:
        count, request = struct.unpack_from("<HB", data, 2)
        done, ack, out = 0, _OK, b""
        for i in range(count):
            value = None if request & 2 else struct.unpack_from("<I", data, 5 + 4 * i)[0]
            ack, read = self._access(request, value)
            if ack != _OK:
                break
            done += 1
            if request & 2:
                out += struct.pack("<I", read)
        return struct.pack("<HB", done, ack) + out

    def _clear(self, _: bytes) -> bytes:
        self.dap.error = False
        return b"\0"

    def _pins(self, data: bytes) -> bytes:
        """The reset line, when it is released."""
        if data[2] & 0x80 and data[1] & 0x80:
            self.dap.chip.reset()
        return bytes([data[1] | 0x80])

    def _sequence(self, data: bytes) -> bytes:
        at, out = 2, b""
        for _ in range(data[1]):
            head = data[at]
            n = ((head & 63 or 64) + 7) // 8
            at += 1
            if head & 0x80:
                out += bytes(n)
            else:
                at += n
        return b"\0" + out
