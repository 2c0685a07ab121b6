"""Boards whose set-up lacks one statement."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from byteprop_host.boards.board import Board, boards_root


def _is_set_up(part: str) -> bool:
    return part.startswith("soc/") or part == "arch/plic"


def soc_files(board: Board) -> list[Path]:
    folders = [boards_root() / part for part in board.build.parts if _is_set_up(part)]
    return sorted(f for folder in folders for f in folder.glob("*.c"))


def _function_bodies(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each body, comments blanked out by the caller."""
    for found in re.finditer(r"^[a-z][^;{}()]*\([^;{}]*\) \{$", text, re.MULTILINE):
        end = text.index("\n}\n", found.end())
        if not re.search(r"bp_soc_irq|bp_port_reset|ticks", found.group()):
            yield found.end(), end


def statements(text: str) -> Iterator[tuple[int, int]]:
    """Assignments to registers in the functions that set up and send."""
    blank = re.sub(r"/\*.*?\*/", lambda m: " " * len(m.group()), text, flags=re.DOTALL)
    for begin, end in _function_bodies(blank):
        for found in re.finditer(r"^ +([A-Z*][^;{}=]*? [|&]?= [^;]+;)$", blank[begin:end], re.M):
            yield begin + found.start(1), begin + found.end(1)
        for found in re.finditer(r"^ +((?:set_field|give_pin)\([^;]+;)$", blank[begin:end], re.M):
            yield begin + found.start(1), begin + found.end(1)
        for found in re.finditer(r"^ +(while \((?!n--)[^\n]*\) \{\n +\})$", blank[begin:end], re.M):
            yield begin + found.start(1), begin + found.end(1)


def with_mutant(board: Board, folder: Path, file: str, begin: int, end: int) -> Board:
    """The board with the file's part in its own folder, and the file without a statement. The same
    folder serves all mutants of a board: objects are kept by path."""
    home = folder / board.name
    shutil.rmtree(home, ignore_errors=True)
    parts = []
    for part in board.build.parts:
        if Path(part) == Path(file).parent:
            shutil.copytree(boards_root() / part, home / part)
            part = str(home / part)
        parts.append(part)
    mutated = home / file
    text = mutated.read_text(encoding="utf-8")
    mutated.write_text(text[:begin] + ";" + text[end:], encoding="utf-8")
    flags = (*board.build.flags, "-Wno-unused")
    settings = replace(board.build, parts=tuple(parts), flags=flags)
    return replace(board, build=settings, folder=home)
