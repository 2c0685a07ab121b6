"""The boot loader in the ROM of STM32 chips, over USB: AN3156 (its commands), UM0424 (the layout of
memory in the name of the interface). It writes the flash of an emulated chip, and starts it."""

from __future__ import annotations

import struct
from collections.abc import Callable

from .debug_port import DebugPort
from .dfu_device import DfuDevice
from .usb_device import configuration

_IDLE, _SYNC, _BUSY, _DOWNLOAD_IDLE, _MANIFEST_SYNC, _MANIFEST, _ERROR = 2, 3, 4, 5, 6, 7, 10
_DOWNLOAD, _GET_STATUS, _CLEAR, _GET_STATE, _ABORT = 1, 3, 4, 5, 6
_SET_ADDRESS, _ERASE = 0x21, 0x41
_OK, _ADDRESS_ERROR = 0, 8
_TRANSFER_BYTES = 2048
_F4_LAYOUT = "04*016Kg,01*064Kg,07*128Kg"  # of 1 MB


class DfuSeDevice(DfuDevice):
    vendor, product = 0x0483, 0xDF11

    def __init__(
        self, number: int, serial: str, dap: DebugPort, *, layout: str = _F4_LAYOUT
    ) -> None:
        super().__init__(number, serial)
        name = f"@Internal Flash  /0x08000000/{layout}"
        self.strings = ("", "STMicroelectronics", "STM32  BOOTLOADER", serial, name)
        self.dap = dap
        self.has_left = False
        self.on_leave: Callable[[], None] = lambda: None
        self._address = 0
        self._status_code = _OK
        self._after_busy = _DOWNLOAD_IDLE
        dap.chip.core.locked = True  # the ROM runs, not the program

    def configuration(self) -> bytes:
        alone = struct.pack("<9B", 9, 4, 0, 0, 0, 0xFE, 1, 2, 4)
        functional = struct.pack("<BBBHHH", 9, 0x21, 0x0B, 255, _TRANSFER_BYTES, 0x011A)
        return configuration(alone + functional)

    def control(
        self, kind: int, request: int, value: int, length: int, data: bytes
    ) -> bytes | None:
        if (kind, request) == (0x21, _DOWNLOAD):
            with self.dap.chip.lock:
                self._download(value, data)
            return b""
        if kind == 0x21 and request in (_CLEAR, _ABORT):
            self._status_code = _OK
        return super().control(kind, request, value, length, data)

    def _download(self, block: int, data: bytes) -> None:
        self._state = _SYNC
        if not data:
            self._state = _MANIFEST_SYNC
        elif block == 0:
            self._command(data)
        else:
            self._write(self._address + (block - 2) * _TRANSFER_BYTES, data)

    def _command(self, data: bytes) -> None:
        code, address = struct.unpack("<BI", data) if len(data) == 5 else (data[0], None)
        flash = self.dap.chip.flash
        if code == _ERASE and address is None:
            flash.erase_all()
        elif code in (_ERASE, _SET_ADDRESS) and address is not None and self._has(address, 1):
            self._address = address
            if code == _ERASE:
                flash.erase(*flash.sector(address))
        else:
            self._fail()

    def _write(self, address: int, data: bytes) -> None:
        if not self._has(address, len(data)):
            self._fail()
            return
        self.dap.chip.flash.unlock()
        for i in range(0, len(data), 4):
            word = data[i : i + 4]
            self.dap.chip.write(address + i, len(word), int.from_bytes(word, "little"))

    def _has(self, address: int, n: int) -> bool:
        flash = self.dap.chip.flash
        return flash.flash_base <= address <= flash.flash_base + len(flash.cells) - n

    def _fail(self) -> None:
        self._state, self._status_code = _ERROR, _ADDRESS_ERROR

    def _status(self) -> bytes:
        """What was sent is carried out when the host asks for the status."""
        following = {_SYNC: _BUSY, _BUSY: _DOWNLOAD_IDLE, _MANIFEST_SYNC: _MANIFEST}
        self._state = following.get(self._state, self._state)
        if self._state == _MANIFEST:
            self._leave()
        return bytes([self._status_code, 1, 0, 0, self._state, 0])

    def _leave(self) -> None:
        """The program starts, and the boot loader is no longer on the bus."""
        if not self.has_left:
            self.has_left = self.is_manifested = True
            self.dap.chip.reset()
            self.on_leave()
