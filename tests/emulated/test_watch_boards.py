"""`byteprop watch` on emulated boards: answers, costs, and learning."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main
from emulation import MODELS, require

DIGITS = MODELS / "digits_mlp.tflite"


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    x = np.load(MODELS / "digits_mlp.vectors.npz")["x"][:60]
    np.savez(tmp_path / "digits.npz", x=x, y=byteprop.load(DIGITS).run(x).argmax(axis=1))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "digits.npz"


@pytest.mark.parametrize("name", ["mps2-an386", "microbit"])
def test_answers_of_a_board_are_drawn_with_their_cost(
    name: str, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    board = require(load_board(name))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", screen)
    arguments = ["watch", str(DIGITS), "--data", str(digits), "--board", name, "--emulated"]
    assert main([*arguments, "--seconds", "1", "--rate", "20"]) == 0
    text = screen.getvalue()
    assert text.index("starting") < text.index(f"digits_mlp.tflite on {board.title} ({board.cpu})")
    last = text.rsplit("sample ", 1)[1].splitlines()[0]
    done = int(last.split(", ")[1].split()[0])
    assert f"{done} of {done} right" in last  # the labels are the answers of this computer
    assert " instructions, " in last


def test_a_board_learns_while_it_is_watched(
    digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(load_board("mps2-an386"))
    arguments = ["watch", str(DIGITS), "--data", str(digits), "--learn", "--epochs", "2"]
    assert main([*arguments, "--board", "mps2-an386", "--emulated"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["epoch 1", "epoch 2"]
    assert lines[2].startswith("identical: ")
