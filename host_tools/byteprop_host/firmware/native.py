"""The device program as a native executable: the wheel's, or compiled from a checkout."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import byteprop
from byteprop.support import paths
from byteprop_host.boards.board import Board, boards_root
from byteprop_host.console import Progress
from byteprop_host.errors import BuildError, ToolMissingError
from byteprop_host.firmware.c_source import Headers
from byteprop_host.firmware.firmware import Firmware, cache_dir, placed_at_once
from byteprop_host.firmware.objects import Compiler, CompileUnit
from byteprop_host.firmware.subprocesses import run_tool

_NAME = "byteprop-device"
NO_PTY = (
    "the board `host` and emulated boards need a pseudo-terminal, which Windows does not have. Use "
    "a board on a USB cable (`byteprop boards` lists what is plugged in), or run byteprop in the "
    "Windows Subsystem for Linux."
)


def native_firmware(board: Board, defines: Mapping[str, str], progress: Progress) -> Firmware:
    """The executable for the board `host`. A checkout's is compiled, so that it is current."""
    if sys.platform == "win32":
        raise BuildError(NO_PTY)
    carried = Path(byteprop.__file__).resolve().parent / "_bin" / _NAME
    recipe = _recipe()
    cc = shutil.which("cc") or shutil.which("gcc")
    if carried.is_file() and not defines and (recipe is None or cc is None):
        return _firmware(board, carried, 0)
    if recipe is None:
        raise BuildError(
            f"{board.name}: this installation does not include {_NAME} with {dict(defines)}; use a "
            "checkout of the sources"
        )
    if cc is None:
        raise ToolMissingError("cc is not installed: sudo apt-get install gcc libc6-dev")
    return _compiled(board, recipe, cc, defines, progress)


def _recipe() -> ModuleType | None:
    """runtime/build_device.py of a checkout, which also builds the wheel."""
    file = paths.csrc().parent / "runtime" / "build_device.py"
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location("byteprop_build_device", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compiled(
    board: Board, recipe: ModuleType, cc: str, defines: Mapping[str, str], progress: Progress
) -> Firmware:
    csrc, boards = paths.csrc(), boards_root()
    of_sources = int(recipe.host_build_id(csrc, boards))
    build_id = of_sources ^ zlib.crc32(repr(sorted(defines.items())).encode())
    target = cache_dir() / "native" / f"{build_id:016x}" / _NAME
    if not target.is_file():
        flags, macros = recipe.host_settings(boards, of_sources, defines)
        headers = Headers((csrc / "include", csrc))
        units = [
            CompileUnit.of(file, flags=flags, defines=macros, headers=headers)
            for file in recipe.host_sources(csrc, boards)
        ]
        objects = Compiler(Path(cc), ((csrc, "csrc"), (boards, "boards"))).compile_all(
            units, progress
        )
        with placed_at_once(target) as made:
            run_tool(cc, [*flags, *objects, "-o", made], csrc)
    return _firmware(board, target, build_id)


def _firmware(board: Board, program: Path, build_id: int) -> Firmware:
    return Firmware(
        board=board,
        elf=program,
        hex=None,
        uf2=None,
        binary=None,
        build_id=build_id,
        flash_bytes=0,
        ram_bytes=0,
        model_bytes=0,
        sizes={},
    )
