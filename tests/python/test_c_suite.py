"""Builds the C tests without Python, under AddressSanitizer and UBSan, and runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from c_build import INCLUDES, ROOT, STRICT, compile_c, library_sources, missing

TESTS = ROOT / "tests/c"
HELPERS = ("assert_failed.c", "demo_image.c", "train_image.c")
PROGRAMS = sorted(path.stem for path in TESTS.glob("test_*.c"))
SANITIZERS = (
    *("-O1", "-g", "-fno-omit-frame-pointer"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)
RUN_TIMEOUT = 120.0

pytestmark = pytest.mark.timeout(600)  # of the first test, with the fixture that compiles


def _sanitized(compiler: str, sources: list[Path], out: Path) -> list[str]:
    flags = [*STRICT, *SANITIZERS, *INCLUDES, f"-I{TESTS}", "-DBP_ASSERTIONS=1"]
    return [compiler, *flags, *map(str, sources), "-o", str(out)]


def _needs_sanitizers(compiler: str, folder: Path) -> None:
    """Skips where the compiler, or its sanitizers' run-time libraries, are absent."""
    if reason := missing(compiler):
        pytest.skip(reason)
    source = folder / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    command = _sanitized(compiler, [source], folder / "empty")
    if subprocess.run(command, capture_output=True, timeout=60.0).returncode != 0:
        pytest.skip(f"{compiler} has no sanitizer libraries")


@pytest.fixture(scope="module", params=["gcc", "clang"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Path]]:
    """The compiler, and the library and the helpers as its sanitized object files."""
    compiler: str = request.param
    folder = tmp_path_factory.mktemp(compiler)
    _needs_sanitizers(compiler, folder)
    parts = [path for path in library_sources() if not {"app", "mlperf"} & set(path.parts)]
    sources = [*parts, *(TESTS / name for name in HELPERS)]
    # Two folders may have files of one name.
    for number, parent in enumerate(sorted({path.parent for path in sources})):
        objects = folder / str(number)
        objects.mkdir()
        own = [path for path in sources if path.parent == parent]
        compile_c([*_sanitized(compiler, own, folder / "unused")[:-2], "-c"], cwd=objects)
    return compiler, sorted(folder.glob("*/*.o"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_c(program: str, library: tuple[str, list[Path]], tmp_path: Path) -> None:
    compiler, objects = library
    binary = tmp_path / program
    compile_c(_sanitized(compiler, [TESTS / f"{program}.c", *objects], binary), cwd=tmp_path)
    done = subprocess.run([binary], capture_output=True, text=True, timeout=RUN_TIMEOUT)
    assert done.returncode == 0, done.stderr


def test_programs_are_found() -> None:
    assert {"test_dense", "test_model", "test_mutations"} <= set(PROGRAMS)
