"""What lies on a chip's bus besides memory."""

from __future__ import annotations


class Peripheral:
    """Registers of 32 bits from `base` on. `faults` lists what the program did wrong."""

    base = 0
    size = 0x400
    is_narrow = False
    """Whether registers of 8 and 16 bits have offsets of their own."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.registers: dict[int, int] = {}

    def read(self, offset: int) -> int:
        return self.registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.registers[offset] = value

    def reset(self) -> None:
        self.registers.clear()

    def fault(self, what: str) -> None:
        if what not in self.faults:
            self.faults.append(what)

    def pending(self) -> int | None:
        """Number of the interrupt that it asks for."""
        return None


class Fixed(Peripheral):
    """Read-only registers."""

    def __init__(self, base: int, size: int, values: dict[int, int], other: int = 0) -> None:
        super().__init__()
        self.base, self.size = base, size
        self._values, self._other = values, other

    def read(self, offset: int) -> int:
        return self._values.get(offset, self._other)

    def write(self, offset: int, value: int) -> None:
        pass

    def reset(self) -> None:
        pass
