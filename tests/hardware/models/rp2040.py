"""The RP2040 as its boot ROM leaves it to a program: RP2040 Datasheet, 2.14 to 2.19, 4.10. Another
program ran before, so every block that is used has to be reset first, and the system clock is on
its second input."""

from __future__ import annotations

from unicorn import arm_const as arm

from .chip import RAM_BASE, Chip, FlashController, rom_table
from .peripheral import Peripheral
from .pl011_uart import Pl011Uart

FLASH_BASE = 0x10000000
BOOT_BLOCK_BYTES = 256
BOOT_BLOCK_AT = 0x20041F00  # in RAM
_RAM_KB = 264
_LOOKS = 2  # until a status bit follows


class Resets(Peripheral):
    """A block is ready when it was put into reset, let out, and the program saw that it is done."""

    base = 0x4000C000
    all_blocks = 0x01FFFFFF
    RESET, DONE = 0x0, 0x8
    IO_BANK0, PADS_BANK0, PLL_SYS, PLL_USB, UART0, USBCTRL = 5, 8, 12, 13, 22, 24

    def reset(self) -> None:
        super().reset()
        self._fresh = self._seen = self._looks = 0

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == self.RESET:
            self._fresh |= value
            self._seen &= ~value
            self._looks = 0

    def read(self, offset: int) -> int:
        if offset != self.DONE:
            return super().read(offset)
        self._looks += 1
        held = self.registers.get(self.RESET, 0)
        done = ~(held if self._looks > _LOOKS else self._fresh) & self.all_blocks
        self._seen |= done & self._fresh & ~held
        return done

    def is_ready(self, block: int) -> bool:
        return bool(self._seen >> block & 1)


class Gated(Peripheral):
    """A block that cannot be used while it is in reset."""

    block, name = 0, ""

    def __init__(self, resets: Resets) -> None:
        super().__init__()
        self._resets = resets

    def write(self, offset: int, value: int) -> None:
        if self._resets.is_ready(self.block):
            super().write(offset, value)
        else:
            self.fault(f"{self.name} is written before its reset is done")


class Crystal(Peripheral):
    CTRL, STATUS, STARTUP = 0x0, 0x4, 0xC
    _ENABLED, _MIN_STARTUP = 0xFABAA0, 47

    def __init__(self, base: int = 0x40024000) -> None:
        super().__init__()
        self.base = base

    def reset(self) -> None:
        super().reset()
        self._looks = 0

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        late = self.registers.get(self.STARTUP, 0) >= self._MIN_STARTUP
        if offset == self.CTRL and value == self._ENABLED and not late:
            self.fault("the crystal has less than 1 ms to start")

    def read(self, offset: int) -> int:
        if offset == self.STATUS and self.registers.get(self.CTRL) == self._ENABLED:
            self._looks += 1
            return self.is_stable() << 31
        return super().read(offset)

    def is_stable(self) -> bool:
        """And the program has seen it."""
        return self._looks > _LOOKS


class Pll(Gated):
    CS, PWR, FBDIV, PRIM = 0x0, 0x4, 0x8, 0xC
    _OFF, _NO_FRACTIONS, _NO_DIVIDERS = 0x21, 0x4, 0x8

    def __init__(self, base: int, block: int, name: str, resets: Resets, crystal: Crystal) -> None:
        super().__init__(resets)
        self.base, self.block, self.name = base, block, name
        self._crystal = crystal

    def reset(self) -> None:
        self.registers = {self.CS: 1, self.PWR: 0x2D, self.FBDIV: 0, self.PRIM: 0x77000}
        self._looks = 0

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == self.PWR and not value & self._OFF:
            vco = 12e6 * self.registers.get(self.FBDIV, 0)
            if not self._crystal.is_stable():
                self.fault(f"{self.name} starts before the crystal is stable")
            elif not 750e6 <= vco <= 1600e6 or not value & self._NO_FRACTIONS:
                self.fault(f"{self.name} cannot run at {vco:.0f} Hz")

    def read(self, offset: int) -> int:
        if offset == self.CS and not self.registers[self.PWR] & self._OFF:
            self._looks += 1
            return (self._looks > _LOOKS) << 31 | 1
        return super().read(offset)

    def hz(self) -> float:
        """0 until the program has seen that it is locked."""
        if self._looks <= _LOOKS or self.registers[self.PWR] & (self._OFF | self._NO_DIVIDERS):
            return 0.0
        prim = self.registers[self.PRIM]
        return 12e6 * self.registers[self.FBDIV] / (prim >> 16 & 7) / (prim >> 12 & 7)


class Clocks(Peripheral):
    base = 0x40008000
    SYS, SYS_SELECTED, PERI, USB = 0x3C, 0x44, 0x48, 0x54
    _AUX, _SECOND, _FROM_ROSC = 7 << 5, 1, 2 << 5

    def __init__(self, pll_sys: Pll, pll_usb: Pll) -> None:
        super().__init__()
        self._pll_sys, self._pll_usb = pll_sys, pll_usb

    def reset(self) -> None:
        self.registers = {self.SYS: self._FROM_ROSC | self._SECOND}
        self._source, self._looks = self._SECOND, 0

    def write(self, offset: int, value: int) -> None:
        changed = value ^ self.registers.get(offset, 0)
        super().write(offset, value)
        if offset != self.SYS:
            return
        self._looks = 0
        if changed & self._AUX and (self._source or value & 1):
            self.fault("the second input of clk_sys changes while it is in use")
        if value & 1 and not value & self._AUX and not self._pll_sys.hz():
            self.fault("clk_sys is put on PLL_SYS, which does not run")

    def read(self, offset: int) -> int:
        if offset != self.SYS_SELECTED:
            return super().read(offset)
        self._looks += 1
        if self._looks > _LOOKS:
            self._source = self.registers[self.SYS] & 1
        return 1 << self._source

    def is_on_pll_sys(self) -> bool:
        return self._source == self._SECOND and not self.registers[self.SYS] & self._AUX

    def peri_hz(self) -> float:
        is_on = self.registers.get(self.PERI, 0) & (1 << 11 | self._AUX) == 1 << 11
        return self._pll_sys.hz() if is_on and self.is_on_pll_sys() else 0.0

    def usb_hz(self) -> float:
        is_on = self.registers.get(self.USB, 0) & (1 << 11 | self._AUX) == 1 << 11
        return self._pll_usb.hz() if is_on else 0.0


class Pins(Gated):
    """IO_BANK0: what drives a pin."""

    base, block, name = 0x40014000, Resets.IO_BANK0, "IO_BANK0"

    def function(self, pin: int) -> int:
        return self.registers.get(8 * pin + 4, 31)


class Pads(Gated):
    """PADS_BANK0: a pin's pull resistors."""

    base, block, name = 0x4001C000, Resets.PADS_BANK0, "PADS_BANK0"
    _PULLS, _UP, _RESET = 3 << 2, 1 << 3, 0x56

    def read(self, offset: int) -> int:
        return self.registers.get(offset, self._RESET)

    def is_pulled_up(self, pin: int) -> bool:
        return self.read(4 + 4 * pin) & self._PULLS == self._UP


class FlashReader(Peripheral):
    """The SSI: what the boot block has to set so that flash can be read as memory by 03h."""

    base = 0x18000000
    CTRLR0, CTRLR1, SSIENR, SER, BAUDR, SPI_CTRLR0 = 0x00, 0x04, 0x08, 0x10, 0x14, 0xF4

    def reset(self) -> None:
        """As the boot ROM leaves it: it reads bytes."""
        self.registers = {self.CTRLR0: 0x00070000, self.CTRLR1: 1, self.SSIENR: 1}
        self.registers |= {self.SER: 0, self.BAUDR: 0, self.SPI_CTRLR0: 0}

    def write(self, offset: int, value: int) -> None:
        if offset not in (self.SSIENR, self.SER) and self.registers[self.SSIENR]:
            self.fault("the SSI is set up while it is on")
        super().write(offset, value)

    def wrong(self) -> str:
        wanted = {self.CTRLR0: 0x001F0300, self.CTRLR1: 0, self.SSIENR: 1, self.SER: 1}
        for at, value in (wanted | {self.SPI_CTRLR0: 0x03000218}).items():
            if self.registers[at] != value:
                return f"SSI register {at:#x} is {self.registers[at]:#x}, expected {value:#x}"
        divider = self.registers[self.BAUDR]
        return "" if divider >= 4 and not divider & 1 else "the flash's clock is too fast"


class ReadOnlyFlash(FlashController):
    base, size = 0x400FF000, 4

    def may_write(self) -> bool:
        return False


class Rp2040(Chip):
    """Started as the boot ROM does it: at the copy of the boot block."""

    def __init__(self) -> None:
        resets, crystal = Resets(), Crystal()
        pll_sys = Pll(0x40028000, Resets.PLL_SYS, "PLL_SYS", resets, crystal)
        pll_usb = Pll(0x4002C000, Resets.PLL_USB, "PLL_USB", resets, crystal)
        clocks, pins, pads = Clocks(pll_sys, pll_usb), Pins(resets), Pads(resets)
        reader = FlashReader()

        def clock_hz() -> float:
            return clocks.peri_hz() if resets.is_ready(Resets.UART0) else 0.0

        def wrong(is_tx: bool) -> str:
            pin = 0 if is_tx else 1
            if pins.function(pin) != 2:
                return f"GP{pin} is not the UART's"
            if not is_tx and not pads.is_pulled_up(pin):
                return "GP1 is not pulled up"
            return reader.wrong()

        parts = [resets, crystal, pll_sys, pll_usb, clocks, pins, pads, reader]
        super().__init__(
            "cortex-m0",
            ReadOnlyFlash(FLASH_BASE, 2048 * 1024),
            1024 * _RAM_KB,
            [*parts, uart := Pl011Uart(0x40034000, 20, clock_hz, wrong)],
            cpuid=0x410CC601,
            rom_table=rom_table(0x4C0),
            uart=uart,
        )

    def reset(self) -> None:
        super().reset()
        block = bytes(self.flash.cells[:BOOT_BLOCK_BYTES])
        self.core.uc.mem_write(BOOT_BLOCK_AT, block)
        self.core.stale = True
        self.core.uc.reg_write(arm.UC_ARM_REG_LR, 0)
        self.core.uc.reg_write(arm.UC_ARM_REG_SP, RAM_BASE + 1024 * _RAM_KB)
        self.core.pc = BOOT_BLOCK_AT
