"""Training gives the same bits with every compiler, at every optimisation, with portable and tuned
code, on the host and on emulated CPUs, in one go and resumed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
C_TESTS = ROOT / "tests/c"
sys.path.insert(0, str(ROOT / "benchmarks" / "dense_bench"))
import bare  # noqa: E402

import train_images_nets as images  # noqa: E402
from byteprop import image  # noqa: E402
from byteprop.image import op_defines  # noqa: E402
from byteprop.reference.backward import rows_of  # noqa: E402
from byteprop.training.masters import Weighted  # noqa: E402
from training_case import Pair  # noqa: E402

DIGEST_SOURCES = [C_TESTS / name for name in ("train_image.c", "train_digest.c", "train_images.c")]
# Networks and their digests, made by the portable code; a change of them is a change of results.
NETWORKS = 26
IMAGES = {case.name: (case.crc(), len(case.x), len(case.x)) for case in images.CASES}
# RAM for a network and its training, and how many do not fit.
SPACE = dict.fromkeys(("mps2-an386", "mps2-an385", "rv32-virt"), (65536, 0))
SPACE_SMALL = {"microbit": (12288, 0)}
SPACE_AVR = {"mega2560": (5200, 5)}
# QEMU's AVR runs programs of up to 64 KB.
AVR_BYTES = 65_536
AVR_FLAGS = ("-mrelax", "-mcall-prologues")
OPS = ("dense", "rescale", "reshape", "softmax")

Outcome = tuple[int, int, int]  # digest, updates, samples


def host_lines(compiler: str, optimisation: str, folder: Path, *more: str) -> list[list[str]]:
    """What the host's program prints: isa, resumed, network, digest, updates, samples."""
    program = folder / "digest"
    networks = written(folder, images.CASES)
    sources = [*DIGEST_SOURCES, C_TESTS / "train_digest_host.c", networks, *bare.training_sources()]
    includes = [f"-I{ROOT / 'csrc/include'}", f"-I{ROOT / 'csrc'}", f"-I{C_TESTS}"]
    files = map(str, (*sources, *bare.kernel_sources()))
    flags = ["-std=c99", optimisation, *more]
    subprocess.run(
        [compiler, *flags, *includes, *files, "-o", str(program)], check=True, timeout=300
    )
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=120)
    return [line.split(",") for line in done.stdout.splitlines()]


def written(folder: Path, cases: list[images.Case]) -> Path:
    path = folder / "networks.c"
    path.write_text(images.source(cases), encoding="utf-8")
    return path


def outcomes(lines: list[list[str]], isa: str, resumed: int) -> dict[str, Outcome]:
    wanted = [line for line in lines if line[:2] == [isa, str(resumed)]]
    return {name: (int(digest, 16), int(n), int(m)) for _, _, name, digest, n, m in wanted}


@lru_cache(maxsize=1)
def portable(folder: Path) -> dict[str, Outcome]:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("not installed: gcc or clang")
    return outcomes(host_lines(compiler, "-O1", folder, "-DBP_ISA_PORTABLE=1"), "portable", 0)


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """By the portable code alone."""
    found = portable(tmp_path_factory.mktemp("portable"))
    assert len(found) == NETWORKS + len(IMAGES)
    assert len({digest for digest, _, _ in found.values()}) == len(found)
    assert {name: found.pop(name) for name in IMAGES} == IMAGES
    assert all(samples == 24 for _, _, samples in found.values())
    return found | IMAGES


@pytest.mark.parametrize("case", images.CASES[-3:-1], ids=lambda case: case.name)
def test_networks_for_pictures_are_trained_as_by_the_reference(case: images.Case) -> None:
    """Every sample is compared with NumPy, and every layer learns."""
    graph = image.decode(case.model)
    pair = Pair(graph, case.config)
    dtype = graph.tensors[graph.inputs[0]].dtype.numpy
    for x, label, rate in zip(case.x, case.labels.tolist(), case.rates.tolist(), strict=True):
        pair.sample(x.view(dtype).reshape(graph.tensors[0].shape), label, rate)
    pair.flush()
    layers = [op for op in graph.ops if isinstance(op, Weighted)]
    for layer, masters in zip(layers, pair.python.masters, strict=True):
        assert (masters.weights != 256 * rows_of(layer).astype(np.int64)).any()


@pytest.mark.parametrize("optimisation", ["-O0", "-O1", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_host_gives_the_same_bits(
    compiler: str, optimisation: str, definition: dict[str, Outcome], tmp_path: Path
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"not installed: {compiler}")
    lines = host_lines(compiler, optimisation, tmp_path)
    isas = sorted({line[0] for line in lines})
    assert "portable" in isas
    for isa in isas:
        assert outcomes(lines, isa, 0) == definition, isa
        assert outcomes(lines, isa, 1) == definition, f"{isa}, resumed"


def program_bytes(elf: Path) -> int:
    """Code and the first values of data."""
    done = subprocess.run(
        ["avr-size", str(elf)], capture_output=True, text=True, check=True, timeout=60
    )
    text, data = done.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


@pytest.mark.emulated
@pytest.mark.parametrize("optimisation", ["-Os", "-O2"])
@pytest.mark.parametrize("machine", bare.ALL, ids=lambda machine: machine.name)
def test_emulated_cpu_gives_the_same_bits(
    machine: bare.Machine, optimisation: str, definition: dict[str, Outcome], tmp_path: Path
) -> None:
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    space, too_large = (SPACE | SPACE_SMALL | SPACE_AVR)[machine.name]
    sources = [*DIGEST_SOURCES, Path(__file__).with_name("train_bare.c"), *bare.training_sources()]
    is_avr = machine is bare.AVR
    flags = [optimisation, f"-I{C_TESTS}", *AVR_FLAGS * is_avr]
    sources.append(written(tmp_path, [] if is_avr else images.CASES))
    defines = {"SPACE_BYTES": str(space), **op_defines(OPS + images.OPS * (not is_avr))}
    if is_avr:  # to be small: nothing that keeps features, activations alone
        defines |= {"DIGEST_KEPT": "0", "BP_KINDS": "1"}
    elf = bare.build(machine, sources, tmp_path, flags=flags, defines=defines)
    assert not is_avr or program_bytes(elf) <= AVR_BYTES
    code, text = bare.run(machine, elf, timeout=300)
    lines = [line.split(",") for line in text.splitlines()]
    assert code == 0, text
    refused = [line[0] for line in lines if line[1:] == ["no space"]]
    found = {line[0]: tuple(map(int, line[1:])) for line in lines if line[0] not in refused}
    assert len(refused) == too_large, refused
    left_out = {*refused, *(IMAGES if is_avr else ())}
    assert found == {name: definition[name] for name in definition if name not in left_out}
