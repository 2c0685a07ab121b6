"""Builds bare programs for emulated machines and runs them to their end."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CSRC = ROOT / "csrc"
MEMORY_FUNCTIONS = ROOT / "boards/arch/freestanding/mem.c"  # gcc calls them on its own
CALIBRATION_INSTRUCTIONS = 2 * 100_000  # of calibration.h
WARNINGS = (
    "-std=c99 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes "
    "-Wundef -Werror"
).split()


@dataclass(frozen=True)
class Machine:
    """An emulated machine that stands for a CPU."""

    name: str
    cpu: str
    compiler: str
    emulator: str
    flags: tuple[str, ...]
    sources: tuple[Path, ...]
    emulator_args: tuple[str, ...]

    def missing_tools(self) -> list[str]:
        """The programs that are needed and not installed."""
        return [tool for tool in (self.compiler, self.emulator) if shutil.which(tool) is None]

    def compiler_version(self) -> str:
        """The compiler's name and version, for records."""
        command = [self.compiler, "-dumpfullversion"]
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return f"{self.compiler} {result.stdout.strip()}"


def cortex_m(name: str, cpu: str, flash_bytes: int, ram_bytes: int) -> Machine:
    """It prints and ends through semihosting; every instruction takes 64 ns of its time."""
    return Machine(
        name,
        cpu,
        "arm-none-eabi-gcc",
        "qemu-system-arm",
        (
            *(f"-mcpu={cpu}", "-mthumb", "-ffreestanding", "-nostartfiles", "-nodefaultlibs"),
            *(f"-T{HERE / 'bare.ld'}", f"-Wl,--defsym=bare_flash_bytes={flash_bytes}"),
            f"-Wl,--defsym=bare_ram_bytes={ram_bytes}",
        ),
        (HERE / "bare.c", MEMORY_FUNCTIONS),
        (
            *("-machine", name, "-serial", "none", "-icount", "shift=6"),
            *("-semihosting-config", "enable=on,target=native"),
        ),
    )


CORTEX_M = (
    cortex_m("mps2-an386", "cortex-m4", 4 << 20, 4 << 20),
    cortex_m("mps2-an385", "cortex-m3", 4 << 20, 4 << 20),
    cortex_m("microbit", "cortex-m0", 256 << 10, 16 << 10),
)
# Models and weights are in RAM here, so that a program can make them up.
AVR = Machine(
    "mega2560",
    "atmega2560",
    "avr-gcc",
    "qemu-system-avr",
    ("-mmcu=atmega2560", "-DBP_ROM_IS_RAM=1"),
    (HERE / "bare_avr.c", ROOT / "boards/arch/avr/mulhisi3.S"),
    ("-machine", "mega2560", "-serial", "stdio"),
)
# An instruction takes a nanosecond of its time, which no figure depends on: minstret counts them.
RV32 = Machine(
    "rv32-virt",
    "rv32imac",
    "riscv64-unknown-elf-gcc",
    "qemu-system-riscv32",
    (
        *("-march=rv32imac", "-mabi=ilp32", "-mcmodel=medany", "-ffreestanding"),
        *("-nostartfiles", "-nodefaultlibs", "-Wl,--no-relax", f"-T{HERE / 'bare_rv32.ld'}"),
    ),
    (HERE / "bare_rv32.c", MEMORY_FUNCTIONS),
    ("-machine", "virt", "-m", "8M", "-bios", "none", "-serial", "stdio", "-icount", "shift=0"),
)
ALL = (*CORTEX_M, AVR, RV32)


def with_icount(machine: Machine, shift: str) -> Machine:
    """The same machine with another time per instruction: "shift=6" for 2^6 nanoseconds."""
    arguments = list(machine.emulator_args)
    arguments[arguments.index("-icount") + 1] = shift
    return replace(machine, emulator_args=tuple(arguments))


def kernel_sources() -> list[Path]:
    """The kernels, tuned ones of all instruction sets too: of those the compiler takes its own."""
    return sorted((CSRC / "kernels").glob("*.c")) + sorted((CSRC / "isa").rglob("*.c"))


def model_sources() -> list[Path]:
    """Sources that a program that runs a model needs in addition to the kernels."""
    folders = ("model", "ops", "infer")
    parts = [path for folder in folders for path in sorted((CSRC / folder).rglob("*.c"))]
    return [*parts, *sorted(CSRC.glob("*.c"))]


def training_sources() -> list[Path]:
    """Sources that a program that trains needs in addition to the kernels."""
    return [*sorted((CSRC / "train").rglob("*.c")), *model_sources()]


def build(
    machine: Machine,
    sources: Sequence[Path],
    folder: Path,
    *,
    flags: Sequence[str] = ("-O2",),
    defines: Mapping[str, str] | None = None,
    kernels: bool = True,
) -> Path:
    """Compiles and links the sources, with the kernels unless they need none; files that they embed
    are in `folder`."""
    elf = folder / f"{machine.name}.elf"
    command = [
        machine.compiler,
        *machine.flags,
        *flags,
        *WARNINGS,
        "-ffunction-sections",
        "-Wl,--gc-sections",
        *(f"-D{key}={value}" for key, value in (defines or {}).items()),
        *(f"-I{include}" for include in (HERE, CSRC, CSRC / "include")),
        f"-Wa,-I,{folder}",
        *map(str, (*machine.sources, *sources, *(kernel_sources() if kernels else ()))),
        "-lgcc",
        "-o",
        str(elf),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{result.stderr}")
    return elf


def run(machine: Machine, elf: Path, *, timeout: float = 60) -> tuple[int, str]:
    """The program's exit code and what it printed. A program that does not end is stopped and
    answers -1; a last line "exit CODE" ends the emulator of a machine that cannot end it."""
    option = "-bios" if machine.emulator == "qemu-system-avr" else "-kernel"
    command = [machine.emulator, "-display", "none", "-monitor", "none", *machine.emulator_args]
    lines: list[str] = []
    with subprocess.Popen(
        [*command, option, str(elf)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        watchdog = threading.Timer(timeout, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("exit "):
                    return int(line.split()[1]), "".join(lines)
                lines.append(line)
            code = process.wait()
            return (code if code >= 0 else -1), "".join(lines)
        finally:
            watchdog.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
