"""Instructions of whole inferences and of their ops on emulated CPUs, without a board.

    python benchmarks/model_bench/model_bench.py FILE ... [--cpu cortex-m0] [--portable]
                                                 [--layers] [--flags="-O2"] [--record]

For models that fit no board with the CPU: code for a Cortex-M0 runs on a machine with more memory.
What the emulator counts does not depend on it. The outputs are compared with the host's. Counted
as dense_bench.py does; figures repeat exactly and are not latencies. --portable builds the plain
C alone, for comparison.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCHMARKS))
sys.path.insert(0, str(BENCHMARKS / "dense_bench"))
import bare  # noqa: E402
import records  # noqa: E402

import byteprop  # noqa: E402
from byteprop import image  # noqa: E402
from byteprop.engine import _raw  # noqa: E402

SEED = 1
COLUMNS = (
    *("cpu", "machine", "model", "kernels", "instructions", "macs", "per_mac"),
    *("commit", "compiler", "flags"),
)
# An instruction takes 16 ns, so that an op of 40 million is within the counter's 24 bits.
SHIFT = "shift=4"
MACHINES = {
    machine.cpu: machine
    for machine in (
        bare.CORTEX_M[0],
        bare.CORTEX_M[1],
        bare.cortex_m("mps2-an385", "cortex-m0", 4 << 20, 4 << 20),
        bare.RV32,
    )
}
COUNTER_MAX = {"rv32imac": "0xFFFFFFFFu"}


@dataclass(frozen=True)
class Figure:
    """Instructions of an inference, and of each op with its name."""

    model: str
    macs: int
    instructions: int
    ops: tuple[tuple[str, int], ...]


def inputs_of(model: byteprop.Model) -> list[np.ndarray]:
    """One sample of random bytes."""
    random = np.random.default_rng(SEED)
    tensors = [model.graph.tensors[i] for i in model.graph.inputs]
    return [random.integers(0, 256, t.elems).astype(np.uint8) for t in tensors]


def host_checksum(model: byteprop.Model, inputs: list[np.ndarray]) -> int:
    """Of the outputs on this computer."""
    sample = np.concatenate(inputs)[np.newaxis]
    return zlib.crc32(_raw.Engine(model.image).run(sample).tobytes())


def measure(
    machine: bare.Machine, path: Path, flags: list[str], *, portable: bool = False
) -> Figure:
    """Builds, runs, compares and converts ticks to instructions."""
    model = byteprop.load(path)
    inputs = inputs_of(model)
    data = image.without_names(model.image, halfwords=machine.cpu == "cortex-m4" and not portable)
    defines = {
        "IMAGE_BYTES": str(len(data)),
        "INPUT_BYTES": str(sum(x.size for x in inputs)),
        "ARENA_BYTES": str(model.arena_bytes),
        "COUNTER_MAX": COUNTER_MAX.get(machine.cpu, "0xFFFFFFu"),
        **({"BP_ISA_PORTABLE": "1"} if portable else {}),
        **image.model_defines(data),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "image.bin").write_bytes(data)
        (folder / "input.bin").write_bytes(b"".join(x.tobytes() for x in inputs))
        sources = [Path(__file__).with_name("bench.c"), *bare.model_sources()]
        elf = bare.build(machine, sources, folder, flags=flags, defines=defines)
        code, text = bare.run(bare.with_icount(machine, SHIFT), elf, timeout=300)
    lines = text.splitlines()
    if code or int(lines[-1]) != host_checksum(model, inputs):
        raise RuntimeError(f"{path}: exit code {code}, or other outputs than the host's\n{text}")
    ticks = np.array([line.split()[1] for line in lines[1:-1]], np.int64)
    counts = np.round(ticks * (bare.CALIBRATION_INSTRUCTIONS / int(lines[0]))).astype(int).tolist()
    names = [type(op).__name__ for op in model.graph.ops]
    ops = tuple(zip(names, counts, strict=True))
    return Figure(path.stem, model.macs, sum(counts), ops)


def record(
    machine: bare.Machine, figures: list[Figure], flags: list[str], *, portable: bool
) -> Path:
    rows = [
        {
            "cpu": machine.cpu,
            "machine": machine.name,
            "model": figure.model,
            "kernels": "portable" if portable else "tuned",
            "instructions": figure.instructions,
            "macs": figure.macs,
            "per_mac": f"{figure.instructions / figure.macs:.3f}" if figure.macs else "",
            "commit": records.commit(),
            "compiler": machine.compiler_version(),
            "flags": " ".join(flags),
        }
        for figure in figures
    ]
    return records.append("model-instructions", COLUMNS, rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="FILE", help=".tflite or .bpm")
    parser.add_argument("--cpu", choices=list(MACHINES), help="default: all")
    parser.add_argument("--portable", action="store_true", help="plain C only")
    parser.add_argument("--layers", action="store_true", help="print each op")
    parser.add_argument("--flags", default="-O2", help="optimisation flags (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    flags = arguments.flags.split()
    for cpu, machine in MACHINES.items():
        if arguments.cpu not in (None, cpu):
            continue
        missing = machine.missing_tools()
        if missing:
            print(f"not installed: {', '.join(missing)}", file=sys.stderr)
            return 1
        print(f"{cpu} on {machine.name}, {' '.join(flags)}")
        figures = []
        for path in arguments.models:
            figure = measure(machine, path, flags, portable=arguments.portable)
            figures.append(figure)
            print(f"  {figure.model:24} {figure.instructions:>11,} instructions")
            for name, count in figure.ops if arguments.layers else ():
                print(f"    {name:22} {count:>11,}")
        if arguments.record:
            path = record(machine, figures, flags, portable=arguments.portable)
            print(f"  recorded in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
