"""Chips of Nordic: nRF51822, nRF52833, nRF52840. Product specifications: "NVMC", "FICR", "UICR"."""

from __future__ import annotations

from .chip import Chip, FlashController, rom_table
from .debug_port import DebugPort
from .nrf5x_uart import nrf5x_line
from .peripheral import Fixed, Peripheral

_ERASE, _WRITE = 2, 1


class Nvmc(FlashController):
    base, size = 0x4001E000, 0x1000
    READY, READYNEXT, CONFIG, ERASEPAGE, ERASEALL = 0x400, 0x408, 0x504, 0x508, 0x50C

    def __init__(self, flash_bytes: int, page: int, user: UserRegisters) -> None:
        super().__init__(0, flash_bytes)
        self._page = page
        self._user = user

    def may_write(self) -> bool:
        return self.registers.get(self.CONFIG, 0) & 3 == _WRITE

    def read(self, offset: int) -> int:
        return 1 if offset in (self.READY, self.READYNEXT) else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        may_erase = self.registers.get(self.CONFIG, 0) & 3 == _ERASE
        if offset in (self.ERASEPAGE, self.ERASEALL) and not may_erase:
            self.fault("flash erased while locked")
        elif offset == self.ERASEPAGE:
            self.erase(value & ~(self._page - 1), self._page)
        elif offset == self.ERASEALL:
            self.erase_all()
            self._user.registers.clear()
        else:
            super().write(offset, value)


class UserRegisters(Peripheral):
    """UICR, cells of flash that are no program."""

    base, size = 0x10001000, 0x1000

    def read(self, offset: int) -> int:
        return self.registers.get(offset, 0xFFFFFFFF)

    def reset(self) -> None:
        pass


def _ficr(part: int, page: int, pages: int, ram_kb: int, flash_kb: int) -> Fixed:
    values = {0x10: page, 0x14: pages, 0x2C: 0xFFFFFFFF, 0x28: 0xFFFFFFFF, 0x34: 1, 0x38: 0x4000}
    if part:
        values |= {0x100: part, 0x104: 0x41414430, 0x108: 0x2004, 0x10C: ram_kb, 0x110: flash_kb}
    else:
        values[0x5C] = 0x8F
    return Fixed(0x10000000, 0x1000, values, 0xFFFFFFFF)


def nrf51822() -> DebugPort:
    user = UserRegisters()
    nvmc = Nvmc(0x40000, 1024, user)
    uart, line = nrf5x_line(24, 25, 1)
    chip = Chip(
        "cortex-m0",
        nvmc,
        0x4000,
        [user, _ficr(0, 1024, 256, 16, 256), *line],
        cpuid=0x410CC200,
        rom_table=rom_table(0x471, has_fpb=False),
        uart=uart,
    )
    return DebugPort(chip, 0x0BB11477, 0x04770021)


def _nrf52(part: int, flash_kb: int, ram_kb: int, tx: int, rx: int) -> DebugPort:
    user = UserRegisters()
    nvmc = Nvmc(flash_kb * 1024, 4096, user)
    uart, line = nrf5x_line(tx, rx, 2)
    chip = Chip(
        "cortex-m4",
        nvmc,
        ram_kb * 1024,
        [user, _ficr(part, 4096, flash_kb // 4, ram_kb, flash_kb), *line],
        cpuid=0x410FC241,
        rom_table=rom_table(0x4C4),
        uart=uart,
    )
    # CTRL-AP: access is not protected.
    return DebugPort(chip, 0x2BA01477, control_ap={0x0C: 1, 0xFC: 0x02880000})


def nrf52833(tx: int = 6, rx: int = 40) -> DebugPort:
    return _nrf52(0x52833, 512, 128, tx, rx)


def nrf52840(tx: int = 6, rx: int = 8) -> DebugPort:
    return _nrf52(0x52840, 1024, 256, tx, rx)
