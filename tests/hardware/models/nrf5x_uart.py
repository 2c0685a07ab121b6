"""The UART of the nRF51 and nRF52 without DMA. Product specification, "UART"."""

from __future__ import annotations

from .peripheral import Peripheral
from .uart import StrictUart

# PIN_CNF: DIR, INPUT (0: connected), PULL.
_OUTPUT = 1
_INPUT_BITS, _INPUT_PULLED_UP = 0xF, 0xC


class Nrf5xUart(StrictUart):
    """tx, rx: the pins that the board's probe is wired to, port * 32 + pin."""

    base, size, irq = 0x40002000, 0x1000, 2
    STARTRX, STARTTX, RXDRDY, TXDRDY = 0x000, 0x008, 0x108, 0x11C
    INTENSET, ENABLE, PSELTXD, PSELRXD, RXD, TXD = 0x304, 0x500, 0x50C, 0x514, 0x518, 0x51C
    BAUDRATE = 0x524

    def __init__(self, tx: int, rx: int, clock: HighFrequencyClock, ports: list[Pins]) -> None:
        super().__init__(16e6)
        self._tx, self._rx = tx, rx
        self._clock, self._ports = clock, ports
        self._sends = self._listens = self._has_event = self._has_sent = self._sending = False

    def reset(self) -> None:
        super().reset()
        self.registers[self.ENABLE] = 8  # as a boot loader leaves it: with DMA
        self._sends = self._listens = self._has_event = self._has_sent = self._sending = False

    def pending(self) -> int | None:
        wants = self.registers.get(self.INTENSET, 0) & 4 and self._ready()
        return self.irq if wants else None

    def _ready(self) -> bool:
        if not (self._listens and self.has_received()):
            return self._has_event
        if self.registers.get(self.PSELRXD) != self._rx:
            self.fault("the pin of RXD is not the one that the probe is wired to")
        elif self._configured(self._rx) & _INPUT_BITS != _INPUT_PULLED_UP:
            self.fault("the pin of RXD is no input that is pulled up")
        else:
            self._has_event = True
            return True
        self.line.to_chip.clear()
        return False

    def read(self, offset: int) -> int:
        if offset == self.TXDRDY:
            was_sending = not self.is_free()
            self._has_sent = self._has_sent or (self._sending and not was_sending)
            self._sending = was_sending
            return self._has_sent
        if offset == self.RXDRDY:
            return self._ready()
        if offset == self.RXD:
            return self.receive()
        default = 0xFFFFFFFF if offset in (self.PSELTXD, self.PSELRXD) else 0
        return self.registers.get(offset, default)

    def write(self, offset: int, value: int) -> None:
        is_on = self.registers.get(self.ENABLE) == 4
        if offset == self.STARTTX:
            self._sends = is_on
        elif offset == self.STARTRX:
            self._listens = is_on
        elif offset == self.RXDRDY:
            self._has_event = bool(value)
        elif offset == self.TXD:
            self._send(value & 0xFF)
        elif offset == self.TXDRDY:
            self._has_sent = bool(value)
        elif offset in (self.PSELTXD, self.PSELRXD) and self.registers[self.ENABLE]:
            self.fault("a pin is chosen while the UART is on")
        else:
            super().write(offset, value)

    def _send(self, byte: int) -> None:
        rate = (self.registers.get(self.BAUDRATE, 0x04000000) + 0x800) * 16e6 / 2**32
        problems = (
            (self.registers.get(self.ENABLE) != 4, "ENABLE is not 4"),
            (not self._sends, "STARTTX is missing"),
            (self.registers.get(self.PSELTXD) != self._tx, "the pin of TXD is another"),
            (not self._clock.runs, "the crystal does not run"),
            (not self._configured(self._tx) & _OUTPUT, "the pin of TXD is no output"),
            (not self._port(self._tx).idles_high(self._tx % 32), "the pin of TXD idles low"),
        )
        for is_wrong, what in problems:
            if is_wrong:
                self.fault(what)
                return
        if self.check_rate(rate):
            self.transmit(byte)
            self._sending = True

    def _port(self, pin: int) -> Pins:
        return self._ports[pin // 32]

    def _configured(self, pin: int) -> int:
        return self._port(pin).configured(pin % 32)


class HighFrequencyClock(Peripheral):
    """CLOCK, as far as the crystal goes: task HFCLKSTART, event HFCLKSTARTED."""

    base, size = 0x40000000, 0x1000
    HFCLKSTART, HFCLKSTARTED = 0x000, 0x100
    runs = False

    def reset(self) -> None:
        super().reset()
        self.runs = False
        self._looks = 0
        self._event = True  # left by a boot loader

    def read(self, offset: int) -> int:
        """The crystal runs when the program has looked a few times."""
        if offset != self.HFCLKSTARTED:
            return super().read(offset)
        if self._looks:
            self._looks += 1
            self.runs = self._looks > 4
            self._event = self._event or self.runs
        return self._event

    def write(self, offset: int, value: int) -> None:
        if offset == self.HFCLKSTART and value:
            self._looks = 1
        elif offset == self.HFCLKSTARTED:
            self._event = bool(value)
        else:
            super().write(offset, value)


class Timer0(Peripheral):
    """Counts 16 million per second, here an instruction each."""

    base, size = 0x40008000, 0x1000
    CAPTURE0, CC0 = 0x040, 0x540

    def __init__(self) -> None:
        super().__init__()
        self._now = 0

    def write(self, offset: int, value: int) -> None:
        if self.CAPTURE0 <= offset < self.CAPTURE0 + 16:
            self._now = self._now + 16 & 0xFFFFFFFF
            self.registers[self.CC0 + offset - self.CAPTURE0] = self._now
        else:
            super().write(offset, value)


class Pins(Peripheral):
    """One GPIO port."""

    size = 0x300
    OUTSET = 0x008
    _out = 0

    def __init__(self, base: int) -> None:
        super().__init__()
        self.base = base

    def write(self, offset: int, value: int) -> None:
        if offset == self.OUTSET:
            self._out |= value
        else:
            super().write(offset, value)

    def idles_high(self, pin: int) -> bool:
        return bool(self._out >> pin & 1)

    def configured(self, pin: int) -> int:
        return self.registers.get(0x200 + 4 * pin, 2)


def nrf5x_line(tx: int, rx: int, n_ports: int) -> tuple[Nrf5xUart, list[Peripheral]]:
    """The UART, and it with all that it depends on."""
    clock = HighFrequencyClock()
    ports = [Pins(0x50000500 + 0x300 * i) for i in range(n_ports)]
    uart = Nrf5xUart(tx, rx, clock, ports)
    return uart, [uart, clock, Timer0(), *ports]
