"""A source distribution and a wheel of the present tree, made once for all tests here."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from package_index import pip
from package_tree import ROOT, copy_of_the_tree, run


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
