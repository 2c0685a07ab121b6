"""A fault on the board arrives as an error that names it, and the board is usable afterwards.

The firmware is built with the request that provokes faults, for every board that has a toolchain.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from byteprop.engine._raw import const
from byteprop_host.boards.board import all_boards, load_board
from byteprop_host.errors import DeviceFaultError
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, runners, start
from byteprop_host.link import Device, Message
from test_lossy_line import needed_tools

CSRC = Path(__file__).parents[2] / "csrc"
DEFINES = {"BP_APP_TEST_FAULTS": "1", "BP_ASSERTIONS": "1"}
ALL = [
    board.name for board in all_boards() if not all(runner.is_cable for runner in runners(board))
]


@pytest.fixture(scope="module", params=ALL)
def running(request: pytest.FixtureRequest) -> Iterator[RunningBoard]:
    board = load_board(request.param)
    for tool in needed_tools(board):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    with start(board, build(board, defines=DEFINES)) as running:
        yield running


def provoke(running: RunningBoard, cause: str) -> DeviceFaultError:
    with Device.open(running.port) as device:
        assert device.echo(b"before") == b"before"
        payload = bytes([const(f"BP_FAULT_{cause}")])
        with pytest.raises(DeviceFaultError) as caught:
            device.session.channel.request(Message.TEST_FAULT, payload)
        assert device.echo(b"after") == b"after"
    return caught.value


def test_hard_fault(running: RunningBoard) -> None:
    if running.board.arch == "avr":
        pytest.skip(f"{running.board.name}: the CPU knows no hard fault")
    error = provoke(running, "HARD")
    assert error.cause == "hard"
    assert error.pc != 0
    assert f"hard fault at pc {error.pc:#010x}" in str(error)


def test_assertion_names_file_and_line(running: RunningBoard) -> None:
    error = provoke(running, "ASSERT")
    assert error.cause == "assert"
    lines = (CSRC / "app/request_basic.c").read_text().splitlines()
    (line,) = [n for n, text in enumerate(lines, 1) if re.search(r"\bBP_ASSERT\(", text)]
    assert error.address == line
    assert f"an assertion failed in request_basic.c, line {line}" in str(error)


def test_stack_overflow(running: RunningBoard) -> None:
    assert provoke(running, "STACK").cause == "stack"
