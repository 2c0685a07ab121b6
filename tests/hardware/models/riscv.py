"""A chip with one RISC-V hart in machine mode: Unicorn executes the instructions, and takes the
traps that this file makes. The RISC-V Instruction Set Manual, Volume II, 3.1."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from unicorn import UC_ARCH_RISCV, UC_HOOK_INTR, UC_HOOK_MEM_WRITE, UC_MODE_RISCV32, Uc, UcError
from unicorn import riscv_const as riscv

from .bus import Bus
from .chip import FlashController
from .peripheral import Peripheral
from .uart import StrictUart

_MIE, _MPIE, _MPP = 1 << 3, 1 << 7, 3 << 11  # of mstatus
_END = 0xFFFFFFFC  # no code is there
_MOST_MASKED = 256  # instructions that the program does with interrupts off
_WFI = 0x10500073
_DIRTY = b"\xa5"  # RAM after power-on


class Hart:
    """wanted: the cause of the interrupt that is asked for."""

    def __init__(self, wanted: Callable[[], int | None]) -> None:
        self.uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)
        self.uc.hook_add(UC_HOOK_INTR, self._on_exception)
        self.pc = 0
        self.instructions = 0
        self.problem = ""
        self._wanted = wanted
        self._slept = False

    def reset(self, pc: int) -> None:
        self.pc, self.problem, self._slept = pc, "", False
        for register in (riscv.UC_RISCV_REG_MSTATUS, riscv.UC_RISCV_REG_MIE):
            self.uc.reg_write(register, 0)

    def run(self, count: int) -> None:
        """Executes at most `count` instructions."""
        if self.problem:
            return
        cause = self._wanted()
        if cause is not None and self._leave_masked_code():
            self._take(cause)
        self._execute(count)

    def is_asleep(self) -> bool:
        """Whether the last instruction was WFI, which Unicorn ends a run at."""
        return self._slept

    def is_masked(self) -> bool:
        return not self.uc.reg_read(riscv.UC_RISCV_REG_MSTATUS) & _MIE

    def _execute(self, count: int) -> None:
        try:
            self.uc.emu_start(self.pc, _END, count=count)
        except UcError as error:
            at = self.uc.reg_read(riscv.UC_RISCV_REG_PC)
            self.problem = self.problem or f"{error} at {at:#x}"
            return
        self.pc = self.uc.reg_read(riscv.UC_RISCV_REG_PC)
        self.instructions += count
        before = bytes(self.uc.mem_read(self.pc - 4, 4))
        self._slept = int.from_bytes(before, "little") == _WFI

    def _leave_masked_code(self) -> bool:
        """Interrupts are off while the program decides to sleep: it is stepped out of that."""
        for _ in range(_MOST_MASKED):
            if not self.is_masked():
                return True
            self._execute(1)
            if self.problem:
                return False
        return False

    def _take(self, cause: int) -> None:
        uc = self.uc
        status = uc.reg_read(riscv.UC_RISCV_REG_MSTATUS)
        uc.reg_write(riscv.UC_RISCV_REG_MSTATUS, status & ~_MIE | _MPIE | _MPP)
        uc.reg_write(riscv.UC_RISCV_REG_MEPC, self.pc)
        uc.reg_write(riscv.UC_RISCV_REG_MCAUSE, 1 << 31 | cause)
        table = uc.reg_read(riscv.UC_RISCV_REG_MTVEC)
        self.pc = (table & ~3) + (4 * cause if table & 3 == 1 else 0)

    def _on_exception(self, uc: Uc, number: int, data: object) -> None:
        at = uc.reg_read(riscv.UC_RISCV_REG_PC)
        self.problem = f"exception {number} at {at:#x}"
        uc.emu_stop()


class ReadOnlyFlash(FlashController):
    """That the program may not write."""

    base, size = 0xFFFFF000, 4

    def may_write(self) -> bool:
        return False


class RiscvChip(Bus):
    """flash: address and bytes, for fetching; ram: the same. registers: where peripherals may be.
    interrupt: the cause that they ask the hart for."""

    entry = 0  # offset of the first instruction in flash

    def __init__(
        self,
        flash: tuple[int, int],
        ram: tuple[int, int],
        registers: Sequence[tuple[int, int]],
        peripherals: Sequence[Peripheral],
        uart: StrictUart,
        interrupt: Callable[[], int | None],
    ) -> None:
        super().__init__(peripherals)
        self.lock = threading.RLock()
        self.flash = ReadOnlyFlash(*flash)
        self.uart = uart
        self.core = Hart(lambda: interrupt() if self._may_interrupt() else None)
        self._ram = ram
        uc = self.core.uc
        uc.mem_map(*flash)
        uc.mem_map(*ram)
        uc.hook_add(UC_HOOK_MEM_WRITE, self._writes_flash, None, flash[0], sum(flash) - 1)
        self.map_registers(uc, registers)
        self.reset()

    @property
    def faults(self) -> list[str]:
        core = [self.core.problem] if self.core.problem else []
        flash = self.flash.faults
        return [*core, *flash, *(text for p in self.peripherals for text in p.faults)]

    def reset(self) -> None:
        for p in self.peripherals:
            p.reset()
        self.core.uc.mem_write(self.flash.flash_base, bytes(self.flash.cells))
        self.core.uc.mem_write(self._ram[0], _DIRTY * self._ram[1])
        self.core.uc.ctl_flush_tb()
        self.core.reset(self.flash.flash_base + self.entry)

    def run(self, count: int) -> None:
        self.core.run(count)

    def _may_interrupt(self) -> bool:
        """By the `mie` of the hart, where it has one."""
        return bool(self.core.uc.reg_read(riscv.UC_RISCV_REG_MIE) >> 11 & 1)

    def _writes_flash(
        self, uc: Uc, access: int, address: int, size: int, value: int, data: object
    ) -> None:
        self.flash.program(address, value.to_bytes(8, "little", signed=value < 0)[:size])
