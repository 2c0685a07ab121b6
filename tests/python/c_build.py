"""Building C code in tests: the library's files, the flags it must be clean under, compilers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
INCLUDES = (f"-I{CSRC / 'include'}", f"-I{CSRC}")
STRICT = (
    "-std=c99",
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef"),
    *("-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"),
)
# What a board tells the device program; the numbers do not matter here.
BOARD = (
    *(
        '-DBP_BOARD_NAME="test"',
        '-DBP_BOARD_CPU="test"',
        "-DBP_TICK_KIND=1",
        "-DBP_TICK_HZ=16000000",
    ),
    *("-DBP_RAM_BYTES=8192", "-DBP_FLASH_BYTES=32768", "-DBP_POOL_BYTES=1024", "-DBP_BUILD_ID=1"),
    *("-DBP_LINK_MAX_PAYLOAD=128", "-DBP_LINK_RX_WINDOW=256", "-DBP_LINK_SLOTS=2"),
    *("-DBP_LINK_SLOT_BYTES=64", "-DBP_BAKED_MODEL=0"),
    *('-DBP_MLPERF_MODEL="ad01"', "-DBP_MLPERF_FORMAT=2", "-DBP_MLPERF_INPUTS=640UL"),
)
COMPILE_TIMEOUT = 300.0


def library_sources() -> list[Path]:
    """All C files of the library; those of an instruction set are empty elsewhere."""
    return sorted(CSRC.rglob("*.c"))


def missing(program: str) -> str | None:
    """Why program cannot be used, for a skip; None when it can."""
    return None if shutil.which(program) else f"{program} is not installed"


def compile_c(command: Sequence[str], *, cwd: Path) -> None:
    """Runs a compiler; its messages become the failure's text."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=COMPILE_TIMEOUT)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
