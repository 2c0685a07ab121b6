"""Which compilers, emulators and packages are installed, and how to get the others."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from byteprop_host.boards import Board

_DEBIAN_PACKAGES = {
    "arm-none-eabi": "gcc-arm-none-eabi",
    "riscv64-unknown-elf": "gcc-riscv64-unknown-elf",
    "avr": "gcc-avr avr-libc",
}


@dataclass(frozen=True)
class Tool:
    """A program that some boards need. version is None when it is not installed."""

    program: str
    purpose: str
    boards: tuple[str, ...]
    version: str | None
    path: str | None
    install: str


def find_tools(boards: Iterable[Board]) -> tuple[Tool, ...]:
    """Every compiler and emulator that `boards` name, installed or not."""
    wanted: dict[str, tuple[str, str, list[str]]] = {}
    for board in boards:
        prefix = board.build.toolchain
        if prefix != "native":
            package = _DEBIAN_PACKAGES.get(prefix, f"gcc-{prefix}")
            _want(wanted, f"{prefix}-gcc", "compiler", f"apt install {package}", board)
        if board.emulator is not None:
            package = board.emulator.install
            _want(wanted, board.emulator.program, "emulator", f"apt install {package}", board)
        for runner in board.runners:
            if runner.kind == "command":
                _want(wanted, runner.program, "flash tool", runner.install, board)
    return tuple(
        Tool(program, purpose, tuple(names), *_version(program), install)
        for program, (purpose, install, names) in sorted(wanted.items())
    )


def _want(
    wanted: dict[str, tuple[str, str, list[str]]],
    program: str,
    purpose: str,
    install: str,
    board: Board,
) -> None:
    names = wanted.setdefault(program, (purpose, install, []))[2]
    if board.name not in names:
        names.append(board.name)


def _version(program: str) -> tuple[str | None, str | None]:
    path = shutil.which(program)
    if path is None:
        return None, None
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10.0, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown", path
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return (found.group(0) if found else "unknown"), path


@dataclass(frozen=True)
class Package:
    """An optional Python package."""

    name: str
    purpose: str
    version: str | None
    install: str


_PACKAGES = (
    ("tflite-runtime", "tflite_runtime", "reference kernels", "pip install byteprop[reference]"),
    ("pyserial", "serial", "serial ports", "pip install byteprop[host]"),
    ("rich", "rich", "progress bars", "pip install byteprop[host]"),
)


def find_packages() -> tuple[Package, ...]:
    """The optional Python packages."""
    return tuple(
        Package(name, purpose, _package_version(name, module), install)
        for name, module, purpose, install in _PACKAGES
    )


def _package_version(name: str, module: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    if importlib.util.find_spec(module) is None:
        return None
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
