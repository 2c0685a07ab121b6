"""Instructions of the front end for sound on emulated CPUs; its features equal the PC's.

    python benchmarks/audio_bench/audio_bench.py [--cpu cortex-m0] [--flags="-O2"] [--record]

Counted as dense_bench.py does: figures repeat exactly and are not latencies. A window is computed
50 times in a second of sound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCHMARKS))
sys.path.insert(0, str(BENCHMARKS / "dense_bench"))
import bare  # noqa: E402
import records  # noqa: E402

from byteprop import audio  # noqa: E402

COLUMNS = (
    "cpu machine instructions_per_window instructions_per_second commit compiler flags".split()
)
WINDOWS_PER_SECOND = audio.RATE // audio.HOP
MACHINES = {machine.cpu: machine for machine in (*bare.CORTEX_M, bare.RV32)}


@dataclass(frozen=True)
class Figure:
    """windows: whose features equal the PC's."""

    instructions: int
    windows: int


def sound(seconds: float = 2.0) -> npt.NDArray[np.int16]:
    """Noise that grows from nothing to full scale, tones, steps between extremes, and silence."""
    draw = np.random.default_rng(5)
    n = int(seconds * audio.RATE)
    t = np.arange(n) / audio.RATE
    noise = draw.normal(0, 1, n) * 2 ** (16 * t / seconds - 1)
    tone = 2 ** draw.uniform(0, 15) * np.sin(2 * np.pi * (50 + 3900 * t / seconds) * t)
    parts = [noise, tone, np.where(draw.random(n // 4) < 0.5, -32768, 32767), np.zeros(n // 4)]
    parts.append(np.full(n // 8, -32768))
    return np.clip(np.round(np.concatenate(parts)), -32768, 32767).astype(np.int16)


def measure(machine: bare.Machine, flags: list[str]) -> Figure:
    """Builds, runs, compares and converts ticks to instructions."""
    samples = sound()
    expected = audio.features(samples)
    defines = {"SAMPLES": f"{len(samples)}u", "WINDOWS": f"{len(expected)}u"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sound.bin").write_bytes(samples.astype("<i2").tobytes())
        sources = [Path(__file__).with_name("bench.c"), bare.CSRC / "crc32.c"]
        sources += sorted((bare.CSRC / "audio").glob("*.c"))
        elf = bare.build(machine, sources, folder, flags=flags, defines=defines, kernels=False)
        code, text = bare.run(machine, elf, timeout=120)
    lines = text.split()
    if code or [int(x) for x in lines[2:]] != [len(expected), zlib.crc32(expected.tobytes())]:
        raise RuntimeError(
            f"{machine.name}: exit code {code}, or other features than the PC's\n{text}"
        )
    turn = bare.CALIBRATION_INSTRUCTIONS / int(lines[0])
    return Figure(round(int(lines[1]) * turn), len(expected))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", choices=list(MACHINES), help="default: all")
    parser.add_argument("--flags", default="-O2", help="optimisation flags (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    arguments = parser.parse_args()
    flags = arguments.flags.split()
    rows = []
    for cpu, machine in MACHINES.items():
        if arguments.cpu not in (None, cpu):
            continue
        missing = machine.missing_tools()
        if missing:
            print(f"not installed: {', '.join(missing)}", file=sys.stderr)
            return 1
        figure = measure(machine, flags)
        second = figure.instructions * WINDOWS_PER_SECOND
        print(f"{cpu:12} {figure.instructions:>9,} per window {second:>12,} per second")
        rows.append(
            {
                "cpu": cpu,
                "machine": machine.name,
                "instructions_per_window": figure.instructions,
                "instructions_per_second": second,
                "commit": records.commit(),
                "compiler": machine.compiler_version(),
                "flags": arguments.flags,
            }
        )
    if arguments.record:
        print(f"recorded in {records.append('audio-instructions', COLUMNS, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
