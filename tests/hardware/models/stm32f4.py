"""STM32F446 and STM32F405/407. RM0390, RM0090: "Embedded flash memory interface"."""

from __future__ import annotations

from .chip import Chip, FlashController, rom_table
from .debug_port import DebugPort
from .peripheral import Fixed, Peripheral
from .stm32_usart import stm32f4_line, stm32f4_line_1
from .uart import StrictUart

_SECTORS = (16,) * 4 + (64,) + (128,) * 7  # KB
_LOCK, _START = 0x80000000, 0x00010000


class FlashF4(FlashController):
    base = 0x40023C00
    KEYR, SR, CR, OPTCR = 0x04, 0x0C, 0x10, 0x14

    def __init__(self, bytes_: int) -> None:
        super().__init__(0x08000000, bytes_)
        self._keys: list[int] = []

    def reset(self) -> None:
        super().reset()
        self.registers = {self.CR: _LOCK, self.OPTCR: 0x0FFFAAED}

    def may_write(self) -> bool:
        control = self.registers[self.CR]
        return bool(control & 1) and not control & _LOCK

    def write(self, offset: int, value: int) -> None:
        if offset == self.KEYR:
            self._keys = [*self._keys, value][-2:]
            if self._keys == [0x45670123, 0xCDEF89AB]:
                self.registers[self.CR] &= ~_LOCK
        elif offset == self.SR:
            self.registers[offset] = self.registers.get(offset, 0) & ~value
        elif offset != self.CR:
            super().write(offset, value)
        elif not self.registers[self.CR] & _LOCK:
            self._control(value)

    def _control(self, value: int) -> None:
        self.registers[self.CR] = value & ~_START
        if not value & _START:
            return
        if value & 4:
            self.erase_all()
        elif value & 2:
            self.erase(*self._sector(value >> 3 & 0xF))

    def _sector(self, number: int) -> tuple[int, int]:
        return self.flash_base + 1024 * sum(_SECTORS[:number]), 1024 * _SECTORS[number]

    def sector(self, address: int) -> tuple[int, int]:
        """Beginning and size of the sector that has the address."""
        numbers = range(len(_SECTORS))
        return next(s for n in numbers if address < sum(s := self._sector(n)))

    def unlock(self) -> None:
        """As a program does it with the keys."""
        self.registers[self.CR] = 1


_Line = tuple[StrictUart, list[Peripheral]]


def _stm32f4(idcode: int, flash_kb: int, ram_kb: int, on: _Line) -> DebugPort:
    flash = FlashF4(flash_kb * 1024)
    uart, line = on
    chip = Chip(
        "cortex-m4",
        flash,
        ram_kb * 1024,
        [
            *line,
            Fixed(0xE0042000, 0x400, {0: idcode}),
            Fixed(0x1FFF7A00, 0x100, {0x20: flash_kb << 16 | 0xFFFF}, 0xFFFFFFFF),
        ],
        cpuid=0x410FC241,
        rom_table=rom_table(0x4C4),
        uart=uart,
    )
    return DebugPort(chip, 0x2BA01477)


def stm32f446() -> DebugPort:
    return _stm32f4(0x10006421, 512, 128, stm32f4_line(2, 3))


def stm32f407() -> DebugPort:
    return _stm32f4(0x10076413, 1024, 128, stm32f4_line(2, 3))


def stm32f405() -> DebugPort:
    """With USART1 at PA9 and PA10."""
    return _stm32f4(0x10076413, 1024, 128, stm32f4_line_1())
