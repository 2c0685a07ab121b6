"""A model with state on emulated boards: the same bits, also when a board is reset in between."""

from __future__ import annotations

import pytest
from streaming_network import steps, streaming_graph

from byteprop import Model, image
from byteprop_host.boards.board import load_board
from emulation import FLASH, opened, require, strict

BOARDS = ("mps2-an386", "mps2-an385", "microbit", "rv32-virt", "arduino-mega")


@pytest.mark.parametrize("name", BOARDS)
def test_steps_are_the_same_on_the_board(name: str) -> None:
    board = require(load_board(name))
    graph = streaming_graph()
    encoded = image.encode(graph, names=False)
    inputs = [row.tobytes() for row in steps(24)]
    expected = [row.tobytes() for row in Model(graph).run(steps(24), steps=True)]
    with opened(board, strict(board, encoded)) as (running, device):
        device.select(FLASH, image=encoded)
        assert [device.infer(x).output for x in inputs[:8]] == expected[:8]
        running.reset()
        assert [a.output for a in device.infer_stream(inputs[8:])] == expected[8:]
        device.reset_state()
        assert device.infer(inputs[0]).output == expected[0]
