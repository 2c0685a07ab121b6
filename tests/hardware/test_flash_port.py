"""A board whose boot loader has another serial port than the program: the Arduino Nano 33 BLE. Its
tool is in no package index, so a script in its place tells which port it was given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stand import Result, need, run_with

BOARD = "arduino-nano-33-ble"
BOOT_LOADER, ADAPTER = "2341:005a", "0403:6001"

WRITE = """
import os, sys
from byteprop_host.boards.board import load_board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.build import build
from byteprop_host.flash import Way, start
os.environ["PATH"] = sys.argv[1] + os.pathsep + os.environ["PATH"]
board = load_board("arduino-nano-33-ble")
try:
    print(start(board, build(board), way=Way("/dev/ttyUSB0"), runner="bossac").port)
except FlashError as error:
    sys.exit(str(error))
"""


def port(usb: str, name: str, serial: str) -> dict[str, Any]:
    return {"kind": "serial", "usb": usb, "port": name, "serial": serial}


def write(folder: Path, *devices: dict[str, Any]) -> Result:
    """Runs the tool with the devices and an adapter plugged in."""
    need()
    tool = folder / "bin" / "bossac"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" > {folder}/arguments\n', encoding="ascii")
    tool.chmod(0o755)
    command = [sys.executable, "-c", WRITE, str(tool.parent)]
    return run_with([*devices, port(ADAPTER, "ttyUSB0", "A1")], command, folder=folder)


def test_the_tool_gets_the_boot_loaders_port(tmp_path: Path) -> None:
    (run,) = write(tmp_path, port(BOOT_LOADER, "ttyACM0", "N1")).runs
    assert (run.code, run.out) == (0, "/dev/ttyUSB0\n"), run.text
    arguments = (tmp_path / "arguments").read_text(encoding="ascii").split()
    assert arguments[:2] == ["-d", "--port=/dev/ttyACM0"]
    assert arguments[-2].endswith(".bin")


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (
            [],
            "no boot loader found: bossac writes through a serial port with the USB ids 2341:005a",
        ),
        (
            [port(BOOT_LOADER, "ttyACM0", "N1"), port(BOOT_LOADER, "ttyACM1", "N2")],
            "2 boot loaders are plugged in; choose one:",
        ),
    ],
)
def test_none_and_two(devices: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    (run,) = write(tmp_path, *devices).runs
    assert run.code == 1 and "Traceback" not in run.err, run.text
    assert words in run.err
    assert not (tmp_path / "arguments").exists()
