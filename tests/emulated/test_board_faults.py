"""FAULT frames: what the board tells before it resets itself, and that it comes back."""

from __future__ import annotations

import pytest

from byteprop.engine._raw import const
from byteprop_host.boards.board import Board
from byteprop_host.errors import DeviceFaultError
from byteprop_host.link import Message
from emulation import opened, strict

CAUSES = {"hard": "BP_FAULT_HARD", "assert": "BP_FAULT_ASSERT", "stack": "BP_FAULT_STACK"}


@pytest.mark.parametrize("cause", list(CAUSES))
def test_a_fault_is_told_and_the_board_comes_back(board: Board, cause: str) -> None:
    firmware = strict(board, BP_APP_TEST_FAULTS="1", BP_ASSERTIONS="1")
    with opened(board, firmware) as (_, device):
        with pytest.raises(DeviceFaultError) as caught:
            device.session.channel.request(Message.TEST_FAULT, bytes([const(CAUSES[cause])]))
        assert caught.value.cause == cause
        if cause == "hard" and board.arch != "avr":
            memory = board.memory
            code = range(memory.flash_origin, memory.flash_origin + memory.flash_bytes)
            assert caught.value.pc in code
        assert device.echo(b"back again") == b"back again"
        assert device.stats().frames > 0
