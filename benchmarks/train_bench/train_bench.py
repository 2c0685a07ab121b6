"""Instructions of one training sample (forward, loss, backward, update) on emulated Cortex-M CPUs.

    python benchmarks/train_bench/train_bench.py [--cpu cortex-m4] [--images FILE --labels FILE]
                                                 [--flags="-O2"] [--record]

dense: every input, every error and every hidden output differs from zero, so nothing is skipped.
images: IDX files of images, after TRAINED samples of training, at the learning rate of that moment.
Counted with SysTick as dense_bench.py does; figures repeat exactly and are not latencies. The
weights that come of it are compared with the host's, bit for bit.
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

from byteprop import image  # noqa: E402
from byteprop.data import load_samples  # noqa: E402
from byteprop.engine import _raw, _raw_train  # noqa: E402
from byteprop.graph import Activation, DType, Graph, Tensor  # noqa: E402
from byteprop.ops import Dense, Softmax  # noqa: E402

SEED = 1
WINDOW = 512
TRAINED = 20_000
COUNTED = 100
COUNTED_DENSE = 20
RATE_Q24 = round(0.005 * 2**24)
COLUMNS = (
    *("cpu", "machine", "net", "inputs", "sample", "forward", "samples"),
    *("commit", "compiler", "flags"),
)
# The Cortex-M0 has no machine with RAM for the larger network, so its code runs on a larger core.
MACHINES = {
    "cortex-m4": bare.CORTEX_M[0],
    "cortex-m3": bare.CORTEX_M[1],
    "cortex-m0": bare.cortex_m("mps2-an385", "cortex-m0", 4 << 20, 4 << 20),
}


@dataclass(frozen=True)
class Start:
    """What a program begins with, and the samples that it counts."""

    net: str
    inputs: str
    config: _raw_train.Config
    model: bytes
    state: bytes
    memory_bytes: int
    x: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Figure:
    """Mean instructions of a sample, and of its forward pass and loss alone."""

    net: str
    inputs: str
    sample: float
    forward: float
    samples: int
    largest: float


def network(sizes: tuple[int, int, int], activation: Activation) -> Graph:
    """With scales as a network has that begins from random weights."""
    n_in, n_hidden, n_out = sizes
    random = np.random.default_rng(SEED)
    tensors = [Tensor("x", (1, n_in), DType.INT8, np.float32(2**-8), -128)]
    ops: list[Dense | Softmax] = []
    layers = (
        (n_in, n_hidden, activation, 2**-6, -128),
        (n_hidden, n_out, Activation.NONE, 2**-3, 0),
    )
    for a, b, act, scale, zero_point in layers:
        limit = np.sqrt(6 / (a + b))
        s_w = 2.0 ** np.ceil(np.log2(limit / 64))
        weights = np.round(random.uniform(-limit, limit, (b, a)) / s_w).astype(np.int8)
        tensors.append(Tensor("y", (1, b), DType.INT8, np.float32(scale), zero_point))
        ops.append(
            Dense(
                *(len(ops), len(ops) + 1, weights, np.zeros(b, np.int32)),
                np.array([s_w], np.float32),
                act,
            )
        )
    tensors.append(Tensor("p", (1, n_out), DType.INT8, np.float32(1 / 256), -128))
    ops.append(Softmax(2, 3))
    return Graph(tuple(tensors), tuple(ops), (0,), (3,))


def dense_start(sizes: tuple[int, int, int]) -> Start:
    """Random inputs, none of them zero; hidden layer without activation, so all errors count."""
    random = np.random.default_rng(SEED)
    config = _raw_train.Config(seed=SEED)
    model = image.encode(network(sizes, Activation.NONE))
    trainer = _raw_train.Trainer(model, config)
    quantised = random.integers(-127, 128, (COUNTED_DENSE, sizes[0]))
    labels = random.integers(0, sizes[2], COUNTED_DENSE).astype(np.uint16)
    return Start(
        *("-".join(map(str, sizes)), "dense", config, trainer.image, trainer.state),
        *(trainer.plan.memory_bytes, quantised.astype(np.int8).view(np.uint8), labels),
    )


def images_start(x: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint16]) -> Start:
    """784-20-10 after TRAINED images; the counted ones are the next."""
    config = _raw_train.Config(seed=SEED, window=WINDOW)
    trainer = _raw_train.Trainer(image.encode(network((784, 20, 10), Activation.RELU)), config)
    quantised = x.reshape(len(x), 784) ^ np.uint8(128)
    trainer.run(quantised[:TRAINED], labels[:TRAINED], lr_q24=np.full(TRAINED, RATE_Q24, np.uint32))
    counted = slice(TRAINED, TRAINED + COUNTED)
    return Start(
        *("784-20-10", "images", config, trainer.image, trainer.state),
        *(trainer.plan.memory_bytes, quantised[counted], labels[counted]),
    )


def host_checksum(start: Start) -> int:
    """Of image and state after the counted samples."""
    trainer = _raw_train.Trainer(start.model, start.config, state=start.state)
    trainer.run(start.x, start.labels, lr_q24=np.full(len(start.x), RATE_Q24, np.uint32))
    return zlib.crc32(trainer.image + trainer.state)


def build(machine: bare.Machine, start: Start, folder: Path, flags: list[str]) -> Path:
    (folder / "image.bin").write_bytes(start.model)
    (folder / "state.bin").write_bytes(start.state)
    (folder / "samples.bin").write_bytes(start.x.tobytes())
    (folder / "labels.bin").write_bytes(start.labels.tobytes())
    defines = {
        "SEED": start.config.seed,
        "BENCH_WINDOW": start.config.window,
        "IMAGE_BYTES": len(start.model),
        "STATE_BYTES": len(start.state),
        "MEMORY_BYTES": start.memory_bytes,
        "ARENA_BYTES": _raw.Engine(start.model).arena_bytes,
        "INPUT_BYTES": start.x.shape[1],
        "SAMPLES": len(start.x),
        "LR_Q24": f"{RATE_Q24}u",
    }
    sources = [Path(__file__).with_name("bench.c"), *bare.training_sources()]
    return bare.build(
        machine, sources, folder, flags=flags, defines={k: str(v) for k, v in defines.items()}
    )


def measure(machine: bare.Machine, start: Start, flags: list[str]) -> Figure:
    """Builds, runs, compares and converts ticks to instructions."""
    with tempfile.TemporaryDirectory() as name:
        code, text = bare.run(machine, build(machine, start, Path(name), flags))
    lines = text.splitlines()
    if code or int(lines[-1]) != host_checksum(start):
        raise RuntimeError(f"{machine.name}: exit code {code}, or other weights than the host's")
    per_instruction = int(lines[0]) / bare.CALIBRATION_INSTRUCTIONS
    ticks = np.array([line.split() for line in lines[1:-1]], np.int64) / per_instruction
    forward, sample = ticks.mean(axis=0)
    return Figure(start.net, start.inputs, sample, forward, len(ticks), ticks[:, 1].max())


def record(machine: bare.Machine, figures: list[Figure], flags: list[str]) -> Path:
    rows = [
        {
            "cpu": machine.cpu,
            "machine": machine.name,
            "net": figure.net,
            "inputs": figure.inputs,
            "sample": round(figure.sample),
            "forward": round(figure.forward),
            "samples": figure.samples,
            "commit": records.commit(),
            "compiler": machine.compiler_version(),
            "flags": " ".join(flags),
        }
        for figure in figures
    ]
    return records.append("training-instructions", COLUMNS, rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", choices=list(MACHINES), help="default: all")
    parser.add_argument("--images", type=Path, help="IDX file of training images")
    parser.add_argument("--labels", type=Path, help="IDX file of their labels")
    parser.add_argument("--flags", default="-O2", help="optimisation flags (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    flags = arguments.flags.split()
    starts = [dense_start((784, 20, 10)), dense_start((64, 32, 10))]
    if arguments.images and arguments.labels:
        x = load_samples(arguments.images).x
        labels = load_samples(arguments.labels).x
        starts.append(images_start(x.astype(np.uint8), labels.reshape(-1).astype(np.uint16)))
    for cpu, machine in MACHINES.items():
        if arguments.cpu not in (None, cpu):
            continue
        missing = machine.missing_tools()
        if missing:
            print(f"not installed: {', '.join(missing)}", file=sys.stderr)
            return 1
        figures = [measure(machine, start, flags) for start in starts]
        print(f"{cpu} on {machine.name}, {' '.join(flags)}")
        for f in figures:
            print(
                f"  {f.net:10} {f.inputs:7} {f.sample:>9.0f} instructions a sample, of them "
                f"{f.forward:.0f} forward; largest {f.largest:.0f} of {f.samples} samples"
            )
        if arguments.record:
            print(f"  recorded in {record(machine, figures, flags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
