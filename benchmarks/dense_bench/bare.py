"""Builds bare programs for emulated Cortex-M machines and runs them to their end."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CSRC = ROOT / "csrc"
MEMORY_FUNCTIONS = ROOT / "boards/arch/freestanding/mem.c"  # gcc calls them on its own
COMPILER = "arm-none-eabi-gcc"
EMULATOR = "qemu-system-arm"
WARNINGS = (
    "-std=c99 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes "
    "-Wundef -Werror"
).split()


@dataclass(frozen=True)
class Machine:
    """An emulated machine that stands for a CPU."""

    name: str
    cpu: str
    flash_bytes: int
    ram_bytes: int


MACHINES = (
    Machine("mps2-an386", "cortex-m4", 4 << 20, 4 << 20),
    Machine("mps2-an385", "cortex-m3", 4 << 20, 4 << 20),
    Machine("microbit", "cortex-m0", 256 << 10, 16 << 10),
)


def missing_tools() -> list[str]:
    """The programs that are needed and not installed."""
    return [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]


def compiler_version() -> str:
    """The compiler's name and version, for records."""
    result = subprocess.run(
        [COMPILER, "-dumpfullversion"], capture_output=True, text=True, check=True, timeout=30
    )
    return f"{COMPILER} {result.stdout.strip()}"


def kernel_sources() -> list[Path]:
    """The kernels, tuned ones of all instruction sets too: of those the compiler takes its own."""
    return sorted((CSRC / "kernels").glob("*.c")) + sorted((CSRC / "isa").rglob("*.c"))


def build(
    machine: Machine,
    sources: Sequence[Path],
    folder: Path,
    *,
    flags: Sequence[str] = ("-O2",),
    defines: Mapping[str, str] | None = None,
) -> Path:
    """Compiles and links the sources with the kernels; files that they embed lie in `folder`."""
    elf = folder / f"{machine.name}.elf"
    command = [
        COMPILER,
        f"-mcpu={machine.cpu}",
        "-mthumb",
        *flags,
        *WARNINGS,
        "-ffreestanding",
        "-ffunction-sections",
        "-Wl,--gc-sections",
        *(f"-D{key}={value}" for key, value in (defines or {}).items()),
        f"-I{HERE}",
        f"-I{CSRC}",
        f"-I{CSRC / 'include'}",
        f"-Wa,-I,{folder}",
        str(HERE / "bare.c"),
        str(MEMORY_FUNCTIONS),
        *map(str, sources),
        *map(str, kernel_sources()),
        "-nostartfiles",
        "-nodefaultlibs",
        "-lgcc",
        f"-T{HERE / 'bare.ld'}",
        f"-Wl,--defsym=bare_flash_bytes={machine.flash_bytes}",
        f"-Wl,--defsym=bare_ram_bytes={machine.ram_bytes}",
        "-o",
        str(elf),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{result.stderr}")
    return elf


def run(machine: Machine, elf: Path, *, timeout: float = 60) -> tuple[int, str]:
    """The program's exit code and what it printed; every instruction takes 64 ns of its time."""
    result = subprocess.run(
        [
            EMULATOR,
            *("-machine", machine.name, "-nographic", "-monitor", "none", "-serial", "none"),
            *("-icount", "shift=6", "-kernel", str(elf)),
            *("-semihosting-config", "enable=on,target=native"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    return result.returncode, result.stdout
