"""The UART of Arm's MPS boards. Cortex-M System Design Kit (DDI 0479), 4.3 "APB UART"."""

from __future__ import annotations

from .peripheral import Peripheral
from .uart import StrictUart


class CmsdkUart(StrictUart):
    tells_end = False
    DATA, STATE, CTRL, INTCLEAR, BAUDDIV = 0x00, 0x04, 0x08, 0x0C, 0x10
    TX, RX, RX_INTERRUPT = 1, 2, 8

    def __init__(self, base: int, irq: int, hz: float) -> None:
        super().__init__(hz)
        self.base, self.irq = base, irq

    def _is_on(self, bits: int) -> bool:
        return self.registers.get(self.CTRL, 0) & bits == bits

    def reset(self) -> None:
        super().reset()
        self._asks = False

    def pending(self) -> int | None:
        """Every byte raises the request, which the program clears."""
        if self._is_on(self.RX | self.RX_INTERRUPT) and self.has_received():
            self._asks = True
        return self.irq if self._asks else None

    def read(self, offset: int) -> int:
        if offset == self.STATE:
            full = self._is_on(self.RX) and self.has_received()
            return (not self.is_free()) | full << 1
        return self.receive() if offset == self.DATA else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if offset == self.INTCLEAR:
            self._asks = False
        elif offset != self.DATA:
            super().write(offset, value)
        elif not self._is_on(self.TX):
            self.fault("the transmitter is off")
        elif self.registers.get(self.BAUDDIV, 0) < 16:
            self.fault("the divisor is missing")
        elif self.check_rate(self.hz / self.registers[self.BAUDDIV]):
            self.transmit(value & 0xFF)


def cmsdk_line(base: int, irq: int, hz: float) -> tuple[CmsdkUart, list[Peripheral]]:
    uart = CmsdkUart(base, irq, hz)
    return uart, [uart]
