"""A model that is fed row by row on emulated boards: the same bits as the whole model, while the
rows come over the line and when the board is reset in the middle of an image."""

from __future__ import annotations

import pytest
from fed_network import ROW, fed_graph, frames, whole_graph

from byteprop import Model, image
from byteprop_host.boards.board import load_board
from emulation import FLASH, opened, require, strict


@pytest.mark.parametrize("name", ["mps2-an386", "microbit"])
def test_rows_give_the_same_answers(name: str) -> None:
    board = require(load_board(name))
    encoded = image.encode(fed_graph(), names=False)
    inputs = [frame.tobytes() for frame in frames(6)]
    expected = [y.tobytes() for y in Model(whole_graph()).run(frames(6))]
    with opened(board, strict(board, encoded)) as (running, device):
        device.select(FLASH)
        for row in range(0, len(inputs[0]) - ROW, ROW):
            assert device.feed(inputs[0][row : row + ROW]) is None
            if row == 7 * ROW:
                running.reset()
        answer = device.feed(inputs[0][-ROW:])
        assert answer is not None and answer.output == expected[0]
        assert [a.output for a in device.infer_stream(inputs[1:])] == expected[1:]
