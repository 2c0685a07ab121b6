"""Chips that a program is only run on: their flash cannot be written."""

from __future__ import annotations

from collections.abc import Callable

from .chip import Chip, FlashController, rom_table
from .cmsdk_uart import cmsdk_line
from .esp32c3 import Esp32c3
from .fe310 import fe310
from .nrf5x import nrf52833, nrf52840
from .nrf5x_uart import nrf5x_line
from .peripheral import Peripheral
from .pl011_uart import lm3s_line
from .ra4m1 import Ra4m1
from .riscv import RiscvChip
from .rp2040 import Rp2040
from .rp2350 import rp2350
from .stm32_usart import (
    stm32f1_line,
    stm32f4_line,
    stm32f4_line_1,
    stm32g0_line,
    stm32l4_line,
)
from .uart import StrictUart

_Line = Callable[[], tuple[StrictUart, list[Peripheral]]]


class ReadOnlyFlash(FlashController):
    base, size = 0x400FF000, 4

    def may_write(self) -> bool:
        return False


def _chip(cpu: str, flash_base: int, flash_kb: int, ram_kb: int, line: _Line) -> Chip:
    uart, peripherals = line()
    return Chip(
        cpu,
        ReadOnlyFlash(flash_base, 1024 * flash_kb),
        1024 * ram_kb,
        peripherals,
        cpuid=0x410FC241,
        rom_table=rom_table(0x4C4),
        uart=uart,
    )


# By the name of the board that has it.
BOARDS: dict[str, Callable[[], Chip | RiscvChip]] = {
    "arduino-nano-33-ble": lambda: nrf52840(35, 42).chip,
    "arduino-uno-r4-minima": Ra4m1,
    "bluepill": lambda: _chip("cortex-m3", 0x08000000, 64, 20, stm32f1_line),
    "esp32-c3-devkit": Esp32c3,
    "hifive1-revb": lambda: fe310(0x20010000, 1 << 20),
    "lm3s6965evb": lambda: _chip("cortex-m3", 0, 256, 64, lm3s_line),
    "microbit": lambda: _chip("cortex-m0", 0, 256, 16, lambda: nrf5x_line(24, 25, 1)),
    "microbit-v2": lambda: nrf52833().chip,
    "mps2-an386": lambda: _chip(
        "cortex-m4", 0, 4096, 4096, lambda: cmsdk_line(0x40004000, 0, 25e6)
    ),
    "netduinoplus2": lambda: _chip("cortex-m4", 0x08000000, 1024, 128, stm32f4_line_1),
    "nrf52840-dk": lambda: nrf52840().chip,
    "nucleo-f446re": lambda: _chip("cortex-m4", 0x08000000, 512, 128, lambda: stm32f4_line(2, 3)),
    "nucleo-g071rb": lambda: _chip("cortex-m0", 0x08000000, 128, 36, stm32g0_line),
    "nucleo-l432kc": lambda: _chip("cortex-m4", 0x08000000, 256, 64, stm32l4_line),
    "pico-uart": Rp2040,
    "pico2-uart": rp2350,
    "sifive_e": lambda: fe310(0x20400000, 1 << 20),
    "stm32f4-discovery": lambda: _chip(
        "cortex-m4", 0x08000000, 1024, 128, lambda: stm32f4_line(2, 3)
    ),
    "stm32vldiscovery": lambda: _chip("cortex-m3", 0x08000000, 128, 8, stm32f1_line),
}


def load(chip: Chip | RiscvChip, program: bytes, origin: int) -> None:
    """Puts the program into flash, as if a tool had, and starts it. A program that is not at the
    beginning of flash is started by a boot loader."""
    at = origin - chip.flash.flash_base
    chip.flash.cells[at : at + len(program)] = program
    if at:
        chip.flash.cells[:8] = program[:8]
    chip.core.uc.mem_write(chip.flash.flash_base, bytes(chip.flash.cells))
    chip.reset()
