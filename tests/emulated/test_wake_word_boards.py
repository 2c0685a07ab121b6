"""The wake word on an emulated Cortex-M4: as a firmware that makes features itself, and as a model
with state behind the link. Every byte equals this computer's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from byteprop_host.boards.board import load_board
from emulation import require

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/wake_word"
SECONDS = "6"


def run(*command: str | Path) -> str:
    done = subprocess.run(
        command,
        cwd=EXAMPLE / "firmware",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listen(*args: str) -> str:
    return run(sys.executable, EXAMPLE / "listen.py", "--made", SECONDS, "--fast", *args)


def steps(printed: str) -> int:
    found = re.search(r"identical: (\d+) of \1 steps gave this computer's bytes", printed)
    assert found is not None, printed
    return int(found[1])


def heard(printed: str) -> list[str]:
    return re.findall(r"^[\d.]+ s: .*$", printed, re.M)


def test_the_firmware_hears_what_this_computer_hears(tmp_path: Path) -> None:
    for tool in ("make", "arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"not installed: {tool}")
    build = ("BOARD=mps2_an386", f"BUILD={tmp_path}", f"PYTHON={sys.executable}")
    run("make", "-s", *build)
    emulator = re.search(r"PROGRAM := (qemu.*?-kernel) ", makefile(), re.S)
    assert emulator is not None
    command = emulator[1].replace("\\\n", " ")
    printed = listen("--program", f"{command} {tmp_path / 'firmware.elf'}")
    assert steps(printed) == 99
    assert heard(printed) == heard(listen()) != []


def makefile() -> str:
    return (EXAMPLE / "firmware/Makefile").read_text()


def test_the_network_with_its_state_behind_the_link() -> None:
    require(load_board("mps2-an386"))
    printed = listen("--board", "mps2-an386")
    assert steps(printed) == 99
    assert heard(printed) == heard(listen()) != []
    found = re.search(r"([\d,]+) instructions per step", printed)
    assert found is not None
    assert 20_000 < int(found[1].replace(",", "")) < 66_000
