"""dfu-util, unmodified, writes to a boot loader like the Uno R4's, and what that received runs on
the strict model of the chip."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("unicorn", reason="emulates the chip")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from stand import need, run_with
from test_soc_init import answers

MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "digits_mlp.tflite"
BOARD = "arduino-uno-r4-minima"

# The adapter that byteprop would talk over is not there: the model answers below.
WRITE = """
import sys
import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.build import build
from byteprop_host.flash import Way, start
board = load_board(sys.argv[1])
try:
    start(board, build(board, byteprop.load(sys.argv[2]).image), way=Way("/dev/ttyUSB0"))
except FlashError as error:
    sys.exit(str(error))
"""


@pytest.fixture(autouse=True)
def tool() -> None:
    need("dfu-util", "arm-none-eabi-gcc")


def write() -> list[str]:
    return [sys.executable, "-c", WRITE, BOARD, str(MODEL)]


def boot_loader(**changes: Any) -> dict[str, Any]:
    return {"kind": "dfu", "serial": "R40001", **changes}


def test_what_the_boot_loader_received_answers(tmp_path: Path) -> None:
    result = run_with([boot_loader()], write(), folder=tmp_path)
    assert result.runs[0].code == 0, result.runs[0].text
    made = build(load_board(BOARD), byteprop.load(MODEL).image).binary
    assert made is not None
    (device,) = result.devices
    assert device.memory == made.read_bytes()
    assert device.state["manifested"]
    assert answers(BOARD, device.memory) == (True, [])


def test_no_boot_loader(tmp_path: Path) -> None:
    (run,) = run_with([], write(), folder=tmp_path).runs
    assert run.code == 1
    assert "no board found: dfu-util writes through the USB device 2341:0369" in run.err
    assert "press reset twice" in run.err
