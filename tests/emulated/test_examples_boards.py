"""The lessons in examples/ on emulated boards: the same bits as here, and what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from byteprop_host.boards.board import load_board
from emulation import require

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.timeout(400)


def run(script: str, *args: str, board: str, cwd: Path) -> str:
    """What a lesson prints."""
    require(load_board(board))
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), "--board", board, *args],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=390.0,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_neuron_on_an_arduino_uno(tmp_path: Path) -> None:
    told = run("regression/first_neuron.py", board="arduino-uno", cwd=tmp_path)
    part = told.split("learned in 500 epochs on arduino-uno")[1]
    assert "identical: 1 weights" in part and "after 3,000 updates" in part
    # Of the board, at the six points, by int8 inference; w and b of the same bits here.
    assert "RMSE 0, loss 0 (by the board)" in part
    w, b, at_ten = (
        float(found.group(1))
        for found in (re.search(rf"{name} ([-\d.]+)", part) for name in ("w =", "b =", "x = 10:"))
        if found is not None
    )
    assert abs(w - 2) <= 0.0025 and abs(b + 1) <= 0.0077 and abs(at_ten - 19) <= 0.0172


def test_fashion_on_a_cortex_m4(tmp_path: Path) -> None:
    told = run(
        "fashion_mnist/train.py", "--samples", "300", "--data", str(tmp_path),
        board="mps2-an386", cwd=tmp_path,
    )  # fmt: skip
    assert "identical: 15,880 weights" in told and "after 300 updates" in told
    found = re.search(r"test +accuracy ([\d.]+),.*before training accuracy ([\d.]+)", told)
    assert found is not None, told
    # 300 images are few; guessing is right one time in ten.
    assert float(found.group(1)) >= 0.4 > 0.2 > float(found.group(2))


def test_a_newcomer_on_a_microbit(tmp_path: Path) -> None:
    told = run("activity/activity.py", board="microbit", cwd=tmp_path)
    assert "identical: 384 weights" in told and "after 400 updates" in told
    part = told.split("learned on microbit")[1]
    found = re.search(r"test +accuracy ([\d.]+),.*by the board.*accuracy ([\d.]+)", part)
    assert found is not None, told
    assert float(found.group(1)) >= float(found.group(2)) + 0.15
