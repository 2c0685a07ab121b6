"""What the strict models of UARTs have in common. They refuse what QEMU and other emulators do not
notice: a byte that is sent before clock, pins, divisor and enable bits are right is a fault, and
does not leave the chip."""

from __future__ import annotations

from .line import Line
from .peripheral import Peripheral

_MOST_PERCENT = 2.5
_POLLS_PER_BYTE = 4  # a byte has left after the program looked that often


class StrictUart(Peripheral):
    """hz: of the UART's clock. baud: of the other end."""

    irq = 0
    tells_end = True  # of the last byte's transmission

    def __init__(self, hz: float, baud: float = 115_200) -> None:
        super().__init__()
        self.hz, self.baud = hz, baud
        self.line = Line()
        self._polls = 0
        self._is_sending = False

    def connect(self, line: Line) -> None:
        self.line = line

    def reset(self) -> None:
        super().reset()
        self._polls, self._is_sending = 0, False

    def check_rate(self, rate: float) -> bool:
        if abs(rate / self.baud - 1) * 100 <= _MOST_PERCENT:
            return True
        self.fault(f"{rate:.0f} baud instead of {self.baud:.0f}")
        return False

    def is_free(self) -> bool:
        """Whether the byte before has left; called when the program looks."""
        if self._is_sending:
            self._polls += 1
            self._is_sending = self._polls < _POLLS_PER_BYTE
        return not self._is_sending

    def transmit(self, byte: int) -> None:
        if self._is_sending:
            self.fault("a byte was written before the last one had left")
            return
        self._is_sending, self._polls = True, 0
        self.line.send(byte)

    def before_reset(self) -> None:
        """The program is about to reset the chip."""
        if self.tells_end and self._is_sending:
            self.fault("reset before the last byte had left")

    def has_received(self) -> bool:
        return bool(self.line.to_chip)

    def receive(self) -> int:
        return self.line.to_chip.pop(0) if self.line.to_chip else 0
