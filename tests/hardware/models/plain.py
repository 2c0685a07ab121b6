"""Chips that a program is only run on: their flash cannot be written."""

from __future__ import annotations

from collections.abc import Callable

from .chip import Chip, FlashController, rom_table
from .nrf5x import nrf52833
from .nrf5x_uart import nrf5x_line
from .peripheral import Peripheral
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
BOARDS: dict[str, Callable[[], Chip]] = {
    "bluepill": lambda: _chip("cortex-m3", 0x08000000, 64, 20, stm32f1_line),
    "microbit": lambda: _chip("cortex-m0", 0, 256, 16, lambda: nrf5x_line(24, 25, 1)),
    "microbit-v2": lambda: nrf52833().chip,
    "netduinoplus2": lambda: _chip("cortex-m4", 0x08000000, 1024, 128, stm32f4_line_1),
    "nucleo-f446re": lambda: _chip("cortex-m4", 0x08000000, 512, 128, lambda: stm32f4_line(2, 3)),
    "nucleo-g071rb": lambda: _chip("cortex-m0", 0x08000000, 128, 36, stm32g0_line),
    "nucleo-l432kc": lambda: _chip("cortex-m4", 0x08000000, 256, 64, stm32l4_line),
    "stm32f4-discovery": lambda: _chip(
        "cortex-m4", 0x08000000, 1024, 128, lambda: stm32f4_line(2, 3)
    ),
    "stm32vldiscovery": lambda: _chip("cortex-m3", 0x08000000, 128, 8, stm32f1_line),
}


def load(chip: Chip, program: bytes) -> None:
    """Puts the program into flash, as if a tool had, and starts it."""
    chip.flash.cells[: len(program)] = program
    chip.core.uc.mem_write(chip.flash.flash_base, program)
    chip.reset()
