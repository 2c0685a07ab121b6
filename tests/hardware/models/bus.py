"""The bus of a chip: where its peripherals are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unicorn import Uc

from .peripheral import Peripheral


class Bus:
    """Registers that no peripheral has read 0."""

    def __init__(self, peripherals: Sequence[Peripheral]) -> None:
        self.peripherals = list(peripherals)

    def map_registers(self, uc: Uc, regions: Iterable[tuple[int, int]]) -> None:
        for base, size in regions:
            uc.mmio_map(base, size, self._reader(base), None, self._writer(base), None)

    def _reader(self, base: int):  # type: ignore[no-untyped-def]
        def read(uc: Uc, offset: int, size: int, data: object) -> int:
            return self.register(base + offset, size)

        return read

    def _writer(self, base: int):  # type: ignore[no-untyped-def]
        def write(uc: Uc, offset: int, size: int, value: int, data: object) -> None:
            self.set_register(base + offset, value)

        return write

    def _at(self, address: int) -> Peripheral | None:
        return next((p for p in self.peripherals if p.base <= address < p.base + p.size), None)

    def register(self, address: int, size: int) -> int:
        p = self._at(address & ~3)
        if p is not None and p.is_narrow:
            return p.read(address - p.base) & (1 << 8 * size) - 1
        word = 0 if p is None else p.read((address & ~3) - p.base)
        return word >> 8 * (address & 3) & (1 << 8 * size) - 1

    def set_register(self, address: int, value: int) -> None:
        p = self._at(address & ~3)
        if p is not None:
            p.write((address if p.is_narrow else address & ~3) - p.base, value)
