"""Every statement that sets up UART and timer of the AVR boards is needed: firmware without one of
them breaks a rule of models/avr_strict.c, or does not answer."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import Board, boards_root, load_board
from byteprop_host.boards.runner import Simavr
from byteprop_host.errors import ToolMissingError
from byteprop_host.firmware.build import build, compiler
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import Message
from mutants import statements, with_mutant

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "data" / "models" / "regression_1x1.tflite"
BOARDS = ("arduino-uno", "arduino-mega")
UART, TIMER = "soc/atmega328p/uart.c", "arch/avr/timer1.c"


@pytest.fixture(scope="session")
def chip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that is a strict AVR."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("not installed: cc")
    made = tmp_path_factory.mktemp("avr") / "avr_strict"
    source = HERE / "models" / "avr_strict.c"
    line = f"-I{boards_root() / 'simulators'}"
    command = [cc, "-std=c99", "-O2", line, str(source), "-lsimavr", "-lm", "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "simavr" in done.stderr and "No such file" in done.stderr:
        pytest.skip("not installed: libsimavr-dev")
    assert done.returncode == 0, done.stderr
    return str(made)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants")


def _text(file: str) -> str:
    return (boards_root() / file).read_text(encoding="utf-8")


def _timer_statements() -> list[tuple[int, int]]:
    """Assignments of bp_ticks_init."""
    text = _text(TIMER)
    begin = text.index("void bp_ticks_init")
    found = re.finditer(r"^ +(\w+ = [^;]+;)$", text[begin : text.index("\n}", begin)], re.M)
    return [(begin + f.start(1), begin + f.end(1)) for f in found]


MUTANTS = [
    *((UART, *place) for place in statements(_text(UART))),
    *((TIMER, *place) for place in _timer_statements()),
]


def _program(board: Board) -> str:
    try:
        compiler(board)
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    return str(build(board, byteprop.load(MODEL).image).binary)


def _outcome(chip: str, board: Board) -> tuple[bool, set[str]]:
    """Whether the program answers ECHO, and which rules it breaks."""
    mcu = next(r.mcu for r in board.runners if isinstance(r, Simavr))
    command = [chip, mcu, str(board.clock.hz), str(board.serial.baud), _program(board)]
    echo = encode_frame(Frame(Message.ECHO))
    done = subprocess.run(command, input=echo, capture_output=True, timeout=60, check=True)
    return bool(Decoder().feed(done.stdout)), set(done.stderr.decode().splitlines())


@pytest.mark.parametrize("name", BOARDS)
def test_the_program_answers(name: str, chip: str) -> None:
    assert _outcome(chip, load_board(name)) == (True, set())


@pytest.mark.parametrize(("file", "begin", "end"), MUTANTS)
def test_no_statement_can_be_left_out(
    file: str, begin: int, end: int, chip: str, folder: Path
) -> None:
    board = with_mutant(load_board("arduino-uno"), folder, file, begin, end)
    answered, broken = _outcome(chip, board)
    assert broken or not answered, f"answers without: {_text(file)[begin:end]}"


def test_the_mutants_are_those_of_both_files() -> None:
    left_out = [_text(file)[begin:end].split(" ")[0] for file, begin, end in MUTANTS]
    assert left_out == [
        *("UBRR0", "UCSR0A", "UCSR0C", "UCSR0B", "UDR0", "while"),
        *("TCCR1A", "TCCR1B", "TIMSK1"),
    ]
