"""A boot loader that speaks DFU: USB Device Class Specification for Device Firmware Upgrade 1.1,
chapters 3, 6 and A."""

from __future__ import annotations

import struct

from .usb_device import UsbDevice, configuration

_IDLE, _SYNC, _DOWNLOAD_IDLE, _MANIFEST = 2, 3, 5, 6
_DOWNLOAD, _GET_STATUS, _CLEAR, _GET_STATE, _ABORT = 1, 3, 4, 5, 6


class DfuDevice(UsbDevice):
    vendor, product = 0x2341, 0x0369
    bcd_usb = 0x0110

    def __init__(self, number: int, serial: str) -> None:
        super().__init__(number, ("Arduino", "UNO R4 Minima", serial))
        self.image = b""
        self.is_manifested = False
        self._state = _IDLE

    def configuration(self) -> bytes:
        alone = struct.pack("<9B", 9, 4, 0, 0, 0, 0xFE, 1, 2, 0)
        functional = struct.pack("<BBBHHH", 9, 0x21, 0x0B, 1000, 1024, 0x0110)
        return configuration(alone + functional)

    def control(
        self, kind: int, request: int, value: int, length: int, data: bytes
    ) -> bytes | None:
        if (kind, request) == (0xA1, _GET_STATUS):
            return self._status()
        if (kind, request) == (0xA1, _GET_STATE):
            return bytes([self._state])
        if (kind, request) == (0x21, _DOWNLOAD):
            self.image += data
            self._state = _SYNC if length else _MANIFEST
            return b""
        if kind == 0x21 and request in (0, _CLEAR, _ABORT):
            self._state = _IDLE
            return b""
        return b"" if kind in (0x00, 0x01, 0x21) else None

    def _status(self) -> bytes:
        if self._state == _SYNC:
            self._state = _DOWNLOAD_IDLE
        elif self._state == _MANIFEST:
            self._state = _IDLE
            self.is_manifested = True
        return bytes([0, 1, 0, 0, self._state, 0])
