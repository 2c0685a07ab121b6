"""`[proofs]` of every board.toml says exactly what the tests show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="emulates the chips")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_avr_init
import test_avrdude
import test_chips
import test_debug_probes
import test_dfu
import test_esptool
import test_pico
import test_uno_r4
from byteprop_host.boards.board import Board, all_boards
from models.plain import BOARDS as STRICT_MODELS

EMULATORS = ("qemu", "simavr")
STRICT = {*STRICT_MODELS, *test_pico.STRICT_HOST, *test_avr_init.BOARDS}
TOOLS = {
    *test_debug_probes.TOOLS,
    (test_dfu.BOARD, "dfu-util"),
    (test_uno_r4.BOARD, "dfu-util"),
    *((board, "avrdude") for board in test_avrdude.BOARDS),
    *((board, "esptool") for board in test_esptool.BOARDS),
    *((board, "uf2") for board in test_pico.BOARDS),
}


@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.name)
def test_proofs_are_those_of_the_tests(board: Board) -> None:
    cpu = {r.kind for r in board.runners if r.kind in EMULATORS}
    cpu |= {"rp2040js"} if board.name in test_pico.BOARDS else set()
    cpu |= {"unicorn"} if board.name in test_chips.CHIPS else set()
    assert set(board.proofs.cpu) == cpu
    assert board.proofs.set_up == (board.name in STRICT)
    assert {(board.name, tool) for tool in board.proofs.flash_tools} == {
        pair for pair in TOOLS if pair[0] == board.name
    }
    assert board.proofs.hardware == ""  # no test uses a real board


def test_tested_boards_are_described() -> None:
    names = {board.name for board in all_boards()}
    assert {*STRICT, *(board for board, _ in TOOLS), *test_pico.BOARDS} <= names
