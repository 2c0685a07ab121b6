"""The debug port and memory access port of a chip. Arm IHI 0031 (ADIv5)."""

from __future__ import annotations

from .chip import Chip

_ROM_TABLE = 0xE00FF003


class DebugPort:
    """dpidr, idr: identification of the debug port and of its access port. control_ap: registers of
    a second access port that the vendor put in."""

    def __init__(
        self,
        chip: Chip,
        dpidr: int,
        idr: int = 0x24770011,
        control_ap: dict[int, int] | None = None,
    ) -> None:
        self.chip = chip
        self.dpidr = dpidr
        self.error = False
        self._idr = idr
        self._control_ap = control_ap or {}
        self._select = self._control = self._address = 0
        self._csw = 0x23000052

    def read(self, is_ap: bool, address: int) -> int:
        if is_ap:
            return self._ap_read(self._select & 0xF0 | address)
        power = self._control & 0x50000000
        return {0: self.dpidr, 4: power | power << 1 | self.error << 5}.get(address, 0)

    def write(self, is_ap: bool, address: int, value: int) -> None:
        if is_ap:
            self._ap_write(self._select & 0xF0 | address, value)
        elif address == 0 and value & 4:
            self.error = False
        elif address == 4:
            self._control = value
        elif address == 8:
            self._select = value

    def _ap_read(self, register: int) -> int:
        port = self._select >> 24
        if port:
            return self._control_ap.get(register, 0) if port == 1 else 0
        if register == 0x0C:
            return self._transfer(None)
        if 0x10 <= register <= 0x1C:
            return self._memory(self._address & ~15 | register & 0xF, 4)
        known = {0x00: self._csw | 0x40, 0x04: self._address, 0xF8: _ROM_TABLE, 0xFC: self._idr}
        return known.get(register, 0)

    def _ap_write(self, register: int, value: int) -> None:
        if self._select >> 24:
            return
        if register == 0x00:
            self._csw = value
        elif register == 0x04:
            self._address = value
        elif register == 0x0C:
            self._transfer(value)
        elif 0x10 <= register <= 0x1C:
            self.chip.write(self._address & ~15 | register & 0xF, 4, value)

    def _memory(self, address: int, size: int) -> int:
        value = self.chip.read(address, size)
        self.error = self.error or value is None
        return value or 0

    def _transfer(self, value: int | None) -> int:
        """One access of DRW: a word, or with packed increments several smaller values in it."""
        size = 1 << (self._csw & 7)
        increment = self._csw >> 4 & 3
        result = 0
        for _ in range(4 // size if increment == 2 else 1):
            shift = 8 * (self._address & 3)
            if value is None:
                result |= self._memory(self._address, size) << (shift if size < 4 else 0)
            else:
                part = value >> shift & (1 << 8 * size) - 1 if size < 4 else value
                self.chip.write(self._address, size, part)
            if increment:
                page = self._address & ~0xFFF
                self._address = page | self._address + size & 0xFFF
        return result
