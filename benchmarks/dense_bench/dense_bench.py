"""Instructions of the kernels on emulated Cortex-M CPUs, counted with SysTick.

    python benchmarks/dense_bench/dense_bench.py [--board mps2-an386] [--flags="-O2"] [--record]

The emulator gives every instruction the same time, so ticks turn into instructions by a loop of
known length, and the figures repeat exactly. They are not latencies. A figure is the mean of the
calls after the first, so what surrounds the calls drops out.
"""

from __future__ import annotations

import argparse
import itertools
import random
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import bare
import records

REPEATS = 4
COLUMNS = ("board", "kernel", "shape", "instructions", "per_mac", "commit", "compiler", "flags")


@dataclass(frozen=True)
class Figure:
    """One kernel at one shape."""

    kernel: str
    shape: str
    instructions: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates, 0 where the word makes no sense."""
        if self.kernel == "softmax":
            return 0
        sizes = [int(size) for size in self.shape.replace("x", "-").split("-")]
        return sum(a * b for a, b in itertools.pairwise(sizes))

    @property
    def per_mac(self) -> str:
        return f"{self.instructions / self.macs:.2f}" if self.macs else ""


def write_data(folder: Path) -> None:
    """The bytes that bench.c embeds. Counts hardly depend on them; they repeat all the same."""
    generator = random.Random(1)
    (folder / "weights.bin").write_bytes(generator.randbytes(640 * 128))
    biases = [generator.randrange(-50_000, 50_000) for _ in range(128)]
    (folder / "bias.bin").write_bytes(struct.pack("<128i", *biases))
    table = [min(2**31 - 1, int(2**31 * 0.95**d)) for d in range(256)]
    (folder / "exp_table.bin").write_bytes(struct.pack("<256i", *table))


def measure(machine: bare.Machine, flags: list[str]) -> list[Figure]:
    """Builds, runs and converts ticks to instructions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        elf = bare.build(
            machine,
            [bare.HERE / "bench.c"],
            folder,
            flags=flags,
            defines={"REPEATS": str(REPEATS)},
        )
        code, text = bare.run(machine, elf)
    if code:
        raise RuntimeError(f"{machine.name}: exit code {code}\n{text}")
    ticks = {}
    for line in text.splitlines():
        kernel, once, repeated = line.rsplit(" ", 2)
        ticks[kernel] = (int(repeated) - int(once)) / (REPEATS - 1)
    ticks_per_instruction = ticks.pop("calibration") / bare.CALIBRATION_INSTRUCTIONS
    return [
        Figure(*kernel.split(" "), round(count / ticks_per_instruction))
        for kernel, count in ticks.items()
    ]


def record(machine: bare.Machine, figures: list[Figure], flags: list[str]) -> Path:
    """Appends the figures to the machine's file."""
    rows = [
        {
            "board": machine.name,
            "kernel": figure.kernel,
            "shape": figure.shape,
            "instructions": figure.instructions,
            "per_mac": figure.per_mac,
            "commit": records.commit(),
            "compiler": machine.compiler_version(),
            "flags": " ".join(flags),
        }
        for figure in figures
    ]
    return records.append(f"{machine.name}-kernels", COLUMNS, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", choices=[m.name for m in bare.CORTEX_M], help="default: all")
    parser.add_argument("--flags", default="-O2", help="optimisation flags (default: %(default)s)")
    parser.add_argument(
        "--record", action="store_true", help="append to benchmarks/results/<board>-kernels.csv"
    )
    arguments = parser.parse_args()
    flags = arguments.flags.split()
    for machine in bare.CORTEX_M:
        if arguments.board not in (None, machine.name):
            continue
        missing = machine.missing_tools()
        if missing:
            print(f"not installed: {', '.join(missing)}", file=sys.stderr)
            return 1
        figures = measure(machine, flags)
        print(f"{machine.name} ({machine.cpu}, {' '.join(flags)})")
        for f in figures:
            per_mac = f"  {f.per_mac} a MAC" if f.per_mac else ""
            print(f"  {f.kernel:8} {f.shape:10} {f.instructions:>8} instructions{per_mac}")
        if arguments.record:
            print(f"  recorded in {record(machine, figures, flags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
