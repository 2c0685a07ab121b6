"""Every statement that sets up clock, pins and UART is needed: firmware without one of them does
not answer on a UART that is as strict as a real one. Emulators forgive most of these mistakes."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="emulates the chips")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import Board, boards_root, load_board
from byteprop_host.firmware.build import build
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import PROTOCOL_VERSION, Message
from models.chip import Chip
from models.plain import BOARDS, load
from models.riscv import RiscvChip
from mutants import soc_files, statements, with_mutant

_START, _ANSWER = 600_000, 300_000  # instructions
_STEP = 2_000
_QUESTIONS = 12  # whose answers are more than any UART's FIFO holds
MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "regression_1x1.tflite"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants")


def _mutants() -> list[tuple[str, int, int]]:
    """File and place of each statement."""
    files = {f for name in BOARDS for f in soc_files(load_board(name))}
    return [
        (file.relative_to(boards_root()).as_posix(), begin, end)
        for file in sorted(files)
        if file.name not in ("flash.c", "ticks.c", "start.c")
        for begin, end in statements(file.read_text(encoding="utf-8"))
    ]


def _users(file: str) -> list[str]:
    """The boards that a file is compiled for."""
    return [n for n in BOARDS if boards_root() / file in soc_files(load_board(n))]


def _program(board: Board) -> bytes:
    """With a model: without one there would be a pool to zero."""
    made = build(board, byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def answers(name: str, program: bytes) -> tuple[bool, list[str]]:
    """Whether the program answers each question, also after it has reset the chip, and what it did
    wrong."""
    chip = BOARDS[name]()
    load(chip, program, load_board(name).memory.flash_origin)
    echo, reset = Frame(Message.ECHO), Frame(Message.RESET, 1, ack=1)
    hello = Frame(Message.HELLO, payload=struct.pack("<BI", PROTOCOL_VERSION, 1))
    for life in (([echo], [echo] * _QUESTIONS, [hello], [reset]), ([hello],)):
        for _ in range(_START // _STEP):
            chip.run(_STEP)
        if not all(_answers_to(chip, questions) for questions in life):
            return False, chip.faults
    return True, chip.faults


def _answers_to(chip: Chip | RiscvChip, questions: list[Frame]) -> bool:
    """Sends them at once."""
    chip.uart.line.to_chip += b"".join(map(encode_frame, questions))
    decoder, answers = Decoder(), 0
    for _ in range(_ANSWER // _STEP):
        chip.run(_STEP)
        answers += len(decoder.feed(chip.uart.line.taken()))
        if answers == len(questions):
            return True
    return False


@pytest.mark.parametrize("name", BOARDS)
def test_the_program_answers(name: str) -> None:
    assert answers(name, _program(load_board(name))) == (True, [])


@pytest.mark.parametrize(("file", "begin", "end"), _mutants())
def test_no_statement_can_be_left_out(file: str, begin: int, end: int, folder: Path) -> None:
    """On one of the boards at least: some statements are compiled for one of two UARTs."""
    for name in _users(file):
        board = with_mutant(load_board(name), folder, file, begin, end)
        answered, faults = answers(name, _program(board))
        if not answered or faults:
            return
    left_out = (boards_root() / file).read_text(encoding="utf-8")[begin:end]
    pytest.fail(f"answers without: {left_out}")
