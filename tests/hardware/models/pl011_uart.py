"""Arm's PrimeCell UART (DDI 0183), and what the LM3S6965 has around it."""

from __future__ import annotations

from collections.abc import Callable

from .peripheral import Peripheral
from .uart import StrictUart


class Pl011Uart(StrictUart):
    """clock_hz: of UARTCLK, 0 while it does not run. is_ready: whether the pins are its own; it
    names what is wrong."""

    size = 0x1000
    DR, FR, IBRD, FBRD, LCRH, CR = 0x00, 0x18, 0x24, 0x28, 0x2C, 0x30
    IFLS, IMSC, MIS, ICR = 0x34, 0x38, 0x40, 0x44
    RX_INTERRUPT, TIMEOUT_INTERRUPT = 1 << 4, 1 << 6
    EIGHT_BITS = 3 << 5

    def __init__(
        self, base: int, irq: int, clock_hz: Callable[[], float], wrong: Callable[[bool], str]
    ) -> None:
        super().__init__(0)
        self.base, self.irq = base, irq
        self._clock_hz, self._wrong = clock_hz, wrong

    def reset(self) -> None:
        super().reset()
        self._divisor = 0

    def _is_on(self, bit: int) -> bool:
        return self.registers.get(self.CR, 0) & (1 | bit) == 1 | bit

    def _listens(self) -> bool:
        if not (self._is_on(1 << 9) and self.has_received()):
            return False
        what = self._wrong(False)
        if what:
            self.fault(what)
            self.line.to_chip.clear()
        return not what

    def pending(self) -> int | None:
        """Few bytes ask by the time-out alone."""
        few = len(self.line.to_chip) < 8
        wanted = self.TIMEOUT_INTERRUPT if few else self.TIMEOUT_INTERRUPT | self.RX_INTERRUPT
        mask = self.registers.get(self.IMSC, 0)
        return self.irq if mask & wanted and self._listens() else None

    def read(self, offset: int) -> int:
        if offset == self.FR:
            busy = not self.is_free()
            return busy << 3 | (not self._listens()) << 4 | busy << 5
        return self.receive() if offset == self.DR else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if not self._clock_hz():
            self.fault("the UART is written while its clock is off")
        elif offset == self.DR:
            self._send(value & 0xFF)
        else:
            super().write(offset, value)
            if offset == self.LCRH:  # makes the divisor valid
                whole, rest = (self.registers.get(r, 0) for r in (self.IBRD, self.FBRD))
                self._divisor = 64 * whole + rest

    def _send(self, byte: int) -> None:
        wrong = self._wrong(True)
        if not self._is_on(1 << 8):
            wrong = "the transmitter is off"
        elif self.registers.get(self.LCRH, 0) & self.EIGHT_BITS != self.EIGHT_BITS:
            wrong = "the UART has no 8 bits"
        elif not self._divisor:
            wrong = "the divisor is missing, or written after LCRH"
        if wrong:
            self.fault(wrong)
        elif self.check_rate(4 * self._clock_hz() / self._divisor):
            self.transmit(byte)


class Lm3sSystem(Peripheral):
    """Oscillators and clock gates. Data sheet, "System Control"."""

    base, size = 0x400FE000, 0x1000
    RCC, RCGC1, RCGC2 = 0x060, 0x104, 0x108

    def reset(self) -> None:
        self.registers = {self.RCC: 0x078E3AD1}  # the internal oscillator

    def hz(self) -> float:
        """0 for the internal oscillator, on which nothing can rely."""
        rcc = self.registers[self.RCC]
        is_crystal = rcc >> 4 & 3 == 0 and rcc >> 6 & 15 == 14 and rcc >> 11 & 1
        return 8e6 if is_crystal and self.registers.get(self.RCGC1, 0) & 1 else 0.0


class Lm3sPort(Peripheral):
    base, size = 0x40004000, 0x1000
    AFSEL, PUR, DEN = 0x420, 0x510, 0x51C

    def __init__(self, system: Lm3sSystem) -> None:
        super().__init__()
        self._system = system

    def write(self, offset: int, value: int) -> None:
        if self._system.registers.get(Lm3sSystem.RCGC2, 0) & 1:
            super().write(offset, value)
        else:
            self.fault("GPIOA is written while its clock is off")

    def wrong(self, is_tx: bool) -> str:
        bit = 2 if is_tx else 1
        names = ((self.AFSEL, "AFSEL"), (self.DEN, "DEN"), *(() if is_tx else ((self.PUR, "PUR"),)))
        missing = [name for at, name in names if not self.registers.get(at, 0) & bit]
        return f"{missing[0]} lacks PA{int(is_tx)}" if missing else ""


def lm3s_line() -> tuple[Pl011Uart, list[Peripheral]]:
    system = Lm3sSystem()
    port = Lm3sPort(system)
    uart = Pl011Uart(0x4000C000, 5, system.hz, port.wrong)
    return uart, [uart, system, port]
