"""A source distribution and a wheel of the present tree, made once for all tests here."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from package_index import pip

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, timeout: float = 600.0) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def copy_of_the_tree(folder: Path) -> Path:
    """The files of the repository, with changes that are not committed."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git clone, so the list of files is unknown")
    listed = run("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="session")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("sdist")
    make = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", make, folder, cwd=tree)
    (made,) = folder.glob("*.tar.gz")
    return made


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the unpacked source distribution, as `pip install` does with one."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    make = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    run(sys.executable, "-c", make, folder, cwd=unpacked)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def cross_wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds the wheel for a target of the release's script, once each."""
    folder = tmp_path_factory.mktemp("cross")

    @functools.cache
    def build(target: str) -> Path:
        script = ROOT / "scripts/packaging/wheels.py"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = ("env", f"PATH={path}", sys.executable, script, sdist, "--out", folder / target)
        run(*command, "--only", target, cwd=folder, timeout=600.0)
        (made,) = (folder / target).glob("*.whl")
        return made

    return build


@pytest.fixture(scope="session")
def package_index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """For tests that install packages."""
    folder = tmp_path_factory.mktemp("probe")
    probe = ("download", "--no-deps", "--no-cache-dir", "-d", folder, "tflite")
    if pip(Path(sys.executable), *probe).returncode != 0:
        pytest.skip("no package index can be reached, so nothing can be installed")
