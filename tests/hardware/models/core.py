"""A Cortex-M core: Unicorn executes the instructions; exceptions and debug registers are here,
because Unicorn has neither. Arm DDI 0403 (ARMv7-M), B1.5.6 to B1.5.8 and C1.6."""

from __future__ import annotations

import struct
from collections.abc import Callable

from unicorn import UC_ARCH_ARM, UC_HOOK_INTR, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, UcError
from unicorn import arm_const as arm

from .peripheral import Peripheral

MODELS = {
    "cortex-m0": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
}
_GENERAL = [getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13)]
_NUMBERED = {
    **dict(enumerate(_GENERAL)),
    13: arm.UC_ARM_REG_SP,
    14: arm.UC_ARM_REG_LR,
    16: arm.UC_ARM_REG_XPSR,
    17: arm.UC_ARM_REG_MSP,
    18: arm.UC_ARM_REG_PSP,
}  # by the number of DCRSR
_STACKED = [*_GENERAL[:4], _GENERAL[12], arm.UC_ARM_REG_LR]
_RETURN = 0xFFFFFFF9  # to thread mode, main stack
_END = 0xFFFFFFF0  # of the addresses that are code
_BKPT = 7  # Unicorn's number of the exception
_THUMB = 0x01000000


class Core:
    """read_vector: a word of the vector table at its present place."""

    def __init__(self, model: str, read_word: Callable[[int], int], flash_base: int) -> None:
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(MODELS[model])
        self.uc.hook_add(UC_HOOK_INTR, self._on_exception)
        self.pc = 0
        self.instructions = 0
        self.halted = False
        self.locked = True  # after a fault, or with empty flash
        self.stale = False  # memory was written from outside
        self.debug = CoreDebug(self)
        self.system = SystemControl(self, flash_base)
        self._read_word = read_word
        self._flash_base = flash_base
        self._in_handler = False
        self._breakpoint = self._slept = False
        self.problem = ""

    def reset(self) -> None:
        sp, pc = self._read_word(self._flash_base), self._read_word(self._flash_base + 4)
        self.locked = pc == 0xFFFFFFFF
        self.halted = self._in_handler = False
        self.pc = pc & ~1
        self.system.reset()
        self.debug.was_reset = True
        if not self.locked:
            self.uc.reg_write(arm.UC_ARM_REG_SP, sp & ~3)
            self.uc.reg_write(arm.UC_ARM_REG_PRIMASK, 0)
        if self.debug.catches_reset:
            self.halted = True
            self.debug.stopped(8)

    def get(self, number: int) -> int:
        """A register by the number of DCRSR."""
        if number == 15:
            return self.pc
        if number == 20:
            return self.uc.reg_read(arm.UC_ARM_REG_PRIMASK)
        value = self.uc.reg_read(_NUMBERED[number]) if number in _NUMBERED else 0
        return value | _THUMB if number == 16 else value

    def set(self, number: int, value: int) -> None:
        if number == 15:
            self.pc, self.locked = value & ~1, False
        elif number == 20:
            self.uc.reg_write(arm.UC_ARM_REG_PRIMASK, value & 1)
        elif number in _NUMBERED and number != 16:
            self.uc.reg_write(_NUMBERED[number], value)

    def run(self, count: int, irq: int | None = None) -> None:
        """Executes at most `count` instructions; irq: an interrupt that is asked for."""
        if self.halted or self.locked:
            return
        if irq is not None and not self._in_handler and self.system.is_enabled(irq):
            self._take(irq)
        if self.stale:
            self.uc.ctl_flush_tb()
            self.stale = False
        self._breakpoint = self._slept = False
        try:
            self.uc.emu_start(self.pc | 1, _END, count=count)
        except UcError as error:
            if self.uc.reg_read(arm.UC_ARM_REG_PC) < _END:
                self.locked = True
                self.problem = f"{error} at {self.uc.reg_read(arm.UC_ARM_REG_PC):#x}"
        self.pc = self.uc.reg_read(arm.UC_ARM_REG_PC) & ~1
        self.instructions += count
        self._slept = self.pc >= 2 and self._read_word(self.pc - 2 & ~3) >> 8 * (
            self.pc - 2 & 2
        ) & 0xFFFF in (0xBF30, 0xBF20)
        if self.pc >= _END and self._in_handler:
            self._return()
        if self._breakpoint:
            self._stop_at_breakpoint()

    def is_asleep(self) -> bool:
        """Whether the last instruction was WFI or the like, which Unicorn ends a run at, or the
        core does not run at all."""
        return self._slept or self.halted or self.locked

    def is_masked(self) -> bool:
        return bool(self.uc.reg_read(arm.UC_ARM_REG_PRIMASK) & 1)

    def _take(self, irq: int) -> None:
        """Interrupts are off while the program decides to sleep: it is stepped out of that."""
        for _ in range(64):
            if not self.is_masked():
                break
            self.uc.emu_start(self.pc | 1, _END, count=1)
            self.pc = self.uc.reg_read(arm.UC_ARM_REG_PC) & ~1
        if self.is_masked():
            return
        sp = self.uc.reg_read(arm.UC_ARM_REG_SP)
        padded = bool(sp & 4)
        sp -= 36 if padded else 32
        xpsr = self.uc.reg_read(arm.UC_ARM_REG_XPSR) & ~0x200 | _THUMB | (0x200 if padded else 0)
        stacked = [self.uc.reg_read(r) for r in _STACKED]
        self.uc.mem_write(sp, struct.pack("<8I", *stacked, self.pc, xpsr))
        self.uc.reg_write(arm.UC_ARM_REG_SP, sp)
        self.uc.reg_write(arm.UC_ARM_REG_LR, _RETURN)
        self.pc = self._read_word(self.system.vector_table + 4 * (16 + irq)) & ~1
        self._in_handler = True

    def _return(self) -> None:
        sp = self.uc.reg_read(arm.UC_ARM_REG_SP)
        *stacked, pc, xpsr = struct.unpack("<8I", bytes(self.uc.mem_read(sp, 32)))
        for register, value in zip(_STACKED, stacked, strict=True):
            self.uc.reg_write(register, value)
        self.uc.reg_write(arm.UC_ARM_REG_SP, sp + (36 if xpsr & 0x200 else 32))
        flags = self.uc.reg_read(arm.UC_ARM_REG_XPSR) & 0x07FFFFFF
        self.uc.reg_write(arm.UC_ARM_REG_XPSR, flags | xpsr & 0xF8000000)
        self.pc = pc & ~1
        self._in_handler = False

    def _on_exception(self, uc: Uc, number: int, data: object) -> None:
        self._breakpoint = number == _BKPT
        if number not in (_BKPT, 8):
            self.locked, self.problem = True, f"exception {number} at {self.pc:#x}"
        uc.emu_stop()

    def _is_breakpoint(self, address: int) -> bool:
        return self.uc.mem_read(address, 2)[1] == 0xBE

    def _stop_at_breakpoint(self) -> None:
        if not self._is_breakpoint(self.pc):
            self.pc -= 2
        if self.debug.is_on:
            self.halted = True
            self.debug.stopped(2)


class CoreDebug(Peripheral):
    """DHCSR, DCRSR, DCRDR, DEMCR and DFSR."""

    base, size = 0xE000ED30, 0xD0
    DFSR, DHCSR, DCRSR, DCRDR, DEMCR = 0x00, 0xC0, 0xC4, 0xC8, 0xCC
    _KEY = 0xA05F

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._core = core
        self._control = 0
        self.was_reset = True

    @property
    def is_on(self) -> bool:
        return bool(self._control & 1)

    @property
    def catches_reset(self) -> bool:
        return bool(self.registers.get(self.DEMCR, 0) & 1) and self.is_on

    def stopped(self, reason: int) -> None:
        """The core has halted; hardware then sets C_HALT too."""
        self.registers[self.DFSR] = self.registers.get(self.DFSR, 0) | reason
        self._control |= 2

    def halt(self) -> None:
        self._control |= 3
        self._core.halted = True

    def read(self, offset: int) -> int:
        if offset != self.DHCSR:
            return super().read(offset)
        value = self._control & 0xF | 1 << 16 | self._core.halted << 17 | self.was_reset << 25
        self.was_reset = False
        return value

    def write(self, offset: int, value: int) -> None:
        if offset == self.DHCSR:
            if value >> 16 == self._KEY:
                self._run_control(value & 0xF)
        elif offset == self.DFSR:
            self.registers[offset] = self.registers.get(offset, 0) & ~value
        elif offset == self.DCRSR and value & 0x10000:
            self._core.set(value & 0x7F, self.registers.get(self.DCRDR, 0))
        elif offset == self.DCRSR:
            self.registers[self.DCRDR] = self._core.get(value & 0x7F)
        else:
            self.registers[offset] = value

    def _run_control(self, control: int) -> None:
        was_halted = self._core.halted
        self._control = control
        if control & 1 and control & 4 and was_halted:
            self._core.halted = False
            self._core.run(1)
            self._core.halted = True
            self.stopped(1)
        else:
            self._core.halted = control & 3 == 3
            if self._core.halted and not was_halted:
                self.stopped(1)

    def reset(self) -> None:
        pass


class SystemControl(Peripheral):
    """VTOR, AIRCR, CPUID and the enable registers of the NVIC."""

    base, size = 0xE000E000, 0xD30
    ISER, ICER, CPUID, VTOR, AIRCR = 0x100, 0x180, 0xD00, 0xD08, 0xD0C

    def __init__(self, core: Core, flash_base: int) -> None:
        super().__init__()
        self._core = core
        self._flash_base = flash_base
        self._enabled: set[int] = set()
        self.vector_table = flash_base
        self.cpuid = 0
        self.wants_reset = False

    def is_enabled(self, irq: int) -> bool:
        return irq in self._enabled

    def read(self, offset: int) -> int:
        if offset == self.CPUID:
            return self.cpuid
        if offset == self.VTOR:
            return self.vector_table
        return 0xFA050000 if offset == self.AIRCR else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        for begin, change in ((self.ISER, self._enabled.add), (self.ICER, self._enabled.discard)):
            if begin <= offset < begin + 0x20:
                for bit in range(32):
                    if value >> bit & 1:
                        change(8 * (offset - begin) + bit)
        if offset == self.VTOR:
            self.vector_table = value
        elif offset == self.AIRCR and value >> 16 == 0x05FA and value & 5:
            self.wants_reset = True
            self._core.uc.emu_stop()
        else:
            super().write(offset, value)

    def reset(self) -> None:
        self._enabled.clear()
        self.vector_table = self._flash_base
        self.wants_reset = False
