"""The command line trains emulated boards: the same bits as this computer, for as large a network
as each board holds."""

from __future__ import annotations

import json
import shlex
import sys
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop.image import without_names
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main
from emulation import MODELS, require

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from training_data import adc

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits_cnn" / "digits_cnn.tflite"
IMAGES = Path(__file__).resolve().parents[2] / "examples" / "fashion_mnist" / "t10k-1000.npz"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Digits as real values with their classes, counts of a converter with theirs, and six points
    of y = 2x - 1."""
    x = np.load(MODELS / "digits_mlp.vectors.npz")["x"]
    y = byteprop.load(MODELS / "digits_mlp.tflite").run(x).argmax(axis=1)
    np.savez(tmp_path / "digits.npz", x=(x.astype(np.float32) + 128) / 256, y=y)
    x, y = adc()
    np.savez(tmp_path / "adc.npz", x=x, y=y)
    line = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    np.savez(tmp_path / "line.npz", x=line[:, np.newaxis], y=2 * line - 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main(["train", *shlex.split(arguments), "--json", "--quiet", "--timeout", "30"])
    shown = capsys.readouterr()
    assert code == 0, shown
    result: dict[str, Any] = json.loads(shown.out)
    return result


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mps2-an386", f"--net 784-20-10 --data {IMAGES} -n 120 -e 1"),
        ("mps2-an385", f"--net 784-20-10 --data {IMAGES} -n 120 -e 1"),
        ("rv32-virt", f"--net 784-20-10 --data {IMAGES} -n 120 -e 1"),
        ("microbit", "--net 64-32-10 --data digits.npz -e 2 --save-on-device"),
        ("microbit", "--net 8-12-4 --data adc.npz -e 1 --save-on-device"),
        ("sifive_e", "--net 64-32-10 --data digits.npz -e 2 --test-split 0.2"),
        (
            "arduino-uno",
            "--net 1-1 --data line.npz -e 30 --input-range -10 10 --output-range -20 20",
        ),
    ],
)
def test_board_learns_what_this_computer_learns(
    name: str, arguments: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = require(load_board(name))
    result = command(f"-b {name} {arguments} -o board.bpm --report report.html", capsys)
    assert result["identical"] is True and result["comparison"]["identical"] is True
    memory = result["memory"]
    assert result["figures"]["ram_bytes"] <= board.memory.ram_bytes
    assert memory["ram_needed"] <= memory["ram_available"] <= board.memory.ram_bytes
    if board.emulator is not None and board.emulator.icount:
        assert result["figures"]["unit"] == "instructions"
        assert result["figures"]["sample_median"] > 0
    assert 0 < result["figures"]["stack_used_bytes"] < result["figures"]["stack_bytes"]
    assert escape(board.title) in Path("report.html").read_text(encoding="utf-8")
    if "--save-on-device" in arguments:
        assert result["saved_on_board"]["identical"] is True
    if name != "arduino-uno":  # there scales stay, and here they would not
        command(arguments.replace("--save-on-device", "") + " -o host.bpm --no-report", capsys)
        files = [byteprop.load(f"{f}.bpm").image for f in ("board", "host")]
        assert without_names(files[0]) == without_names(files[1])


def test_board_is_fine_tuned_to_the_bits_of_fit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(load_board("microbit"))
    model = MODELS / "digits_mlp.tflite"
    command(f"-b microbit -m {model} --data digits.npz -e 2 --freeze 0 -o tuned.tflite", capsys)
    data = np.load("digits.npz")
    twin = byteprop.load(model)
    twin.fit(data["x"], data["y"], epochs=2, freeze=0)
    tuned = byteprop.load("tuned.tflite")
    assert without_names(tuned.image) == without_names(twin.image)


def test_what_does_not_fit_is_refused_with_the_numbers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(f"train -b microbit --net 784-20-10 --data {IMAGES}")) == 2
    error = capsys.readouterr().err
    assert "board has 16384" in error and "16,492 bytes" in error


@pytest.mark.parametrize("name", ["microbit", "mps2-an386"])
def test_the_head_of_a_convolutional_model_learns_from_flash(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require(load_board(name))
    monkeypatch.chdir(tmp_path)
    board = load_board(name)
    saves = "--save-on-device" if board.memory.save_slot_bytes else ""
    result = command(
        f"--model {DIGITS} --data {DIGITS.with_name('digits_test.npz')} -n 60 -e 1 --train last "
        f"--board {name} --save trained.tflite {saves} --no-report",
        capsys,
    )
    assert result["comparison"]["identical"] is True
    assert result["layers"] == "2 layers, 192-10"
    assert result["memory"]["in_flash"] is True
    saved = result["saved_on_board"]
    assert (saved is not None) == bool(saves)
    assert saved is None or (saved["identical"], saved["image_bytes"]) == (True, 4)
    before, after = (byteprop.load(path).graph for path in (DIGITS, tmp_path / "trained.tflite"))
    for index in (0, 1):
        assert (before.ops[index].weights == after.ops[index].weights).all()
    assert (before.ops[3].weights != after.ops[3].weights).any()
