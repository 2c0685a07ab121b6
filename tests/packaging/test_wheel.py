"""What the source distribution and the wheel hold, and that the wheel is enough."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from package_index import pip

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/fashion_mnist"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_sdist_holds_all_that_a_build_needs(sdist: Path, tree: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for folder in ("csrc", "boards", "runtime", "host_tools", "tests", "docs", "scripts"):
        wanted = {f"{folder}/{name}" for name in files_below(tree / folder)}
        assert wanted <= names, f"missing: {sorted(wanted - names)}"
    assert {"setup.py", "pyproject.toml", "LICENSE", "README.md", "Makefile"} <= names
    assert not [name for name in names if name.endswith((".so", ".o", ".pyc"))]


def test_wheel_holds_sources_boards_and_documents(wheel: Path, tree: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("csrc", "boards", "docs"):
        files = [name for name in files_below(tree / folder) if not str(name).endswith(".ipynb")]
        wanted = {f"byteprop/_{folder}/{name}" for name in files}
        found = {name for name in names if name.startswith(f"byteprop/_{folder}/")}
        assert found == wanted


def test_wheel_holds_typed_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"byteprop/py.typed", "byteprop/_kernels.pyi", "byteprop_host/py.typed"} <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"byteprop", "byteprop_host"}


def test_wheel_serves_every_python_from_3_10(wheel: Path) -> None:
    assert "-cp310-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        extensions = [name for name in archive.namelist() if "/_kernels." in name]
    assert sorted(extensions) == ["byteprop/_kernels.abi3.so", "byteprop/_kernels.pyi"]


def test_wheel_carries_an_executable_host_board(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        entry = archive.getinfo("byteprop/_bin/byteprop-device")
        assert (entry.external_attr >> 16) & stat.S_IXUSR
        assert archive.read(entry)[:4] == b"\x7fELF"


# --- installed, without a compiler, under other versions of Python and NumPy --------------------

# The oldest NumPy that is allowed and has wheels for this Python, and the newest.
INSTALLATIONS = [
    ("3.10", "numpy==1.24.*"),
    ("3.10", "numpy>=2"),
    ("3.11", "numpy==1.24.*"),
    ("3.11", "numpy>=2"),
    ("3.12", "numpy==1.26.*"),
    ("3.12", "numpy>=2"),
    ("3.13", "numpy>=2"),
]


def find_python(version: str) -> Path:
    """An interpreter of that version: this one, on PATH, or one of pyenv's."""
    if version == ".".join(map(str, sys.version_info[:2])):
        return Path(sys.executable)
    install = runpy.run_path(str(ROOT / "scripts/packaging/install.py"))
    found: Path | None = install["interpreter"](version)
    if found is None:
        pytest.skip(f"Python {version} with venv is not installed")
    return found


@pytest.mark.download
@pytest.mark.parametrize(("version", "numpy"), INSTALLATIONS)
def test_wheel_works_without_a_compiler(
    version: str, numpy: str, wheel: Path, package_index: None, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([find_python(version), "-m", "venv", venv], check=True)
    python = venv / "bin/python"
    installed = pip(python, "install", "--only-binary=:all:", f"{wheel}[host]", numpy)
    assert installed.returncode == 0, installed.stdout + installed.stderr

    # Nothing but the environment's own programs: no compiler, no toolchain, no checkout.
    empty = {"PATH": str(venv / "bin"), "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    assert shutil.which("gcc", path=empty["PATH"]) is None
    verified = subprocess.run(
        [
            venv / "bin/byteprop", "verify", EXAMPLE / "fashion_mlp.tflite", "--board", "host",
            "--data", EXAMPLE / "t10k-1000.npz", "--json",
        ],
        cwd=tmp_path,
        env=empty,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["identical"] is True

    told = subprocess.run(
        [python, "-c", "import byteprop, numpy; print(byteprop.__file__, numpy.__version__)"],
        cwd=tmp_path, env=empty, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert Path(told[0]).is_relative_to(venv)
    assert (told[1] >= "2") is (numpy == "numpy>=2"), told[1]
    assert os.access(Path(told[0]).parent / "_bin/byteprop-device", os.X_OK)
