"""SiFive's FE310 as its boot loader leaves it: on the inexact ring oscillator, and an interrupt of
the program before is still in service. FE310-G002 Manual: chapters "Clocking Architecture" (PRCI),
"General Purpose Input/Output Controller", "Universal Asynchronous Receiver/Transmitter",
"Platform-Level Interrupt Controller"."""

from __future__ import annotations

from .peripheral import Peripheral
from .riscv import RiscvChip
from .uart import StrictUart

_LOOKS = 2  # until a status bit follows
_EXTERNAL = 11  # cause of the interrupt from the PLIC
_READY, _ENABLE = 1 << 31, 1 << 30
_RAM = (0x80000000, 16 * 1024)
_REGISTERS = (
    (0x0C000000, 0x201000),
    (0x10008000, 0x1000),
    (0x10012000, 0x1000),
    (0x10013000, 0x1000),
)


class Prci(Peripheral):
    base, size = 0x10008000, 0x1000
    HFROSC, HFXOSC, PLL = 0x0, 0x4, 0x8
    _SELECT, _CRYSTAL, _BYPASS = 1 << 16, 1 << 17, 1 << 18

    def reset(self) -> None:
        self.registers = {self.HFROSC: _ENABLE | _READY | 4 << 16, self.HFXOSC: 0, self.PLL: 0}
        self._looks = 0

    def read(self, offset: int) -> int:
        if offset == self.HFXOSC and self.registers[self.HFXOSC] & _ENABLE:
            self._looks += 1
            return _ENABLE | (_READY if self._is_stable() else 0)
        return super().read(offset)

    def _is_stable(self) -> bool:
        """And the program has seen it."""
        return self._looks > _LOOKS

    def write(self, offset: int, value: int) -> None:
        if offset == self.PLL and value & self._SELECT:
            if (value ^ self.registers[self.PLL]) & (self._CRYSTAL | self._BYPASS):
                self.fault("the PLL's path is selected in the write that changes it")
            if not self._is_stable():
                self.fault("the crystal is selected before it is stable")
        super().write(offset, value)

    def hz(self) -> float:
        """0 for what a UART cannot rely on."""
        path = self._SELECT | self._CRYSTAL | self._BYPASS
        return 16e6 if self._is_stable() and self.registers[self.PLL] & path == path else 0.0


class Pins(Peripheral):
    base, size = 0x10012000, 0x1000
    IOF_EN, IOF_SEL = 0x38, 0x3C
    RX, TX = 16, 17

    def reset(self) -> None:
        self.registers = {self.IOF_EN: 0, self.IOF_SEL: 0xFFFFFFFF}

    def wrong(self, pin: int) -> str:
        if not self.registers[self.IOF_EN] >> pin & 1:
            return f"GPIO {pin} is no peripheral's"
        return (
            f"GPIO {pin} is another peripheral's" if self.registers[self.IOF_SEL] >> pin & 1 else ""
        )


class Fe310Uart(StrictUart):
    base, size = 0x10013000, 0x1000
    TXDATA, RXDATA, TXCTRL, RXCTRL, IE, DIV = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x18
    EMPTY_OR_FULL, RX_INTERRUPT = 1 << 31, 2

    def __init__(self, prci: Prci, pins: Pins) -> None:
        super().__init__(0)
        self._prci, self._pins = prci, pins

    def _is_on(self, offset: int) -> bool:
        return bool(self.registers.get(offset, 0) & 1)

    def _listens(self) -> bool:
        if not (self._is_on(self.RXCTRL) and self.has_received()):
            return False
        wrong = self._pins.wrong(Pins.RX)
        if wrong:
            self.fault(wrong)
            self.line.to_chip.clear()
        return not wrong

    def asks(self) -> bool:
        return bool(self.registers.get(self.IE, 0) & self.RX_INTERRUPT) and self._listens()

    def read(self, offset: int) -> int:
        if offset == self.TXDATA:
            return 0 if self.is_free() else self.EMPTY_OR_FULL
        if offset == self.RXDATA:
            return self.receive() if self._listens() else self.EMPTY_OR_FULL
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if offset != self.TXDATA:
            super().write(offset, value)
            return
        wrong = self._pins.wrong(Pins.TX)
        if not self._prci.hz():
            wrong = "the UART is not clocked by the crystal"
        elif not self._is_on(self.TXCTRL):
            wrong = "the transmitter is off"
        if wrong:
            self.fault(wrong)
        elif self.check_rate(self._prci.hz() / (self.registers.get(self.DIV, 0) + 1)):
            self.transmit(value & 0xFF)


class Plic(Peripheral):
    """Of hart 0, with the UART's interrupt alone."""

    base, size = 0x0C000000, 0x201000
    ENABLE, THRESHOLD, CLAIM = 0x2000, 0x200000, 0x200004

    def __init__(self, uart: Fe310Uart, irq: int) -> None:
        super().__init__()
        self._uart, self._irq = uart, irq

    def reset(self) -> None:
        self.registers = {self.THRESHOLD: 7}
        self._in_service = True

    def read(self, offset: int) -> int:
        if offset != self.CLAIM:
            return super().read(offset)
        if self.cause() is None:
            return 0
        self._in_service = True
        return self._irq

    def write(self, offset: int, value: int) -> None:
        if offset == self.CLAIM:
            self._in_service = self._in_service and value != self._irq
        else:
            super().write(offset, value)

    def cause(self) -> int | None:
        is_enabled = self.registers.get(self.ENABLE, 0) >> self._irq & 1
        priority = self.registers.get(4 * self._irq, 0)
        if self._in_service or not is_enabled or priority <= self.registers[self.THRESHOLD]:
            return None
        return _EXTERNAL if self._uart.asks() else None


def fe310(program_at: int, flash_bytes: int) -> RiscvChip:
    prci, pins = Prci(), Pins()
    uart = Fe310Uart(prci, pins)
    plic = Plic(uart, 3)
    flash = (program_at, flash_bytes)
    return RiscvChip(flash, _RAM, _REGISTERS, [prci, pins, uart, plic], uart, plic.cause)
