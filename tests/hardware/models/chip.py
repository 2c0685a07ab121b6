"""A microcontroller: a core, flash with its controller, RAM, and peripherals on one bus."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from unicorn import UC_HOOK_MEM_WRITE, Uc

from .bus import Bus
from .core import Core
from .peripheral import Fixed, Peripheral
from .uart import StrictUart

RAM_BASE = 0x20000000
# Where every chip has peripherals; registers that no model has read 0.
_REGIONS = (
    (0x40000000, 0x200000),
    (0x50000000, 0x10000),
    (0xE0000000, 0x100000),
    (0xF0000000, 0x1000),  # identification of Nordic's chips
)


class FlashController(Peripheral):
    """Cells go from 1 to 0 when they are written, and back when they are erased, both only when the
    program has unlocked the controller as the chip's manual says."""

    def __init__(self, base: int, bytes_: int) -> None:
        super().__init__()
        self.flash_base = base
        self.cells = bytearray(b"\xff" * bytes_)
        self.written = self.erased = 0

    def may_write(self) -> bool:
        raise NotImplementedError

    def program(self, address: int, data: bytes) -> None:
        """A store by the core or the debugger."""
        if not self.may_write():
            self.fault(f"flash written at {address:#x} while locked")
            return
        at = address - self.flash_base
        for i, byte in enumerate(data):
            self.cells[at + i] &= byte
        self.written += len(data)

    def erase(self, address: int, n: int) -> None:
        at = address - self.flash_base
        self.cells[at : at + n] = b"\xff" * n
        self.erased += n

    def erase_all(self) -> None:
        self.erase(self.flash_base, len(self.cells))


class Chip(Bus):
    def __init__(
        self,
        cpu: str,
        flash: FlashController,
        ram_bytes: int,
        peripherals: Sequence[Peripheral],
        *,
        cpuid: int,
        rom_table: Sequence[Peripheral],
        uart: StrictUart,
    ) -> None:
        self.lock = threading.RLock()  # the probe and the core take turns
        self.flash = flash
        self.uart = uart
        self._seen_erased = 0
        self.ram_bytes = ram_bytes
        self.core = Core(cpu, lambda a: self.read(a, 4) or 0, flash.flash_base)
        self.core.system.cpuid = cpuid
        super().__init__(
            [*peripherals, flash, self.core.debug, self.core.system, *rom_table],
        )
        self._dirty: list[tuple[int, int]] = []
        self._map()
        self.reset()

    @property
    def faults(self) -> list[str]:
        core = [self.core.problem] if self.core.problem else []
        return core + [text for p in self.peripherals for text in p.faults]

    def _map(self) -> None:
        uc, flash = self.core.uc, self.flash
        uc.mem_map(flash.flash_base, len(flash.cells))
        uc.mem_write(flash.flash_base, bytes(flash.cells))
        uc.mem_map(RAM_BASE, -(-self.ram_bytes // 4096) * 4096)
        end = flash.flash_base + len(flash.cells) - 1
        uc.hook_add(UC_HOOK_MEM_WRITE, self._core_wrote_flash, None, flash.flash_base, end)
        regions = list(_REGIONS)
        for p in self.peripherals:
            if not any(base <= p.base < base + size for base, size in regions):
                regions.append((p.base & ~0xFFF, 0x1000))
        self.map_registers(uc, regions)

    def _core_wrote_flash(
        self, uc: Uc, access: int, address: int, size: int, value: int, data: object
    ) -> None:
        """Unicorn's own write is put right after the run; a write within this hook corrupts."""
        masked = value & (1 << 8 * size) - 1
        self.flash.program(address, masked.to_bytes(size, "little"))
        self._dirty.append((address, size))

    def _settle(self) -> None:
        """Makes the core's flash what the cells hold."""
        if self.flash.erased != self._seen_erased:
            self._seen_erased = self.flash.erased
            self.core.uc.mem_write(self.flash.flash_base, bytes(self.flash.cells))
            self.core.stale = True
        for address, size in self._dirty:
            at = address - self.flash.flash_base
            self.core.uc.mem_write(address, bytes(self.flash.cells[at : at + size]))
        self._dirty.clear()

    # ---- what a debug probe does ----

    def reset(self) -> None:
        for p in self.peripherals:
            p.reset()
        self._settle()
        self.core.reset()

    def run(self, count: int) -> None:
        self._settle()
        irq = next((n for p in self.peripherals if (n := p.pending()) is not None), None)
        self.core.run(count, irq)
        self._settle()
        if self.core.system.wants_reset:
            self.uart.before_reset()
            self.reset()

    def read(self, address: int, size: int) -> int | None:
        """None: there is nothing at the address."""
        if self._in_flash(address):
            at = address - self.flash.flash_base
            return int.from_bytes(self.flash.cells[at : at + size], "little")
        if RAM_BASE <= address < RAM_BASE + self.ram_bytes:
            return int.from_bytes(self.core.uc.mem_read(address, size), "little")
        return self.register(address, size)

    def write(self, address: int, size: int, value: int) -> None:
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        if self._in_flash(address):
            self.flash.program(address, data)
            self._dirty.append((address, size))
        elif RAM_BASE <= address < RAM_BASE + self.ram_bytes:
            self.core.uc.mem_write(address, data)
            self.core.stale = True
        else:
            self.set_register(address, value)
        if self.core.system.wants_reset:
            self.reset()

    def _in_flash(self, address: int) -> bool:
        begin = self.flash.flash_base
        return begin <= address < begin + len(self.flash.cells)


def rom_table(part: int, has_fpb: bool = True) -> list[Peripheral]:
    """The ROM table of Arm's processors, and the identification of what it points to: IHI 0031, D3.
    part: of the processor's table, such as 0x4C4 of the Cortex-M4."""
    table = {
        0x000: 0xFFF0F003,  # system control space
        0x004: 0xFFF02003,  # watchpoints
        0x008: 0xFFF03003,  # breakpoints
        0xFCC: 1,
    }
    found: list[Peripheral] = [
        Fixed(0xE00FF000, 0x1000, table | identification(part, 0x10)),
        Fixed(0xE0001000, 0x1000, {0: 0x40000000} | identification(0x002, 0xE0)),
        Breakpoints(0x260 if has_fpb else 0),
        Fixed(0xE000EE00, 0x200, _system_space()),
    ]
    return found


def _system_space() -> dict[int, int]:
    values = {at - 0xE00: value for at, value in identification(0x00C, 0xE0).items()}
    return values | {0x140: 0x10110021, 0x144: 0x11000011}  # floating point, MVFR0 and 1


def identification(part: int, component: int) -> dict[int, int]:
    """CoreSight's PIDR and CIDR of a part of Arm."""
    return {
        0xFD0: 4,
        0xFE0: part & 0xFF,
        0xFE4: 0xB0 | part >> 8,
        0xFE8: 0x0B,
        0xFF0: 0x0D,
        0xFF4: component,
        0xFF8: 0x05,
        0xFFC: 0xB1,
    }


class Breakpoints(Peripheral):
    """The flash patch and breakpoint unit: that it exists."""

    base, size = 0xE0002000, 0x1000

    def __init__(self, control: int) -> None:
        super().__init__()
        self._control = control

    def read(self, offset: int) -> int:
        if offset == 0:
            return self._control | self.registers.get(0, 0) & 1
        return identification(0x003, 0xE0).get(offset, self.registers.get(offset, 0))
