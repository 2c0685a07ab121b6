"""The C library is free of warnings under the strict flags, for every kind of CPU it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from c_build import BOARD, INCLUDES, STRICT, compile_c, library_sources, missing

TARGETS = {
    "gcc": ("gcc", "-O2"),
    "clang": ("clang", "-O2"),
    "cortex-m0": ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb", "-Os"),
    "cortex-m3": ("arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "-O2"),
    "cortex-m4": ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2"),
    "rv32imac": ("riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "-Os"),
    "atmega328p": ("avr-gcc", "-mmcu=atmega328p", "-Os"),
}


# With assertions, as tests build it, one compiler of each size of int is enough.
CASES = [*((target, 0) for target in TARGETS), ("gcc", 1), ("atmega328p", 1)]


@pytest.mark.parametrize(("target", "assertions"), CASES)
def test_no_warning(target: str, assertions: int, tmp_path: Path) -> None:
    compiler, *flags = TARGETS[target]
    if reason := missing(compiler):
        pytest.skip(reason)
    sources = [str(path) for path in library_sources()]
    switches = ["-ffreestanding", f"-DBP_ASSERTIONS={assertions}", "-c"]
    compile_c([compiler, *STRICT, *flags, *INCLUDES, *BOARD, *switches, *sources], cwd=tmp_path)
    assert len(list(tmp_path.glob("*.o"))) == len({Path(source).name for source in sources})


def test_portable_code_alone(tmp_path: Path) -> None:
    """The portable primitives stand alone when the instruction sets are switched off."""
    if reason := missing("gcc"):
        pytest.skip(reason)
    sources = [str(path) for path in library_sources()]
    compile_c(
        ["gcc", *STRICT, *INCLUDES, *BOARD, "-DBP_ISA_PORTABLE=1", "-c", *sources], cwd=tmp_path
    )
    assert (tmp_path / "dense_s8.o").exists()
