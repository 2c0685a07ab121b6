"""The serial boot loader in the ROM of Espressif's chips: docs.espressif.com, esptool, "Serial
Protocol". It knows what the ROM of the ESP32-C3 knows, and no stub. It refuses what a chip would: a
block out of order or with a wrong sum, and flash that was not attached or erased."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_SECTOR = 4096
_END, _ESCAPE, _ESCAPED_END, _ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
_FLASH_BEGIN, _FLASH_DATA, _FLASH_END = 0x02, 0x03, 0x04
_SYNC, _WRITE_REGISTER, _READ_REGISTER = 0x08, 0x09, 0x0A
_SPI_PARAMETERS, _SPI_ATTACH, _CHANGE_BAUD = 0x0B, 0x0D, 0x0F
_DEFLATED_BEGIN, _DEFLATED_DATA, _DEFLATED_END = 0x10, 0x11, 0x12
_FLASH_MD5, _SECURITY_INFO = 0x13, 0x14
_MAGIC_AT, _EFUSE_BLOCK_1, _SPI = 0x40001000, 0x60008844, 0x60002000
_SYNC_ANSWERS = 8
_FLASH_ID = 0x1640EF  # 4 MB
_INVALID, _FAILED, _WRONG_SUM = 0x05, 0x06, 0x07  # of the second status byte


@dataclass(frozen=True)
class Kind:
    """A chip as esptool tells it from others: by number, or where the ROM has none, by a word."""

    number: int | None
    magic: int = 0
    revision: int = 0  # minor


KINDS = {
    "esp32c3": Kind(5, revision=4),
    "esp32c3-v0.2": Kind(5, revision=2),
    "esp32s3": Kind(9),
    "esp32": Kind(None, 0x00F01D83),
}


class _Refused(Exception):
    """The command is answered with a reason."""


class EspRom:
    """flash: its cells. set_baud: told of a new speed of the line."""

    def __init__(self, kind: Kind, flash: bytearray, set_baud: Callable[[int], None]) -> None:
        self.faults: list[str] = []
        self.blocks = 0  # of data
        self._kind, self._flash, self._set_baud = kind, flash, set_baud
        self._commands: dict[int, Callable[[bytes], tuple[int, bytes]]] = {
            _SYNC: lambda data: (0x20120707, b""),
            _READ_REGISTER: self._read_register,
            _WRITE_REGISTER: self._write_register,
            _SPI_ATTACH: self._attach,
            _SPI_PARAMETERS: self._nothing,
            _CHANGE_BAUD: self._nothing,
            _FLASH_BEGIN: self._begin,
            _DEFLATED_BEGIN: self._begin,
            _FLASH_DATA: lambda data: self._data(data, lambda block: block),
            _DEFLATED_DATA: lambda data: self._data(data, self._inflater.decompress),
            _FLASH_END: self._nothing,
            _DEFLATED_END: self._nothing,
            _FLASH_MD5: self._md5,
        }
        if kind.number is not None:
            self._commands[_SECURITY_INFO] = self._security_info
        self.restart()

    def restart(self) -> None:
        self._packet: bytearray | None = None
        self._is_escaped = self._is_attached = False
        self._registers: dict[int, int] = {}
        self._at = self._expected = self._erased_to = 0
        self._inflater = zlib.decompressobj()

    def take(self, data: bytes) -> bytes:
        """What it answers to these bytes."""
        answers = b""
        for byte in data:
            if byte == _END:
                if self._packet:
                    answers += self._execute(bytes(self._packet))
                    self._packet = None
                else:
                    self._packet = bytearray()
            elif self._packet is not None:
                self._add(byte)
        return answers

    def _add(self, byte: int) -> None:
        assert self._packet is not None
        if self._is_escaped:
            self._packet.append({_ESCAPED_END: _END, _ESCAPED_ESCAPE: _ESCAPE}.get(byte, byte))
            self._is_escaped = False
        elif byte == _ESCAPE:
            self._is_escaped = True
        else:
            self._packet.append(byte)

    def _execute(self, packet: bytes) -> bytes:
        if len(packet) < 8 or packet[0] != 0:
            return b""
        command, n, checksum = struct.unpack_from("<xBHI", packet)
        data = packet[8:]
        status, value, more = 0, 0, b""
        try:
            if len(data) != n or command not in self._commands:
                raise _Refused(_INVALID)
            if command in (_FLASH_DATA, _DEFLATED_DATA) and _sum(data[16:]) != checksum:
                raise _Refused(_WRONG_SUM)
            value, more = self._commands[command](data)
        except _Refused as refused:
            status = refused.args[0]
            if command in self._commands:
                self.faults.append(f"command {command:#x} is refused: {status}")
        answer = _framed(command, value, more + bytes([status != 0, status, 0, 0]))
        if command == _CHANGE_BAUD:
            self._set_baud(struct.unpack_from("<I", data)[0])
        return answer * (_SYNC_ANSWERS if command == _SYNC else 1)

    # ---- commands ----

    def _nothing(self, data: bytes) -> tuple[int, bytes]:
        return 0, b""

    def _read_register(self, data: bytes) -> tuple[int, bytes]:
        (address,) = struct.unpack("<I", data)
        return self._register(address), b""

    def _register(self, address: int) -> int:
        fuses = {3: 1 << 27 | self._kind.revision << 18, 0: 0xA0B0C0D0, 1: 0x7CDF}
        if address == _MAGIC_AT:
            return self._kind.magic
        if _EFUSE_BLOCK_1 <= address < _EFUSE_BLOCK_1 + 24:
            return fuses.get((address - _EFUSE_BLOCK_1) // 4, 0)
        reads_id = self._registers.get(_SPI + 0x20, 0) & 0xFF == 0x9F
        if address == _SPI + 0x58 and reads_id:
            return _FLASH_ID
        return self._registers.get(address, 0)

    def _write_register(self, data: bytes) -> tuple[int, bytes]:
        address, value, mask, _ = struct.unpack_from("<4I", data)
        old = self._registers.get(address, 0)
        is_command = address == _SPI  # done at once
        self._registers[address] = 0 if is_command else old & ~mask | value & mask
        return 0, b""

    def _security_info(self, data: bytes) -> tuple[int, bytes]:
        return 0, struct.pack("<I8xII", 0, self._kind.number, 0)

    def _attach(self, data: bytes) -> tuple[int, bytes]:
        self._is_attached = True
        return 0, b""

    def _begin(self, data: bytes) -> tuple[int, bytes]:
        """Erases whole sectors. The size of nothing leaves flash as it is."""
        size, _, _, offset = struct.unpack_from("<4I", data)
        if not self._is_attached or offset % _SECTOR or offset + size > len(self._flash):
            raise _Refused(_FAILED)
        self._erased_to = offset + -(-size // _SECTOR) * _SECTOR
        self._flash[offset : self._erased_to] = b"\xff" * (self._erased_to - offset)
        self._at, self._expected, self._inflater = offset, 0, zlib.decompressobj()
        return 0, b""

    def _data(self, data: bytes, unpack: Callable[[bytes], bytes]) -> tuple[int, bytes]:
        n, number = struct.unpack_from("<2I", data)
        if n != len(data) - 16 or number != self._expected:
            raise _Refused(_INVALID)
        plain = unpack(data[16:])
        if self._at + len(plain) > self._erased_to:
            raise _Refused(_FAILED)
        self._flash[self._at : self._at + len(plain)] = plain
        self._at, self._expected = self._at + len(plain), number + 1
        self.blocks += 1
        return 0, b""

    def _md5(self, data: bytes) -> tuple[int, bytes]:
        at, n = struct.unpack_from("<2I", data)
        return 0, hashlib.md5(self._flash[at : at + n]).hexdigest().encode()


def _sum(data: bytes) -> int:
    value = 0xEF
    for byte in data:
        value ^= byte
    return value


def _framed(command: int, value: int, data: bytes) -> bytes:
    packet = struct.pack("<BBHI", 1, command, len(data), value) + data
    escaped = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"
