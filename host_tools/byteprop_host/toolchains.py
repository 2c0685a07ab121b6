"""Finds installed compilers, emulators and packages, and how to install the missing ones."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from byteprop_host.boards.board import Board
from byteprop_host.boards.runner import Simavr
from byteprop_host.errors import INSTALL_HOST, INSTALL_REFERENCE
from byteprop_host.flash import CableRunner, SimavrRunner, runners

SIMAVR = "libsimavr"


@dataclass(frozen=True)
class Tool:
    """A program or library that some boards need. version is None when it is not installed."""

    program: str
    purpose: str
    boards: tuple[str, ...]
    version: str | None
    path: str | None
    install: str


def find_tools(boards: Iterable[Board]) -> tuple[Tool, ...]:
    """Every compiler and emulator that `boards` name, installed or not."""
    boards = tuple(boards)
    needed: dict[str, tuple[str, str, list[str]]] = {}
    for board in boards:
        if board.is_baked:
            install = _apt(board.build.install)
            _add_need(needed, f"{board.build.toolchain}-gcc", "compiler", install, board)
        if board.emulator is not None:
            install = _apt(board.emulator.install)
            _add_need(needed, board.emulator.program, "emulator", install, board)
        for runner in runners(board):
            if isinstance(runner, CableRunner) and runner.program:
                _add_need(needed, runner.program, "flash tool", runner.runner.install, board)
    programs = tuple(
        Tool(program, purpose, tuple(names), *_version_and_path(program), install)
        for program, (purpose, install, names) in sorted(needed.items())
    )
    return programs + _simavr([(b, r) for b in boards for r in b.runners if isinstance(r, Simavr)])


def _simavr(users: Sequence[tuple[Board, Simavr]]) -> tuple[Tool, ...]:
    """The library, which does not report its version."""
    if not users:
        return ()
    board, runner = users[0]
    probe = SimavrRunner(board, runner).availability()
    version, path = ("unknown", probe.detail) if probe.available else (None, None)
    names = tuple(board.name for board, _ in users)
    return (Tool(SIMAVR, "emulator", names, version, path, runner.install),)


def _add_need(
    needed: dict[str, tuple[str, str, list[str]]],
    program: str,
    purpose: str,
    install: str,
    board: Board,
) -> None:
    names = needed.setdefault(program, (purpose, install, []))[2]
    if board.name not in names:
        names.append(board.name)


def _apt(packages: str) -> str:
    return f"sudo apt-get install {packages}"


def program_version(program: str) -> str | None:
    """Version that a program prints; None if it is not installed."""
    return _version_and_path(program)[0]


def _version_and_path(program: str) -> tuple[str | None, str | None]:
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
    ("tflite-runtime", "tflite_runtime", "reference kernels", INSTALL_REFERENCE),
    ("pyserial", "serial", "serial ports", INSTALL_HOST),
    ("rich", "rich", "progress bars", INSTALL_HOST),
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
