"""Tuned primitives against the definition: on this CPU, and on emulated ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from byteprop.engine import _raw

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "benchmarks" / "dense_bench"))
import bare  # noqa: E402

ISA_OF_MACHINE = {
    "mps2-an386": "armv7em",
    "mps2-an385": "armv7m",
    "microbit": "armv6m",
    "mega2560": "avr",
    "rv32-virt": "lanes",
}
PARTS = ("", "_conv", "_depthwise", "_elements", "_pairs", "_halfwords", "_rows")
CHECKS = [HERE / f"check{part}.c" for part in PARTS]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def expect_same(text: str, code: int, isas: list[str]) -> None:
    """One line for every instruction set, with the same number of comparisons, and no other."""
    lines = [line.split() for line in text.splitlines()]
    assert code == 0, text
    assert [line[0] for line in lines] == isas, text
    assert all(int(line[1]) > 40_000 for line in lines), text


@pytest.mark.emulated
@pytest.mark.parametrize("optimisation", ["-O0", "-Os", "-O2"])
@pytest.mark.parametrize("machine", bare.ALL, ids=lambda machine: machine.name)
def test_emulated_cpu_equals_definition(
    machine: bare.Machine, optimisation: str, tmp_path: Path
) -> None:
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    sources = [*CHECKS, HERE / "check_bare.c"]
    elf = bare.build(machine, sources, tmp_path, flags=[optimisation, f"-I{HERE}"])
    code, text = bare.run(machine, elf)
    expect_same(text, code, [ISA_OF_MACHINE[machine.name]])


@pytest.mark.parametrize("by_halves", [0, 1])
def test_host_equals_definition_under_sanitizers(by_halves: int, tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("not installed: gcc or clang")
    program = tmp_path / "check"
    sources = [*CHECKS, HERE / "check_host.c", *bare.kernel_sources()]
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc/include'}"]
    flags = ["-std=c99", "-g", "-O1", *SANITIZERS, f"-DBP_MUL_BY_HALVES={by_halves}"]
    build = [compiler, *flags, *includes, *map(str, sources), "-o", str(program)]
    subprocess.run(build, check=True, timeout=120)
    result = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    text = result.stdout + result.stderr
    expect_same(text, result.returncode, _raw.isa_names())


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_library_links_without_training(compiler: str, tmp_path: Path) -> None:
    """Even where unused sections stay: nothing below training refers to it."""
    if shutil.which(compiler) is None:
        pytest.skip(f"not installed: {compiler}")
    main = tmp_path / "main.c"
    main.write_text(
        "#include <byteprop/infer.h>\n#include <byteprop/kernels.h>\n"
        "int main(void) { return bp_isa_name()[0] == 0; }\n"
    )
    csrc = ROOT / "csrc"
    upper = {"anomaly", "app", "link", "mlperf", "train"}
    library = [p for p in csrc.rglob("*.c") if p.relative_to(csrc).parts[0] not in upper]
    flags = ["-std=c99", "-O1", f"-I{csrc}", f"-I{csrc / 'include'}", "-Wl,--no-gc-sections"]
    files = map(str, (main, *library))
    result = subprocess.run(
        [compiler, *flags, *files, "-o", str(tmp_path / "program")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    subprocess.run([str(tmp_path / "program")], check=True, timeout=30)


def test_available_isas_can_be_selected(restored_isa: None) -> None:
    names = _raw.isa_names()
    assert names[-1] == "portable"
    for name in names:
        assert _raw.isa_select(name)
        assert _raw.isa_name() == name


@pytest.fixture
def restored_isa() -> Iterator[None]:
    before = _raw.isa_name()
    yield
    assert _raw.isa_select(before)


def test_unknown_isa_changes_nothing(restored_isa: None) -> None:
    before = _raw.isa_name()
    assert not _raw.isa_select("z80")
    assert _raw.isa_name() == before


@pytest.mark.parametrize("n_in", [1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 100, 784, 1023])
def test_extension_gives_the_same_layer_with_every_isa(n_in: int, restored_isa: None) -> None:
    names = _raw.isa_names()
    if len(names) < 2:
        pytest.skip("this CPU has no tuned primitives: only the plain C definition runs")
    random = np.random.default_rng(n_in)
    for n_out in (1, 2, 3, 4, 5, 10, 21):
        x = random.integers(-128, 128, n_in, dtype=np.int8)
        weights = random.integers(-127, 128, (n_out, n_in), dtype=np.int8)
        bias = random.integers(-20_000, 20_000, n_out, dtype=np.int32)
        mult = random.integers(1 << 30, 1 << 31, n_out, dtype=np.int64).astype(np.int32)
        lshift = random.integers(-12, -5, n_out, dtype=np.int8)
        outputs = []
        for name in names:
            assert _raw.isa_select(name)
            outputs.append(_raw.dense_s8(x, weights, bias, mult, lshift, -3, -128, 127))
        assert all(np.array_equal(outputs[0], other) for other in outputs[1:])
        assert len(np.unique(outputs[0])) > 1 or n_out < 4
