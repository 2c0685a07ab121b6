"""Instructions of one training sample (forward, loss, backward, update) on emulated Cortex-M CPUs.

    python benchmarks/train_bench/train_bench.py [--cpu cortex-m4] [--images FILE --labels FILE]
                                                 [--flags="-O2"] [--record]

dense: every input, every error and every hidden output differs from zero, so nothing is skipped.
images: IDX files of images, after TRAINED samples of training, at the learning rate of that moment.
Networks of convolutions: the last images in examples/fashion_mnist, after training on the others
from random weights; of keywords, random inputs.
Counted with SysTick as dense_bench.py does; figures repeat exactly and are not latencies. The
weights that come of it are compared with the host's, bit for bit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

BENCHMARKS = Path(__file__).resolve().parents[1]
EXAMPLES = BENCHMARKS.parent / "examples"
sys.path.insert(0, str(BENCHMARKS))
sys.path.insert(0, str(BENCHMARKS / "dense_bench"))
import bare  # noqa: E402
import records  # noqa: E402

from byteprop import image  # noqa: E402
from byteprop.data import load_samples  # noqa: E402
from byteprop.engine import _raw, _raw_train  # noqa: E402
from byteprop.graph import Activation, DType, Graph, Op, Tensor  # noqa: E402
from byteprop.ops import Conv, Dense, Depthwise, Reshape, Softmax  # noqa: E402
from byteprop.ops.mean import Mean  # noqa: E402
from byteprop.ops.pool import Pool, PoolKind  # noqa: E402
from byteprop.ops.window import Axis, Window  # noqa: E402

SEED = 1
WINDOW = 512
TRAINED = 20_000
COUNTED = 100
COUNTED_DENSE = 20
COUNTED_CONV = 20
IMAGE_NETS = ("28x28-c4-c8-10", "keywords, last 3")
SYSTICK_MASK = (1 << 24) - 1
RATE_Q24 = round(0.005 * 2**24)
CONV_RATE_Q24 = round(0.02 * 2**24)
IMAGES_COLUMNS = (
    *("cpu", "machine", "net", "inputs", "sample", "forward", "samples", "ram_bytes"),
    *("commit", "compiler", "flags"),
)
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
    rate: int = RATE_Q24
    icount_shift: int = 6  # 2^6 ns per instruction; less where SysTick's 24 bits would not do

    @property
    def ram_bytes(self) -> int:
        """Of the weights and of all of training, beyond what stays in flash."""
        return self.memory_bytes + (0 if self.config.in_flash else len(self.model))


@dataclass(frozen=True)
class Figure:
    """Mean instructions of a sample, and of its forward pass and loss alone."""

    net: str
    inputs: str
    sample: float
    forward: float
    samples: int
    largest: float
    ram_bytes: int


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


class _Images:
    """A network of images with random weights, layer by layer; scales are powers of two."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.random = np.random.default_rng(SEED)
        self.tensors = [Tensor("x", (1, *shape), DType.INT8, np.float32(2**-8), -128)]
        self.ops: list[Op] = []

    def add(self, op: Op, shape: tuple[int, ...], scale: float, zero_point: int = -128) -> None:
        self.tensors.append(Tensor("y", shape, DType.INT8, np.float32(scale), zero_point))
        self.ops.append(op)

    def weights(self, n_in: int, n_out: int, *shape: int) -> tuple[npt.NDArray[np.int8], float]:
        """Glorot's, and their scale."""
        limit = np.sqrt(6 / (n_in + n_out))
        s_w = 2.0 ** np.ceil(np.log2(limit / 64))
        return np.round(self.random.uniform(-limit, limit, shape) / s_w).astype(np.int8), s_w

    def conv(self, kind: type[Conv | Depthwise], kernel: int, n_out: int, pad: int = 0) -> None:
        at = len(self.ops)
        _, height, width, n_in = self.tensors[at].shape
        axis = Axis(kernel, 1, 1, pad)
        is_depthwise = kind is Depthwise
        shape = (1, kernel, kernel, n_out) if is_depthwise else (n_out, kernel, kernel, n_in)
        taps = kernel * kernel
        weights, s_w = self.weights(taps * (1 if is_depthwise else n_in), taps, *shape)
        sizes = [n + 2 * pad - kernel + 1 for n in (height, width)]
        scales = np.full(n_out, s_w, np.float32)
        bias = np.zeros(n_out, np.int32)
        op = kind(at, at + 1, weights, bias, scales, Window(axis, axis), Activation.RELU)
        self.add(op, (1, *sizes, n_out), 2**-6)

    def max_pool(self) -> None:
        at = len(self.ops)
        source, axis = self.tensors[at], Axis(2, 2, 1, 0)
        _, height, width, n = source.shape
        op = Pool(at, at + 1, PoolKind.MAX, Window(axis, axis), Activation.NONE)
        self.add(op, (1, height // 2, width // 2, n), float(source.scale))

    def mean(self) -> None:
        at = len(self.ops)
        self.add(Mean(at, at + 1, (1, 2)), (1, self.tensors[at].shape[3]), 2**-6)

    def classes(self, n_out: int) -> Graph:
        source = self.tensors[-1]
        if len(source.shape) > 2:
            at = len(self.ops)
            self.add(Reshape(at, at + 1), (1, source.elems), float(source.scale))
        at = len(self.ops)
        weights, s_w = self.weights(source.elems, n_out, n_out, source.elems)
        scales, bias = np.array([s_w], np.float32), np.zeros(n_out, np.int32)
        self.add(Dense(at, at + 1, weights, bias, scales), (1, n_out), 2**-3, 0)
        self.add(Softmax(at + 1, at + 2), (1, n_out), 1 / 256)
        return Graph(tuple(self.tensors), tuple(self.ops), (0,), (len(self.tensors) - 1,))


def small_network() -> Graph:
    """The convolutional network that AIfES publishes."""
    make = _Images((28, 28, 1))
    for channels in (4, 8):
        make.conv(Conv, 3, channels)
        make.max_pool()
    return make.classes(10)


def keyword_network() -> Graph:
    """With the shapes of MLPerf Tiny's network for keywords."""
    make = _Images((49, 10, 1))
    first = Window(Axis(10, 2, 1, 4), Axis(4, 2, 1, 1))
    make.conv(Conv, 1, 64)
    op = make.ops.pop()
    assert isinstance(op, Conv)
    make.tensors.pop()
    weights, s_w = make.weights(40, 640, 64, 10, 4, 1)
    op = replace(op, weights=weights, window=first, weight_scales=np.full(64, s_w, np.float32))
    make.add(op, (1, 25, 5, 64), 2**-6)
    for _ in range(4):
        make.conv(Depthwise, 3, 64, pad=1)
        make.conv(Conv, 1, 64)
    make.mean()
    return make.classes(12)


def small_start() -> Start:
    """All layers learn. The counted samples are those behind the ones that it learnt from."""
    with np.load(EXAMPLES / "fashion_mnist" / "t10k-1000.npz") as data:
        x = data["x"].reshape(1000, -1).astype(np.uint8) ^ np.uint8(128)
        labels = data["y"].astype(np.uint16)
    return _start(IMAGE_NETS[0], "images", small_network(), 2, x, labels)


def keyword_start() -> Start:
    """The last depthwise and pointwise convolutions and the classes learn."""
    random = np.random.default_rng(SEED)
    x = random.integers(0, 256, (COUNTED_CONV + 5, 490)).astype(np.uint8)
    labels = random.integers(0, 12, len(x)).astype(np.uint16)
    return _start(IMAGE_NETS[1], "random", keyword_network(), 2, x, labels)


def _start(
    net: str,
    inputs: str,
    graph: Graph,
    convs: int,
    x: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint16],
) -> Start:
    """The image stays in flash; all but the last samples are learnt from before."""
    config = _raw_train.Config(seed=SEED, convs=convs, in_flash=True)
    is_long = net == IMAGE_NETS[1]
    model = image.encode(graph)
    trainer = _raw_train.Trainer(model, config)
    before = len(x) - COUNTED_CONV
    rates = np.full(before, CONV_RATE_Q24, np.uint32)
    trainer.run(x[:before], labels[:before], lr_q24=rates)
    return Start(
        *(net, inputs, config, model, trainer.state, trainer.plan.memory_bytes),
        *(x[before:], labels[before:], CONV_RATE_Q24, 3 if is_long else 6),
    )


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
    trainer.run(start.x, start.labels, lr_q24=np.full(len(start.x), start.rate, np.uint32))
    return zlib.crc32((b"" if start.config.in_flash else trainer.image) + trainer.state)


def build(machine: bare.Machine, start: Start, folder: Path, flags: list[str]) -> Path:
    (folder / "image.bin").write_bytes(start.model)
    (folder / "state.bin").write_bytes(start.state)
    (folder / "samples.bin").write_bytes(start.x.tobytes())
    (folder / "labels.bin").write_bytes(start.labels.tobytes())
    defines = {
        "SEED": start.config.seed,
        "BENCH_WINDOW": start.config.window,
        "BENCH_CONVS": start.config.convs,
        "BENCH_IN_FLASH": int(start.config.in_flash),
        "IMAGE_BYTES": len(start.model),
        "STATE_BYTES": len(start.state),
        "MEMORY_BYTES": start.memory_bytes,
        "ARENA_BYTES": _raw.Engine(start.model).arena_bytes,
        "INPUT_BYTES": start.x.shape[1],
        "SAMPLES": len(start.x),
        "LR_Q24": f"{start.rate}u",
    }
    sources = [Path(__file__).with_name("bench.c"), *bare.training_sources()]
    return bare.build(
        machine, sources, folder, flags=flags, defines={k: str(v) for k, v in defines.items()}
    )


def measure(machine: bare.Machine, start: Start, flags: list[str]) -> Figure:
    """Builds, runs, compares and converts ticks to instructions."""
    with tempfile.TemporaryDirectory() as name:
        code, text = bare.run(
            bare.with_icount(machine, f"shift={start.icount_shift}"),
            build(machine, start, Path(name), flags),
        )
    lines = text.splitlines()
    if code or int(lines[-1]) != host_checksum(start):
        raise RuntimeError(f"{machine.name}: exit code {code}, or other weights than the host's")
    per_instruction = (int(lines[0]) & SYSTICK_MASK) / bare.CALIBRATION_INSTRUCTIONS
    counted = np.array([line.split() for line in lines[1:-1]], np.int64) & SYSTICK_MASK
    ticks = counted / per_instruction
    forward, sample = ticks.mean(axis=0)
    return Figure(
        start.net, start.inputs, sample, forward, len(ticks), ticks[:, 1].max(), start.ram_bytes
    )


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
            "ram_bytes": figure.ram_bytes,
            "commit": records.commit(),
            "compiler": machine.compiler_version(),
            "flags": " ".join(flags),
        }
        for figure in figures
    ]
    images = [row for row in rows if row["net"] in IMAGE_NETS]
    others = [
        {k: v for k, v in row.items() if k != "ram_bytes"} for row in rows if row not in images
    ]
    if images:
        path = records.append("training-image-instructions", IMAGES_COLUMNS, images)
    if others:
        path = records.append("training-instructions", COLUMNS, others)
    return path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", choices=list(MACHINES), help="default: all")
    parser.add_argument("--net", help="of this network alone")
    parser.add_argument("--images", type=Path, help="IDX file of training images")
    parser.add_argument("--labels", type=Path, help="IDX file of their labels")
    parser.add_argument("--flags", default="-O2", help="optimisation flags (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    flags = arguments.flags.split()
    starts = [
        *(dense_start((784, 20, 10)), dense_start((64, 32, 10))),
        *(small_start(), keyword_start()),
    ]
    if arguments.net:
        starts = [start for start in starts if start.net == arguments.net]
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
                f"  {f.net:16} {f.inputs:7} {f.sample:>9.0f} instructions a sample, of them "
                f"{f.forward:.0f} forward; largest {f.largest:.0f} of {f.samples} samples; "
                f"{f.ram_bytes} bytes of RAM"
            )
        if arguments.record:
            print(f"  recorded in {record(machine, figures, flags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
