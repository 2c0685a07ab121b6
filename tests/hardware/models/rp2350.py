"""The RP2350 as its boot ROM leaves it to a program: on the ring oscillator, all pads isolated.
RP2350 Datasheet, chapters 7 "Resets", 8 "Clocks" and 9 "GPIO"; registers as in pico-sdk's headers
for this chip. Another program ran before, so every block that is used has to be reset first."""

from __future__ import annotations

from .chip import Chip, rom_table
from .peripheral import Peripheral
from .pl011_uart import Pl011Uart
from .rp2040 import FLASH_BASE, Crystal, Gated, ReadOnlyFlash, Resets

_RAM_KB = 520
_LOOKS = 2  # until a status bit follows
_CRYSTAL_HZ = 12e6


class Resets2350(Resets):
    base = 0x40020000
    all_blocks = 0x1FFFFFFF
    IO_BANK0, PADS_BANK0, UART0 = 6, 9, 26


class Clocks2350(Peripheral):
    base = 0x40010000
    REF, REF_SELECTED, SYS, SYS_SELECTED, PERI = 0x30, 0x38, 0x3C, 0x44, 0x48
    _RING, _CRYSTAL, _FROM_REF, _FROM_OTHERS = 0, 2, 0, 1
    _PERI_ON_CRYSTAL = 1 << 11 | 4 << 5

    def __init__(self, crystal: Crystal) -> None:
        super().__init__()
        self._crystal = crystal

    def reset(self) -> None:
        self.registers = {self.REF: self._RING, self.SYS: self._FROM_OTHERS, self.PERI: 0}
        self._source = {self.REF: self._RING, self.SYS: self._FROM_OTHERS}
        self._looks = {self.REF: 0, self.SYS: 0}

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset in self._looks:
            self._looks[offset] = 0
        if offset == self.REF and value & 3 == self._CRYSTAL and not self._crystal.is_stable():
            self.fault("clk_ref is put on the crystal before it is stable")
        if offset == self.SYS and not value & 1 and self._source[self.REF] != self._CRYSTAL:
            self.fault("clk_sys is put on clk_ref before that is on the crystal")

    def read(self, offset: int) -> int:
        clock = {self.REF_SELECTED: self.REF, self.SYS_SELECTED: self.SYS}.get(offset)
        if clock is None:
            return super().read(offset)
        self._looks[clock] += 1
        if self._looks[clock] > _LOOKS:
            self._source[clock] = self.registers[clock] & 3
        return 1 << self._source[clock]

    def peri_hz(self) -> float:
        is_on = self.registers[self.PERI] & (1 << 11 | 7 << 5) == self._PERI_ON_CRYSTAL
        return _CRYSTAL_HZ if is_on and self._crystal.is_stable() else 0.0

    def wrong(self) -> str:
        on = (self._CRYSTAL, self._FROM_REF)
        is_right = (self._source[self.REF], self._source[self.SYS]) == on
        return "" if is_right else "the CPU is not clocked by the crystal"


class Pins2350(Gated):
    base, block, name = 0x40028000, Resets2350.IO_BANK0, "IO_BANK0"

    def wrong(self, pin: int) -> str:
        is_uart = self.registers.get(8 * pin + 4, 31) == 2
        return "" if is_uart else f"GP{pin} is not the UART's"


class Pads2350(Gated):
    base, block, name = 0x40038000, Resets2350.PADS_BANK0, "PADS_BANK0"
    _ISOLATED, _NO_OUTPUT, _INPUT = 1 << 8, 1 << 7, 1 << 6
    _PULLS, _UP, _RESET = 3 << 2, 1 << 3, 0x116

    def wrong(self, pin: int, is_tx: bool) -> str:
        value = self.registers.get(4 + 4 * pin, self._RESET)
        if value & self._ISOLATED:
            return f"the pad of GP{pin} is isolated"
        if is_tx:
            return f"the output of GP{pin} is off" if value & self._NO_OUTPUT else ""
        if not value & self._INPUT or value & self._PULLS != self._UP:
            return f"GP{pin} is no input with a pull-up"
        return ""


def rp2350() -> Chip:
    resets, crystal = Resets2350(), Crystal(0x40048000)
    clocks, pins, pads = Clocks2350(crystal), Pins2350(resets), Pads2350(resets)

    def clock_hz() -> float:
        return clocks.peri_hz() if resets.is_ready(Resets2350.UART0) else 0.0

    def wrong(is_tx: bool) -> str:
        pin = 0 if is_tx else 1
        return clocks.wrong() or pins.wrong(pin) or pads.wrong(pin, is_tx)

    uart = Pl011Uart(0x40070000, 33, clock_hz, wrong)
    return Chip(
        "cortex-m33",
        ReadOnlyFlash(FLASH_BASE, 4096 * 1024),
        1024 * _RAM_KB,
        [resets, crystal, clocks, pins, pads, uart],
        cpuid=0x411FD210,
        rom_table=rom_table(0x4C9),
        uart=uart,
    )
