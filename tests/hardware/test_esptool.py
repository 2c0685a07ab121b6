"""esptool, unmodified, writes through the boot loader of an ESP32-C3, and the program that it wrote
then runs there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from stand import BYTEPROP, Result, need, run_with

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
MODEL = str(MODELS / "digits_mlp.tflite")
BOARDS = ["esp32-c3-devkit"]
(BOARD,) = BOARDS


def plugged(**changes: Any) -> dict[str, Any]:
    need("esptool", "riscv64-unknown-elf-gcc")
    return {"kind": "esp", "serial": "ESP0001", "port": "ttyUSB0", **changes}


def firmware() -> bytes:
    import byteprop

    made = build(load_board(BOARD), byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def test_every_byte_is_written_and_the_model_verified(tmp_path: Path) -> None:
    """From the model to the verdict. The last command finds the firmware and writes nothing."""
    verify = [BYTEPROP, "verify", MODEL, "--board", BOARD, "-n", "2", "--no-report"]
    reset = [BYTEPROP, "flash", "--board", BOARD, "--reset"]
    result = run_with([plugged()], verify, reset, verify, folder=tmp_path)
    for run in result.runs:
        assert run.code == 0, run.text
    for run in (result.runs[0], result.runs[2]):
        assert run.out.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
    written, (device,) = firmware(), result.devices
    assert device.memory[: len(written)] == written
    assert set(device.memory[len(written) :]) == {0xFF}
    assert device.state["faults"] == []


def test_the_chosen_board_of_two_is_written(tmp_path: Path) -> None:
    two = [plugged(), plugged(serial="ESP0002", port="ttyUSB1")]
    result = run_with(two, write("/dev/ttyUSB1"), folder=tmp_path)
    assert result.runs[0].code == 0, result.runs[0].text
    written = firmware()
    first, second = (device.memory[: len(written)] for device in result.devices)
    assert second == written
    assert set(first) == {0xFF}


# --- what goes wrong ---

# byteprop itself looks first whether the board answers; here the tool meets the fault.
WRITE = """
import sys
import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.build import build
from byteprop_host.flash import Way, start
board = load_board(sys.argv[1])
firmware = build(board, byteprop.load(sys.argv[2]).image)
try:
    start(board, firmware, way=Way(sys.argv[3] if sys.argv[3:] else None), runner="esptool")
except FlashError as error:
    sys.exit(str(error))
"""


def write(*port: str) -> list[str]:
    return [sys.executable, "-c", WRITE, BOARD, MODEL, *port]


def failed(result: Result) -> str:
    (run,) = result.runs
    assert run.code == 1, run.text
    assert "Traceback" not in run.err
    return run.err.splitlines()[0]


def test_no_board(tmp_path: Path) -> None:
    need("esptool")
    text = failed(run_with([], write(), folder=tmp_path))
    assert "has no serial port on this computer" in text and "10c4:ea60" in text


def test_two_boards_are_listed(tmp_path: Path) -> None:
    two = [plugged(), plugged(serial="ESP0002", port="ttyUSB1")]
    result = run_with(two, write(), folder=tmp_path)
    assert "2 serial ports may be the board's; choose one:" in failed(result)
    assert "--port /dev/ttyUSB1" in result.runs[0].err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chip": "esp32"}, "this is another chip than expected: is --board right?"),
        ({"chip": "esp32s3"}, "this is another chip than expected: is --board right?"),
        ({"chip": "esp32c3-v0.2"}, "revision v0.2 of the chip cannot start from flash"),
        ({"port_state": "forbidden"}, "usermod -aG dialout"),
        ({"port_state": "busy"}, "the port is busy or not there"),
        ({"unplugged_after": 5}, "the board was unplugged"),
        ({"stalls_after": 5}, "the chip stopped answering"),
        pytest.param(
            {"silent": True}, "the chip does not answer: hold BOOT", marks=pytest.mark.slow
        ),
    ],
    ids=lambda value: (
        next(iter(value)) + str(next(iter(value.values()))) if isinstance(value, dict) else None
    ),
)
def test_fault(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    result = run_with([plugged(**changes)], write(), folder=tmp_path)
    assert words in failed(result), result.runs[0].err


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    text = failed(run_with([plugged()], write("/dev/ttyUSB7"), folder=tmp_path))
    assert "the port is busy or not there" in text
