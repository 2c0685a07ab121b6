"""Packages, their folders, the extension, and what else a wheel carries; everything else
is in pyproject.toml."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
# Folder of the checkout -> where the wheel carries it, so that `pip install` is enough to build
# firmware. An editable install finds the checkout's instead (byteprop.support.paths).
BUNDLED = {"csrc": "byteprop/_csrc", "boards": "byteprop/_boards", "docs": "byteprop/_docs"}
NOT_BUNDLED = shutil.ignore_patterns("__pycache__", "*.o", "*.elf", "*.so", "*.ipynb", ".*")


def build_device(folder: Path) -> None:
    """The device program as a native process, the board `host`: it needs a pseudo-terminal."""
    if sys.platform == "win32":
        return
    folder.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    script = runpy.run_path(str(ROOT / "runtime/build_device.py"))
    try:
        script["build_host_device"](compiler, folder / "byteprop-device")
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{shlex.join(error.cmd)}\n{error.stderr}") from None


class BuildPackages(build_py):
    """Copies files from outside the packages' own folders, and compiles the host board."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            build_device(ROOT / "runtime/byteprop/_bin")
            return
        target = Path(self.build_lib)
        for source, place in BUNDLED.items():
            # A left-over build folder must not bring back files that are gone.
            shutil.rmtree(target / place, ignore_errors=True)
            shutil.copytree(ROOT / source, target / place, ignore=NOT_BUNDLED)
        build_device(target / "byteprop/_bin")


class PathEntries:
    """How an editable install finds the packages: by lines of a .pth file.

    setuptools takes a finder for two folders of packages, which Python asks last. A script next to
    a clone that is called byteprop/ then imports that folder, as a package without contents.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, wheel: Any, files: list[str], mapping: dict[str, str]) -> None:
        lines = "".join(f"{ROOT / folder}\n" for folder in ("runtime", "host_tools"))
        wheel.writestr(f"__editable__.{self.name}.pth", lines)

    def __enter__(self) -> PathEntries:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class EditableWheel(editable_wheel):
    def _select_strategy(self, name: str, *where: Any) -> PathEntries:
        return PathEntries(name)


setup(
    packages=[
        *find_packages("runtime", include=["byteprop", "byteprop.*"]),
        *find_packages("host_tools", include=["byteprop_host", "byteprop_host.*"]),
    ],
    package_dir={
        "byteprop": "runtime/byteprop",
        "byteprop_host": "host_tools/byteprop_host",
    },
    cffi_modules=["runtime/build_kernels.py:ffibuilder"],
    cmdclass={"build_py": BuildPackages, "editable_wheel": EditableWheel},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
