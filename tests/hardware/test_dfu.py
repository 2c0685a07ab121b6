"""dfu-util, unmodified, writes through the USB boot loader in the ROM of an emulated STM32F405."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from stand import BYTEPROP, Result, need, run_with

MODEL = str(Path(__file__).resolve().parents[1] / "data" / "models" / "digits_mlp.tflite")
BOARD = "netduinoplus2"
SERIAL, OTHER = "336D385B3038", "336D385B3039"


@pytest.fixture(autouse=True)
def tool() -> None:
    need("dfu-util")


def boot_loader(**changes: Any) -> dict[str, Any]:
    return {"kind": "dfuse", "chip": "stm32f405", "serial": SERIAL, **changes}


def flash(*more: str) -> list[str]:
    return [BYTEPROP, "flash", "--board", f"{BOARD}:dfu-util", "--model", MODEL, *more]


def firmware() -> bytes:
    made = build(load_board(BOARD), byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def test_every_byte_is_written_and_the_model_verified(tmp_path: Path) -> None:
    """The program that the boot loader starts answers over an adapter at the chip's pins."""
    adapter = ("--port", "/dev/ttyUSB0")
    verify = [BYTEPROP, "verify", MODEL, "--board", BOARD, "-n", "2", "--no-report", *adapter]
    result = run_with(
        [boot_loader(port="ttyUSB0")],
        flash(*adapter),
        verify,
        folder=tmp_path,
    )
    written, verified = result.runs
    assert written.code == 0, written.text
    assert verified.code == 0, verified.text
    assert verified.out.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
    expected, memory = firmware(), result.devices[0].memory
    assert memory[: len(expected)] == expected
    assert set(memory[len(expected) :]) == {0xFF}
    assert result.devices[0].state["faults"] == []


def test_the_chosen_boot_loader_of_two_is_written(tmp_path: Path) -> None:
    two = [boot_loader(), boot_loader(serial=OTHER, port="ttyUSB0")]
    result = run_with(two, flash("--probe", OTHER, "--port", "/dev/ttyUSB0"), folder=tmp_path)
    assert result.runs[0].code == 0, result.runs[0].text
    assert [d.state["written"] > 0 for d in result.devices] == [False, True]


# --- what goes wrong ---


def failed(result: Result) -> str:
    (run,) = result.runs
    assert run.code == 2, run.text
    assert "Traceback" not in run.err
    return run.err.removeprefix(f"byteprop: error: {BOARD}: ")


def test_no_boot_loader(tmp_path: Path) -> None:
    text = failed(run_with([], flash(), folder=tmp_path))
    assert text.startswith("no board found: dfu-util writes through the USB device 0483:df11")


def test_two_are_listed(tmp_path: Path) -> None:
    two = [boot_loader(), boot_loader(serial=OTHER)]
    text = failed(run_with(two, flash(), folder=tmp_path))
    assert text.startswith("2 probes are plugged in; choose one:")
    assert f"--probe {SERIAL}" in text and f"--probe {OTHER}" in text


def test_no_permission(tmp_path: Path) -> None:
    text = failed(run_with([boot_loader(forbidden=True)], flash(), folder=tmp_path))
    assert text.startswith("no permission to use STM32  BOOTLOADER")
    assert "byteprop boards --udev" in text


def test_a_chip_with_less_flash(tmp_path: Path) -> None:
    other = boot_loader(boot_loader={"layout": "04*002Kg"})
    text = failed(run_with([other], flash(), folder=tmp_path))
    assert "this is another chip than expected: is --board right?" in text.splitlines()[0]


@pytest.mark.parametrize("transfers", [30, 60])
def test_unplugged_in_the_middle(transfers: int, tmp_path: Path) -> None:
    text = failed(run_with([boot_loader(unplugged_after=transfers)], flash(), folder=tmp_path))
    assert "the board was unplugged: plug it in and write again" in text.splitlines()[0]
