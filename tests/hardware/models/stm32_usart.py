"""Strict USARTs of the STM32 with their clock gates and pins. A register whose clock is off is not
written (RM0390 6.2, RM0444 5.2), which is what most programs get wrong."""

from __future__ import annotations

from .peripheral import Peripheral
from .uart import StrictUart


class Gates(Peripheral):
    """RCC: which peripherals have a clock. `open` maps names to a register and a bit."""

    def __init__(self, base: int, open_: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self.base = base
        self._open = open_

    def is_open(self, name: str) -> bool:
        register, bit = self._open[name]
        return bool(self.registers.get(register, 0) >> bit & 1)


class Port(Peripheral):
    """A GPIO port with MODER, PUPDR and AFR registers."""

    MODER, PUPDR, AFR = 0x00, 0x0C, 0x20

    def __init__(self, base: int, gates: Gates, name: str, reset: int) -> None:
        super().__init__()
        self.base = base
        self._gates, self._name, self._reset = gates, name, reset

    def reset(self) -> None:
        """PA15 is pulled up, PA14 down: they are pins of the debug port."""
        self.registers = {self.MODER: self._reset, self.PUPDR: 0x64000000}

    def write(self, offset: int, value: int) -> None:
        if self._gates.is_open(self._name):
            super().write(offset, value)
        else:
            self.fault(f"{self._name} is written while its clock is off")

    def function(self, pin: int) -> int | None:
        """The alternate function of a pin; None when it has another mode."""
        if self.registers[self.MODER] >> 2 * pin & 3 != 2:
            return None
        return self.registers.get(self.AFR + 4 * (pin // 8), 0) >> 4 * (pin % 8) & 15

    def is_pulled_up(self, pin: int) -> bool:
        return self.registers.get(self.PUPDR, 0) >> 2 * pin & 3 == 1


class PortF1(Peripheral):
    """A GPIO port of the STM32F1, with CRL and CRH registers. RM0041 7.2."""

    CRL, ODR = 0x00, 0x0C
    _FUNCTION, _PULLED_INPUT = 0xB, 0x8

    def __init__(self, base: int, gates: Gates) -> None:
        super().__init__()
        self.base = base
        self._gates = gates

    def reset(self) -> None:
        self.registers = {0: 0x44444444, 4: 0x44444444}

    def write(self, offset: int, value: int) -> None:
        if self._gates.is_open("GPIOA"):
            super().write(offset, value)
        else:
            self.fault("GPIOA is written while its clock is off")

    def function(self, pin: int) -> int | None:
        """The configuration of a pin."""
        return self.registers[self.CRL + 4 * (pin // 8)] >> 4 * (pin % 8) & 15

    def is_pulled_up(self, pin: int) -> bool:
        return bool(self.registers.get(self.ODR, 0) >> pin & 1)


class ClocksL4(Gates):
    """RCC of the STM32L4, whose core begins at 4 MHz: RM0394 6.4.1, 6.4.3."""

    CR, CFGR = 0x00, 0x08

    def reset(self) -> None:
        super().reset()
        self._looks = self._looks_at_switch = 0

    @property
    def hz(self) -> float:
        """The core changes its clock some time after it was told to."""
        return 16e6 if self._looks_at_switch > 2 else 4e6

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset == self.CR and value & 1 << 8:
            self._looks += 1
            return value | (self._looks > 2) << 10
        if offset == self.CFGR and value & 3 == 1:
            self._looks_at_switch += 1
            return value | (self._looks_at_switch > 2) << 2
        return value

    def write(self, offset: int, value: int) -> None:
        if offset == self.CFGR and value & 3 == 1 and self._looks <= 2:
            self.fault("the oscillator is used before it is ready")
        else:
            super().write(offset, value)


class Usart(StrictUart):
    """tx, rx: (pin, alternate function). The generations differ in their registers."""

    SR = RDR = TDR = BRR = CR1 = 0
    ENABLE = 0
    TE, RE, RXNEIE = 1 << 3, 1 << 2, 1 << 5
    HAS_ROOM, IS_DONE, HAS_BYTE = 1 << 7, 1 << 6, 1 << 5

    def __init__(
        self,
        base: int,
        irq: int,
        hz: float,
        gates: Gates,
        name: str,
        port: Port | PortF1,
        tx: tuple[int, int],
        rx: tuple[int, int],
    ) -> None:
        super().__init__(hz)
        self.base, self.irq = base, irq  # type: ignore[misc]
        self._gates, self._name, self._port = gates, name, port
        self._tx, self._rx = tx, rx

    def _has_clock(self) -> bool:
        if self._gates.is_open(self._name):
            return True
        self.fault(f"{self._name} is used while its clock is off")
        return False

    def _is_on(self, bits: int) -> bool:
        return self.registers.get(self.CR1, 0) & bits == bits

    def _listens(self) -> bool:
        if not (self._is_on(self.ENABLE | self.RE) and self.has_received()):
            return False
        if self._port.function(self._rx[0]) != self._rx[1]:
            self.fault("the pin of RX has another function")
        elif not self._port.is_pulled_up(self._rx[0]):
            self.fault("the pin of RX is not pulled up")
        else:
            return True
        self.line.to_chip.clear()
        return False

    def pending(self) -> int | None:
        return self.irq if self._is_on(self.RXNEIE) and self._listens() else None

    def read(self, offset: int) -> int:
        if not self._has_clock():
            return 0
        if offset == self.SR:
            free = self.is_free()
            return free * (self.HAS_ROOM | self.IS_DONE) | self._listens() * self.HAS_BYTE
        return self.receive() if offset == self.RDR else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if not self._has_clock():
            return
        if offset == self.TDR:
            self._send(value & 0xFF)
        else:
            super().write(offset, value)

    def _send(self, byte: int) -> None:
        divisor = self.registers.get(self.BRR, 0)
        problems = (
            (not self._is_on(self.ENABLE), "UE is off"),
            (not self._is_on(self.TE), "TE is off"),
            (self._port.function(self._tx[0]) != self._tx[1], "the pin of TX has another function"),
            (divisor < 16, "the divisor is missing"),
        )
        for is_wrong, what in problems:
            if is_wrong:
                self.fault(what)
                return
        if self.check_rate(self.clock_hz() / divisor):
            self.transmit(byte)

    def clock_hz(self) -> float:
        return self._gates.hz if isinstance(self._gates, ClocksL4) else self.hz


class UsartV1(Usart):
    """F1, F2, F4. RM0390, "USART registers"."""

    SR, RDR, TDR, BRR, CR1 = 0x00, 0x04, 0x04, 0x08, 0x0C
    ENABLE = 1 << 13


class UsartV2(Usart):
    """L4, G0 and later. RM0444, "USART registers"."""

    CR1, BRR, SR, RDR, TDR = 0x00, 0x0C, 0x1C, 0x24, 0x28
    ENABLE = 1 << 0


def stm32f4_line(tx: int, rx: int) -> tuple[Usart, list[Peripheral]]:
    """USART2 on port A with function 7, at 16 MHz: RM0390 6.3.10, 6.3.13."""
    gates = Gates(0x40023800, {"GPIOA": (0x30, 0), "USART2": (0x40, 17)})
    port = Port(0x40020000, gates, "GPIOA", 0xA8000000)
    uart = UsartV1(0x40004400, 38, 16e6, gates, "USART2", port, (tx, 7), (rx, 7))
    return uart, [uart, gates, port]


def stm32f4_line_1() -> tuple[Usart, list[Peripheral]]:
    """USART1 of the STM32F4 on PA9 and PA10: RM0090 6.3.14."""
    gates = Gates(0x40023800, {"GPIOA": (0x30, 0), "USART1": (0x44, 4)})
    port = Port(0x40020000, gates, "GPIOA", 0xA8000000)
    uart = UsartV1(0x40011000, 37, 16e6, gates, "USART1", port, (9, 7), (10, 7))
    return uart, [uart, gates, port]


def stm32f1_line() -> tuple[Usart, list[Peripheral]]:
    """USART1 of the STM32F1 on PA9 and PA10 at 8 MHz: RM0041 6.3.7."""
    gates = Gates(0x40021000, {"GPIOA": (0x18, 2), "USART1": (0x18, 14)})
    port = PortF1(0x40010800, gates)
    uart = UsartV1(0x40013800, 37, 8e6, gates, "USART1", port, (9, 0xB), (10, 0x8))
    return uart, [uart, gates, port]


def stm32l4_line() -> tuple[Usart, list[Peripheral]]:
    """USART2 of the STM32L432 on PA2 and PA15: RM0394 6.4.17, 6.4.19."""
    gates = ClocksL4(0x40021000, {"GPIOA": (0x4C, 0), "USART2": (0x58, 17)})
    port = Port(0x48000000, gates, "GPIOA", 0xABFFFFFF)
    uart = UsartV2(0x40004400, 38, 16e6, gates, "USART2", port, (2, 7), (15, 3))
    return uart, [uart, gates, port]


def stm32g0_line() -> tuple[Usart, list[Peripheral]]:
    """USART2 of the STM32G071 on PA2 and PA3: RM0444 5.4.12, 5.4.15."""
    gates = Gates(0x40021000, {"GPIOA": (0x34, 0), "USART2": (0x3C, 17)})
    port = Port(0x50000000, gates, "GPIOA", 0xEBFFFFFF)
    uart = UsartV2(0x40004400, 28, 16e6, gates, "USART2", port, (2, 1), (3, 1))
    return uart, [uart, gates, port]
