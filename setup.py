"""Packages, their folders, the extension, and what else a wheel carries; everything else
is in pyproject.toml."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent
# Folder of the checkout -> where the wheel carries it, so that `pip install` is enough to build
# firmware. An editable install finds the checkout's instead (byteprop.support.paths).
BUNDLED = {"csrc": "byteprop/_csrc", "boards": "byteprop/_boards", "docs": "byteprop/_docs"}
NOT_BUNDLED = shutil.ignore_patterns("__pycache__", "*.o", "*.elf", "*.so", "*.ipynb", ".*")

NO_COMPILER = """\
byteprop is built from its sources here, which needs a C compiler and Python's headers:
    Debian, Ubuntu, Raspberry Pi OS    sudo apt-get install gcc libc6-dev python3-dev
    Fedora                             sudo dnf install gcc python3-devel
    Alpine                             sudo apk add gcc musl-dev python3-dev
    macOS                              xcode-select --install
    Windows                            none: take the wheel
Wheels need neither; pip takes one by itself if there is one for this computer."""


def compiler() -> list[str]:
    """The C compiler with its arguments: the environment's, Python's own, or what there is."""
    own = sysconfig.get_config_var("CC") or "cc"
    given = os.environ.get("CC")
    for command in [given] if given else [own, "cc", "gcc", "clang"]:
        if shutil.which(shlex.split(command)[0]):
            return shlex.split(command)
    raise SystemExit(f"There is no C compiler.\n{NO_COMPILER}")


def check_headers() -> None:
    # A cross compiler brings them by its own arguments.
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if "CC" not in os.environ and not headers.is_file():
        raise SystemExit(f"There is no {headers}.\n{NO_COMPILER}")


def build_device(folder: Path) -> None:
    """The device program as a native process, the board `host`: it needs a pseudo-terminal."""
    if sysconfig.get_platform().startswith("win"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    script = runpy.run_path(str(ROOT / "runtime/build_device.py"))
    try:
        script["build_host_device"](compiler(), folder / "byteprop-device")
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{shlex.join(error.cmd)}\n{error.stderr}") from None


class BuildPackages(build_py):
    """Copies files from outside the packages' own folders, and compiles the host board."""

    def run(self) -> None:
        compiler()
        check_headers()
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


class BuildExtension(build_ext):
    """Takes the compiler that there is when Python's own is not."""

    def run(self) -> None:
        os.environ.setdefault("CC", shlex.join(compiler()))
        super().run()


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


def project_urls() -> dict[str, str]:
    """Links of the package's page, made of the one address in pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        base = tomllib.load(file)["tool"]["byteprop"]["repository"]
    return {
        "Homepage": base,
        "Documentation": f"{base}/blob/main/docs/README.md",
        "Changelog": f"{base}/blob/main/CHANGELOG.md",
        "Issues": f"{base}/issues",
    }


setup(
    project_urls=project_urls(),
    packages=[
        *find_packages("runtime", include=["byteprop", "byteprop.*"]),
        *find_packages("host_tools", include=["byteprop_host", "byteprop_host.*"]),
    ],
    package_dir={
        "byteprop": "runtime/byteprop",
        "byteprop_host": "host_tools/byteprop_host",
    },
    cffi_modules=["runtime/build_kernels.py:ffibuilder"],
    cmdclass={
        "build_py": BuildPackages,
        "build_ext": BuildExtension,
        "editable_wheel": EditableWheel,
    },
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
