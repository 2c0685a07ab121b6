"""Every statement that sets up clock, pins and UART is needed: firmware without one of them does
not answer on a UART that is as strict as a real one. Emulators forgive most of these mistakes."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="emulates the chips")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import Board, boards_root, load_board
from byteprop_host.firmware.build import build
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import Message
from models.plain import BOARDS, load

_START, _ANSWER = 300_000, 300_000  # instructions
_STEP = 2_000
MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "regression_1x1.tflite"


def _soc_files(board: Board) -> list[Path]:
    folders = [boards_root() / part for part in board.build.parts if part.startswith("soc/")]
    return sorted(f for folder in folders for f in folder.glob("*.c"))


def _function_bodies(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each body, comments blanked out by the caller."""
    for found in re.finditer(r"^[a-z][^;{}()]*\([^;{}]*\) \{$", text, re.MULTILINE):
        end = text.index("\n}\n", found.end())
        if "bp_soc_irq" not in found.group() and "ticks" not in found.group():
            yield found.end(), end


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Assignments to registers in the functions that set up and send."""
    blank = re.sub(r"/\*.*?\*/", lambda m: " " * len(m.group()), text, flags=re.DOTALL)
    for begin, end in _function_bodies(blank):
        for found in re.finditer(r"^ +([A-Z*][^;{}=]*? [|&]?= [^;]+;)$", blank[begin:end], re.M):
            yield begin + found.start(1), begin + found.end(1)
        for found in re.finditer(r"^ +((?:set_field|give_pin)\([^;]+;)$", blank[begin:end], re.M):
            yield begin + found.start(1), begin + found.end(1)
        for found in re.finditer(r"^ +(while \((?!n--)[^\n]*\) \{\n +\})$", blank[begin:end], re.M):
            yield begin + found.start(1), begin + found.end(1)


def _mutants() -> list[tuple[str, int, int]]:
    """File and place of each statement."""
    files = {f for name in BOARDS for f in _soc_files(load_board(name))}
    return [
        (file.relative_to(boards_root()).as_posix(), begin, end)
        for file in sorted(files)
        if file.name not in ("flash.c", "ticks.c", "start.c")
        for begin, end in _statements(file.read_text(encoding="utf-8"))
    ]


def _users(file: str) -> list[str]:
    """The boards that a file is compiled for."""
    return [n for n in BOARDS if boards_root() / file in _soc_files(load_board(n))]


def _program(board: Board) -> bytes:
    """With a model: without one there would be a pool to zero."""
    made = build(board, byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def _with_mutant(board: Board, folder: Path, file: str, begin: int, end: int) -> Board:
    """The board with its chip's files beside its board.toml, one of them without a statement."""
    home = folder / board.name
    home.mkdir()
    for part in (p for p in board.build.parts if p.startswith("soc/")):
        for source in (boards_root() / part).glob("*.[chS]"):
            shutil.copy(source, home)
    mutated = home / Path(file).name
    text = mutated.read_text(encoding="utf-8")
    mutated.write_text(text[:begin] + ";" + text[end:], encoding="utf-8")
    parts = tuple(p for p in board.build.parts if not p.startswith("soc/"))
    flags = (*board.build.flags, "-Wno-unused")
    settings = replace(board.build, parts=parts, flags=flags)
    return replace(board, build=settings, folder=home)


def _answers(name: str, program: bytes) -> tuple[bool, list[str]]:
    """Whether the program answers ECHO with a whole frame, and what it did wrong."""
    chip = BOARDS[name]()
    load(chip, program, load_board(name).memory.flash_origin)
    for _ in range(_START // _STEP):
        chip.run(_STEP)
    chip.uart.line.to_chip += encode_frame(Frame(Message.ECHO))
    decoder = Decoder()
    for _ in range(_ANSWER // _STEP):
        chip.run(_STEP)
        if decoder.feed(chip.uart.line.taken()):
            return True, chip.faults
    return False, chip.faults


@pytest.mark.parametrize("name", BOARDS)
def test_the_program_answers(name: str) -> None:
    assert _answers(name, _program(load_board(name))) == (True, [])


@pytest.mark.parametrize(("file", "begin", "end"), _mutants())
def test_no_statement_can_be_left_out(file: str, begin: int, end: int, tmp_path: Path) -> None:
    """On one of the boards at least: some statements are compiled for one of two UARTs."""
    for name in _users(file):
        board = _with_mutant(load_board(name), tmp_path, file, begin, end)
        answered, faults = _answers(name, _program(board))
        if not answered or faults:
            return
    left_out = (boards_root() / file).read_text(encoding="utf-8")[begin:end]
    pytest.fail(f"answers without: {left_out}")
