"""The flash tools that people use, unmodified, on emulated debug probes with emulated chips."""

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

# Boards, their probes and chips, and each tool that board.toml has for them.
PROBES = {
    "microbit": {"kind": "cmsis-dap", "chip": "nrf51822", "serial": "99000001"},
    "microbit-v2": {"kind": "cmsis-dap", "chip": "nrf52833", "serial": "99050001"},
    "nucleo-f446re": {"kind": "st-link", "chip": "stm32f446", "serial": "066DFF495051717867000001"},
}
TOOLS = [
    ("microbit", "openocd"),
    ("microbit", "pyocd"),
    ("microbit-v2", "openocd"),
    ("microbit-v2", "pyocd"),
    ("nucleo-f446re", "openocd"),
    ("nucleo-f446re", "st-flash"),
]


def probe(board: str, **changes: Any) -> dict[str, Any]:
    return {**PROBES[board], **changes}


def firmware_of(board: str) -> bytes:
    import byteprop

    made = build(load_board(board), byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def flash(board: str, tool: str, *more: str) -> list[str]:
    return [BYTEPROP, "flash", "--board", f"{board}:{tool}", "--model", MODEL, *more]


@pytest.mark.parametrize(("board", "tool"), TOOLS)
def test_a_tool_writes_every_byte(board: str, tool: str, tmp_path: Path) -> None:
    """And the program that it started answers."""
    need(tool)
    result = run_with([probe(board, port="ttyACM0")], flash(board, tool), folder=tmp_path)
    written = firmware_of(board)
    assert result.runs[0].code == 0, result.runs[0].text
    assert result.devices[0].memory[: len(written)] == written
    assert result.devices[0].state["faults"] == []


@pytest.mark.parametrize(("board", "tool"), TOOLS[2:])
def test_verify_finds_probe_and_port(board: str, tool: str, tmp_path: Path) -> None:
    """From the model to the verdict: built, written by the tool, run by the chip, compared."""
    need(tool)
    result = run_with(
        [probe(board, port="ttyACM0")],
        [BYTEPROP, "verify", MODEL, "--board", f"{board}:{tool}", "-n", "2", "--no-report"],
        folder=tmp_path,
        timeout=200,
    )
    (run,) = result.runs
    assert run.code == 0, run.text
    assert run.out.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
    assert result.devices[0].state["faults"] == []


# --- what goes wrong ---


def failed(result: Result) -> str:
    (run,) = result.runs
    assert run.code == 2, run.text
    assert "Traceback" not in run.err
    return run.err


def test_no_board(tmp_path: Path) -> None:
    need("openocd")
    text = failed(run_with([], flash("microbit-v2", "openocd"), folder=tmp_path))
    assert "no board found" in text and "0d28:0204" in text


def test_two_probes_are_listed(tmp_path: Path) -> None:
    need("openocd")
    two = [probe("microbit-v2"), probe("microbit-v2", serial="99050002")]
    text = failed(run_with(two, flash("microbit-v2", "openocd"), folder=tmp_path))
    assert "2 probes are plugged in; choose one:" in text
    assert "--probe 99050001" in text and "--probe 99050002" in text


@pytest.mark.parametrize("tool", ["openocd", "pyocd"])
def test_the_chosen_probe_of_two_writes(tool: str, tmp_path: Path) -> None:
    """And the port of that probe is the one that is listened to."""
    need(tool)
    two = [
        probe("microbit-v2", port="ttyACM0"),
        probe("microbit-v2", port="ttyACM1", serial="99050002"),
    ]
    command = flash("microbit-v2", tool, "--probe", "99050002")
    result = run_with(two, command, folder=tmp_path)
    assert result.runs[0].code == 0, result.runs[0].text
    assert "ttyACM1" in result.runs[0].out
    assert [d.state["written"] > 0 for d in result.devices] == [False, True]


@pytest.mark.parametrize(("board", "tool"), TOOLS[2:])
def test_no_power(board: str, tool: str, tmp_path: Path) -> None:
    need(tool)
    dead = [probe(board, powered=False)]
    text = failed(run_with(dead, flash(board, tool), folder=tmp_path))
    assert "power" in text.splitlines()[0]


def test_no_permission(tmp_path: Path) -> None:
    need("openocd")
    closed = [probe("microbit-v2", forbidden=True)]
    text = failed(run_with(closed, flash("microbit-v2", "openocd"), folder=tmp_path))
    assert "no permission to use Emulated CMSIS-DAP" in text
    assert "byteprop boards --udev" in text


@pytest.mark.parametrize(
    ("board", "tool", "transfers"),
    [
        ("microbit-v2", "openocd", 300),
        ("microbit-v2", "pyocd", 300),
        # OpenOCD asks an ST-LINK that is gone again and again: it is ended after a minute.
        pytest.param("nucleo-f446re", "openocd", 300, marks=pytest.mark.slow),
        ("nucleo-f446re", "st-flash", 100),
    ],
)
def test_unplugged_in_the_middle(board: str, tool: str, transfers: int, tmp_path: Path) -> None:
    need(tool)
    short = [probe(board, unplugged_after=transfers)]
    text = failed(run_with(short, flash(board, tool), folder=tmp_path))
    assert "the board was unplugged: plug it in and write again" in text.splitlines()[0]


@pytest.mark.parametrize(("board", "tool"), TOOLS[2:])
def test_another_chip(board: str, tool: str, tmp_path: Path) -> None:
    need(tool)
    other = "stm32f446" if board == "microbit-v2" else "nrf52833"
    text = failed(run_with([probe(board, chip=other)], flash(board, tool), folder=tmp_path))
    assert "another chip" in text.splitlines()[0]
