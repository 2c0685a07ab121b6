"""Builds and runs the libFuzzer targets under AddressSanitizer and UndefinedBehaviorSanitizer.

    python3 tests/fuzz/fuzz.py [TARGET ...] [--seconds 30] [--corpus FOLDER] [--record]

Seeds are made from the models of the tests when it runs. An input that crashes is kept in
tests/fuzz/regressions/TARGET/ and from then on tried first, by this script and by the tests. With
--corpus, what a run has found is the start of the next one. --record appends executions and edges
to benchmarks/results/fuzzing.csv; a nightly run takes 30 minutes of CPU over all targets.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CSRC = ROOT / "csrc"
REGRESSIONS = HERE / "regressions"
MODELS = (ROOT / "tests/data/models", ROOT / "examples/fashion_mnist")
RANDOM_NETWORKS = 12

FLAGS = (
    "-std=c99 -g -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
    "-fno-sanitize-recover=all -DBP_ASSERTIONS=1"
).split()
SANITIZE = "-fsanitize=fuzzer,address,undefined"
INFERENCE = ("status.c", "crc32.c", "model", "ops", "infer", "kernels", "isa")
TRAINING = (*INFERENCE, "train")
# A made-up board, small enough for every limit to be met.
APP_DEFINES = {
    "BP_BOARD_NAME": '"fuzz"',
    "BP_BOARD_CPU": '"none"',
    "BP_TICK_KIND": "3",
    "BP_TICK_HZ": "0",
    "BP_RAM_BYTES": "65536",
    "BP_FLASH_BYTES": "65536",
    "BP_LINK_MAX_PAYLOAD": "256",
    "BP_LINK_RX_WINDOW": "1024",
    "BP_LINK_SLOTS": "3",
    "BP_LINK_SLOT_BYTES": "64",
    "BP_POOL_BYTES": "32768",
    "BP_BUILD_ID": "1",
    "BP_BAKED_MODEL": "0",
    "BP_APP_TRAIN": "1",
    "BP_APP_ANOMALY": "1",
    "BP_SAVE_SLOT_BYTES": "16384",
    "BP_FLASH_PAGE_BYTES": "1024",
}


@dataclass(frozen=True)
class Target:
    name: str
    parts: tuple[str, ...]  # of csrc
    max_bytes: int = 4096
    defines: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What libFuzzer did. edges: covered and all, of the instrumented code."""

    executions: int
    edges: tuple[int, int]
    cpu_seconds: float


TARGETS = {
    target.name: target
    for target in (
        Target("model", INFERENCE, max_bytes=24_000),
        Target("link", ("status.c", "crc32.c", "link")),
        Target("train", TRAINING, max_bytes=8_000),
        Target("app", (*TRAINING, "anomaly", "link", "app"), max_bytes=16_000, defines=APP_DEFINES),
    )
}


class FuzzError(AssertionError):
    """A target does not build, or an input makes it crash."""


def missing() -> str | None:
    """Why fuzzing cannot run here, or None."""
    if shutil.which("clang") is None:
        return "clang is not installed (apt: clang)"
    runtime = subprocess.run(
        ["clang", "-print-runtime-dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not list(Path(runtime).glob("libclang_rt.fuzzer*")):
        return "clang's fuzzer library is not installed (apt: libclang-rt-14-dev)"
    return None


def sources(target: Target) -> list[Path]:
    found: list[Path] = []
    for part in target.parts:
        path = CSRC / part
        # Files for another CPU are empty.
        found += [path] if path.is_file() else sorted(path.rglob("*.c"))
    return found


def clang(*arguments: str | Path) -> None:
    command = ["clang", *FLAGS, f"-I{CSRC / 'include'}", f"-I{CSRC}", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise FuzzError(f"does not build: {' '.join(command)}\n{result.stderr}")


def build(target: Target, folder: Path) -> Path:
    program = folder / f"fuzz_{target.name}"
    harness = HERE / f"fuzz_{target.name}.c"
    if target.name == "app":
        defines = [f"-D{name}={value}" for name, value in target.defines.items()]
        sanitize = "-fsanitize=fuzzer-no-link,address,undefined"
        library = folder / "libfuzzed_app.so"
        clang(sanitize, "-shared", "-fPIC", *defines, *sources(target), "-o", library)
        # -rdynamic: the library finds bp_port_* in the program.
        where = ["-rdynamic", f"-Wl,-rpath,{folder}"]
        clang(SANITIZE, *defines, harness, library, *where, "-o", program)
    else:
        clang(SANITIZE, harness, HERE / "assert_failed.c", *sources(target), "-o", program)
    return program


# --- seeds -------------------------------------------------------------------------------------


def model_images() -> list[bytes]:
    """Of the integer models in the tree, of random graphs in which every op is, of a network with
    state of every kind, one of them with first values, and of some that are fed row by row."""
    import byteprop
    from byteprop import image

    sys.path[:0] = [str(HERE.parent), str(HERE.parent / "python")]
    from streaming_network import streaming_graph

    from byteprop.image.rows import candidates
    from random_networks import dead_channel_network, random_network
    from row_networks import row_network

    images = [image.encode(streaming_graph())]
    images += [
        image.encode(draw(seed))
        for draw in (random_network, dead_channel_network)
        for seed in range(RANDOM_NETWORKS)
    ]
    for seed in range(RANDOM_NETWORKS):
        with suppress(byteprop.ModelError):
            images += [image.encode(fed) for fed in candidates(row_network(seed))][-2:]
    for path in (path for folder in MODELS for path in sorted(folder.glob("*.tflite"))):
        with suppress(byteprop.UnsupportedOpError):
            images.append(byteprop.load(path).image)
    return images


def images_of_readers() -> list[bytes]:
    """And one with weights in halfwords, which Python does not load."""
    from byteprop import image

    images = model_images()
    from random_graphs import small_graph

    return [*images, image.encode(small_graph(), halfwords=True)]


def cobs(data: bytes) -> bytes:
    """As docs/protocol.md has it; seeds should not depend on the code under test."""
    out = bytearray()
    for group in (data + b"\0").split(b"\0")[:-1]:
        while len(group) >= 254:
            out += b"\xff" + group[:254]
            group = group[254:]
        out += bytes([len(group) + 1]) + group
    return bytes(out)


def frame(kind: int, seq: int, payload: bytes) -> bytes:
    body = struct.pack("<BBHH", kind, 0, seq, 0) + payload
    return b"\0" + cobs(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def link_seeds() -> Iterable[bytes]:
    yield frame(0x01, 0, b"\x01\x12\x34\x56\x78")
    yield frame(0x02, 1, bytes(range(256)))
    yield frame(0x02, 2, b"\0" * 300) + frame(0x02, 3, b"\xff" * 254)
    yield b"\0\0noise" + frame(0x04, 4, b"")[:-3] + frame(0x04, 4, b"")


def trainable_images() -> list[bytes]:
    """Small networks of every kind that training takes."""
    sys.path += [str(ROOT / "tests/python"), str(ROOT / "tests")]
    import numpy as np
    from training_boards import cnn

    from byteprop import image
    from image_net import ImageNet, image_graph
    from training_case import Net, graph_of

    networks = (
        Net((6, 5, 3)),
        Net((5, 4, 3, 2), classifier=False),
        Net((33, 40, 9)),
        Net((7, 5, 4), per_channel=True, zero_points=True),
        Net((6, 4, 3), leading_quantize=True, reshape=True),
        Net((3, 1), classifier=False, zero_points=True),
    )
    made = [image.encode(graph_of(net, np.random.default_rng(1))) for net in networks]
    made.append(cnn())
    window, two = (3, 1, 1), (2, 2, 0)
    image_nets = (
        ImageNet((("conv", window, window), ("max", two, two), ("depthwise", window, window))),
        ImageNet((("conv", window, window), ("average", window, window), ("conv", two, two))),
    )
    made += [image.encode(image_graph(net, np.random.default_rng(1))) for net in image_nets]
    return made + [data for data in model_images() if len(data) < 8_000]


def autoencoders() -> list[bytes]:
    """Two, with as many outputs as inputs."""
    from byteprop import Dense, Sequential

    made = []
    for n in (6, 16):
        ends = {"input_range": (-1, 1), "output_range": (-1, 1)}
        layers = [Dense(3, "relu"), Dense(n)]
        made.append(bytes(Sequential(layers, input_shape=(n,), seed=n, **ends).image))
    return made


CONFIGS = (  # seed, frozen, batch, window, flags, momentum, kept
    struct.pack("<IIHHBBH", 1, 0, 1, 0, 0, 0, 0),
    struct.pack("<IIHHBBH", 7, 0, 1, 2, 0, 0, 0),
    struct.pack("<IIHHBBH", 7, 0, 3, 2, 0, 3, 0),
    struct.pack("<IIHHBBH", 9, 1, 1, 0, 1, 0, 0),
    struct.pack("<IIHHBBH", 9, 0, 2, 3, 2, 1, 0),
    struct.pack("<IIHHBBH", 9, 1, 1, 0, 4, 0, 0),
    struct.pack("<IIHHBBH", 9, 2, 2, 0, 4, 1, 0),
    struct.pack("<IIHHBBH", 9, 1, 1, 0, 4, 0, 3),
)


def train_seeds() -> Iterable[bytes]:
    """As fuzz_train.c reads them."""
    for image in trainable_images():
        for config in CONFIGS:
            for state in (b"", b"\0" * 40 + bytes(range(60))):
                samples = 7 + 13 * config[14]
                head = (
                    config[:14]
                    + bytes([samples])
                    + struct.pack("<IH", 90_000 | 2 << 24, len(state))
                )
                yield head + state + image


def request(kind: int, payload: bytes = b"", control: int = 0) -> bytes:
    """A request as fuzz_app.c reads it."""
    return bytes([control, kind]) + struct.pack("<H", len(payload)) + payload


def load_requests(image: bytes) -> bytes:
    load = request(0x10, struct.pack("<II", len(image), zlib.crc32(image[16:])))
    for offset in range(0, len(image), 200):
        load += request(0x11, struct.pack("<I", offset) + image[offset : offset + 200])
    return load + request(0x12)


HELLO = request(0x01, b"\x01\x12\x34\x56\x78")
CUT, SAVED, FLASH = 16, 32, 64  # of fuzz_app.c


def infer_seed(image: bytes) -> bytes:
    infer = request(0x20, struct.pack("<BHI", 0, 0, 0) + b"\x05") + request(0x23, b"\xff\xff")
    read = request(0x21, struct.pack("<BHIH", 1, 0, 0, 1)) + request(0x24, b"\0\0")
    digest = request(0x22, struct.pack("<BHII", 3, 0, 0, 64))
    tensors = b"".join(
        request(0x20, struct.pack("<BHI", 2, t, 0) + b"\x11")
        + request(0x21, struct.pack("<BHIH", 2, t, 0, 1))
        for t in range(1, 5)
    )
    again = request(0x25) + infer + tensors + request(0x23, b"\xff\xff")
    return HELLO + load_requests(image) + infer + read + digest + again + infer_whole(image)


def infer_whole(image: bytes) -> bytes:
    """All of a small input, in parts; for models that are fed row by row nothing less will do."""
    from byteprop.engine._raw import Engine

    n, size = Engine(image).input_bytes, 50
    if n > 1_000:
        return b""
    parts = (struct.pack("<BHI", 0, 0, at) + bytes(min(size, n - at)) for at in range(0, n, size))
    return b"".join(request(0x20, part) for part in parts) + request(0x23, b"\xff\xff")


def anomaly_requests(row: bytes) -> bytes:
    """A detector begins, learns, judges, is read and written."""
    begin = request(0x2A, struct.pack("<HBBBBH", 900, 2, 3, 4, 24, 0))
    put = request(0x20, struct.pack("<BHI", 0, 0, 0) + row)
    state = request(0x21, struct.pack("<BHIH", 5, 0, 0, 200))
    state += request(0x20, struct.pack("<BHI", 5, 0, 16) + b"\0" * 8)
    return begin + (put + request(0x2B)) * 4 + (put + request(0x2C)) * 2 + state + request(0x2C)


def train_requests(image: bytes, config: bytes) -> bytes:
    """Trains, reads and writes the state, evaluates, ends."""
    import byteprop

    model = byteprop.load(image)
    classes = any(type(op).__name__ == "Softmax" for op in model.graph.ops)
    outputs = model.graph.tensors[model.graph.outputs[0]].shape[-1]
    wanted = b"\x01\x00" if classes else struct.pack(f"<{outputs}i", *range(0, 999 * outputs, 999))
    sample = request(0x20, struct.pack("<BHI", 0, 0, 0) + b"\x05\x80\x70")
    sample += request(0x31, struct.pack("<I", 80_000) + wanted)
    state = request(0x21, struct.pack("<BHIH", 4, 0, 0, 60))
    state += request(0x20, struct.pack("<BHI", 4, 0, 28) + b"\0" * 12)
    if config[14]:
        label = struct.pack("<H", 1)
        sample += request(0x38, label) + request(0x3A, label) + request(0x39, b"\0\0\2\0")
        sample += request(0x3B, label)
    begin = request(0x30, config + b"\0\0\0\0")
    return begin + sample * 3 + state + sample + request(0x32, wanted) + request(0x33)


def app_seeds() -> Iterable[bytes]:
    """Small models are loaded and run, trained, saved and brought back."""
    yield HELLO + request(0x02, b"hello") + request(0x04)
    for image in images_of_readers():
        if len(image) <= 12_000:
            yield infer_seed(image)
    save, restore, saved = request(0x40), request(0x41), request(0x42)
    for image in autoencoders():
        watched = HELLO + load_requests(image) + anomaly_requests(b"\x05\x80\x70")
        yield watched + save + saved + restore + request(0x2C) + save
    for number, image in enumerate(trainable_images()):
        for config in CONFIGS:
            begin = HELLO + load_requests(image) + train_requests(image, config)
            yield begin + save + saved + restore + request(0x33)
            cut = request(0, struct.pack("<H", 3 + 40 * number), CUT)
            yield (
                begin + save + cut + save + HELLO + restore + save + request(0x03) + HELLO + restore
            )
            flip = request(0, struct.pack("<BHI", 0, 2, 1), FLASH)
            yield begin + save + save + flip + saved + restore
            head = struct.pack("<BBH", 1, 5, len(image)) + config + b"\0\0"
            yield HELLO + request(0, head + image + b"\0" * 300, SAVED) + restore + save


def write_seeds(target: Target, folder: Path) -> None:
    folder.mkdir(parents=True)
    makers = {
        "model": images_of_readers,
        "link": link_seeds,
        "train": train_seeds,
        "app": app_seeds,
    }
    seeds = makers[target.name]()
    for index, seed in enumerate(seeds):
        (folder / f"seed_{index}").write_bytes(seed)


# --- running -----------------------------------------------------------------------------------


def run(program: Path, *arguments: str, timeout: float) -> str:
    """What the target says; FuzzError when it crashes."""
    result = subprocess.run(
        [str(program), "-rss_limit_mb=1024", "-timeout=10", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"},
        check=False,
    )
    if result.returncode != 0:
        raise FuzzError(f"{program.name} crashed:\n{result.stderr[-4000:]}")
    return result.stderr


def regressions(target: Target) -> list[Path]:
    return sorted((REGRESSIONS / target.name).glob("*"))


def replay(target: Target, program: Path) -> int:
    """Runs the inputs that once crashed; returns how many there are."""
    paths = regressions(target)
    if paths:
        run(program, *map(str, paths), timeout=60 + 10 * len(paths))
    return len(paths)


def edges(said: str) -> tuple[int, int]:
    """Covered and all: libFuzzer counts those of each instrumented module when it starts."""
    covered = re.findall(r"\bcov: (\d+)", said)
    modules = re.search(r"Loaded \d+ PC tables? \((\d+) PCs\)", said)
    if not covered or modules is None:
        raise FuzzError(f"libFuzzer did not say what it covered:\n{said[-2000:]}")
    return int(covered[-1]), int(modules[1])


def fuzz(target: Target, program: Path, folder: Path, seconds: int, corpus: Path) -> Run:
    """Runs the target on new inputs, which stay in corpus. Keeps one that crashes."""
    write_seeds(target, folder / "seeds")
    kept = REGRESSIONS / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        said = run(
            program,
            f"-max_total_time={seconds}",
            f"-max_len={target.max_bytes}",
            f"-artifact_prefix={artifacts}/",
            "-print_final_stats=1",
            str(corpus),
            str(folder / "seeds"),
            timeout=seconds + 120,
        )
    except FuzzError as error:
        found = sorted(artifacts.glob("*"))
        kept.mkdir(parents=True, exist_ok=True)
        for path in found:
            shutil.copy(path, kept / path.name)
        names = ", ".join(path.name for path in found)
        raise FuzzError(f"{error}\nkept in {kept.relative_to(ROOT)}: {names}") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    if executions is None:
        raise FuzzError(f"{program.name} did not say how many inputs it ran:\n{said[-2000:]}")
    return Run(int(executions[1]), edges(said), after.ru_utime - before.ru_utime)


def record(name: str, done: Run) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import records

    row = {
        "commit": records.commit(),
        "target": name,
        "cpu_seconds": round(done.cpu_seconds),
        "executions": done.executions,
        "edges_covered": done.edges[0],
        "edges": done.edges[1],
    }
    records.append("fuzzing", tuple(row), [row])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=30, help="for each target (default: 30)")
    parser.add_argument("--corpus", type=Path, help="folder that keeps inputs for the next run")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    arguments = parser.parse_args()
    why_not = missing()
    if why_not is not None:
        print(why_not, file=sys.stderr)
        return 1
    for name in arguments.targets or TARGETS:
        with tempfile.TemporaryDirectory() as temporary:
            target, folder = TARGETS[name], Path(temporary)
            program = build(target, folder)
            old = replay(target, program)
            corpus = (arguments.corpus or folder / "corpus") / name
            done = fuzz(target, program, folder, arguments.seconds, corpus)
            print(
                f"{name}: {old} old inputs and {done.executions:,} new ones, no crash; "
                f"{done.edges[0]:,} of {done.edges[1]:,} edges, {done.cpu_seconds:.0f} s of CPU",
                flush=True,
            )
            if arguments.record:
                record(name, done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
