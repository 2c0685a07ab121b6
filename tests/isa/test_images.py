"""Models by every instruction set: of this CPU under sanitizers, and of arm64 in emulation, on CPUs
without dot product and with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.engine import _raw
from packed_graphs import draw_convolution
from test_isa import CHECKS, SANITIZERS, expect_same

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CSRC = ROOT / "csrc"
MODELS = [
    ROOT / "examples/fashion_mnist/fashion_cnn.tflite",
    ROOT / "tests/data/models/digits_mlp.tflite",
]
sys.path.insert(0, str(ROOT / "benchmarks" / "dense_bench"))
import bare  # noqa: E402

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"
ISAS_OF_ARM64 = {
    "cortex-a53": ["neon", "portable"],
    "cortex-a76": ["dotprod", "neon", "portable"],
}
INCLUDES = [f"-I{CSRC}", f"-I{CSRC / 'include'}"]


def library() -> list[Path]:
    """What inference takes."""
    folders = ("kernels", "isa", "model", "ops", "infer", "prepared")
    parts = [path for folder in folders for path in sorted((CSRC / folder).rglob("*.c"))]
    return [*parts, *sorted(CSRC.glob("*.c"))]


def build(command: list[str], sources: list[Path], program: Path) -> Path:
    words = [*command, "-std=c99", *INCLUDES, *map(str, sources), "-o", str(program)]
    subprocess.run(words, check=True, timeout=280, capture_output=True)
    return program


def run(command: list[str]) -> tuple[str, int]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    return done.stdout + done.stderr, done.returncode


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("images")
    graphs = [
        draw_convolution(np.random.default_rng(seed), depthwise=seed % 2 == 0)
        for seed in range(5000, 5150)
    ]
    models = [byteprop.Model(graph) for graph in graphs if graph is not None]
    models += [byteprop.load(path) for path in MODELS]
    paths = [folder / f"{i}.bpm" for i in range(len(models))]
    for path, model in zip(paths, models, strict=True):
        model.save(path)
    assert len(paths) > 60
    return [str(path) for path in paths]


def expect_equal(text: str, code: int, isas: list[str], n_images: int) -> None:
    assert code == 0, text
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines] == isas, text
    copied = {name: int(images) for name, images, _ in lines}
    assert copied.pop("portable") == 0
    assert all(n > n_images / 3 for n in copied.values()), text
    assert len({line[2] for line in lines}) == 1, text


def test_this_cpu_under_sanitizers(images: list[str], tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("not installed: gcc or clang")
    sources = [HERE / "check_images.c", *library()]
    # Blocks of memory live until the end of the program.
    program = build([compiler, "-O1", *SANITIZERS], sources, tmp_path / "check")
    text, code = run(["env", "ASAN_OPTIONS=detect_leaks=0", str(program), *images])
    expect_equal(text, code, _raw.isa_names(), len(images))


@pytest.fixture(scope="module")
def arm64_compiler() -> str:
    missing = [tool for tool in (COMPILER, EMULATOR) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return COMPILER


@pytest.fixture(scope="module")
def arm64_programs(
    arm64_compiler: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """For images, and for primitives."""
    folder = tmp_path_factory.mktemp("arm64")
    command = [arm64_compiler, "-O2", "-static"]
    return (
        build(command, [HERE / "check_images.c", *library()], folder / "images"),
        build(
            command,
            [*CHECKS, HERE / "check_host.c", *bare.kernel_sources()],
            folder / "primitives",
        ),
    )


@pytest.mark.emulated
@pytest.mark.parametrize("cpu", ISAS_OF_ARM64)
def test_arm64(cpu: str, arm64_programs: tuple[Path, Path], images: list[str]) -> None:
    for_images, primitives = arm64_programs
    text, code = run([EMULATOR, "-cpu", cpu, str(for_images), *images])
    expect_equal(text, code, ISAS_OF_ARM64[cpu], len(images))
    text, code = run([EMULATOR, "-cpu", cpu, str(primitives)])
    expect_same(text, code, ISAS_OF_ARM64[cpu])
