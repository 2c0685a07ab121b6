"""The command line against emulated boards: build, start, stream, compare, report."""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop.ops import Dense
from byteprop.ops.conv import Conv
from byteprop_host.boards.board import Board, load_board
from byteprop_host.cli import main
from byteprop_host.firmware.capacity import memory_needs
from emulation import EMULATED, MODELS, require

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "examples" / "fashion_mnist" / "t10k-1000.npz"
FASHION = MODELS / "fashion_mlp_perchannel.tflite"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
DIGITS = ROOT / "examples" / "digits_cnn" / "digits_cnn.tflite"
CNN = ROOT / "examples" / "fashion_mnist" / "fashion_cnn.tflite"
COMMAND = [sys.executable, "-m", "byteprop_host"]


def run(arguments: list[str | Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Exit code and JSON of a command."""
    code = main([*map(str, arguments), "--json", "--timeout", "30"])
    return code, json.loads(capsys.readouterr().out)


def altered(source: Path, op_index: int, row: int) -> byteprop.Model:
    """The model with the weights of one output of a layer moved by a few steps."""
    graph = byteprop.load(source).graph
    op = graph.ops[op_index]
    assert isinstance(op, (Conv, Dense))
    weights = op.weights.astype(np.int16)
    weights[row] = np.where(weights[row] > 0, weights[row] - 9, weights[row] + 9)
    ops = list(graph.ops)
    ops[op_index] = dataclasses.replace(op, weights=weights.astype(np.int8))
    return byteprop.Model(dataclasses.replace(graph, ops=tuple(ops)))


@pytest.mark.parametrize(
    "name",
    [
        "regression_1x1", "digits_mlp", "fashion_mlp_perchannel", "fashion_mlp_floatio",
        "op_batchnorm_unfused", "op_tanh",
    ],
)  # fmt: skip
def test_verify_finds_every_byte_equal(
    board: Board, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = MODELS / f"{name}.tflite"
    checked = memory_needs(board, byteprop.load(model).image)
    data = MODELS / f"{name}.vectors.npz"
    named = f"{board.name}:{board.runners[0].name}"
    arguments = ["verify", model, "--board", named, "--data", data, "--samples", "8"]
    if not checked.ok:
        assert main([str(a) for a in arguments]) == 2
        error = capsys.readouterr().err
        assert f"board has {board.memory.flash_bytes}" in error or (
            f"board has {board.memory.ram_bytes}" in error
        )
        return
    report = tmp_path / "report.html"
    code, result = run([*arguments, "--report", report], capsys)
    assert code == 0
    assert result["comparison"]["samples_identical"] == 8
    assert result["expected_outputs"]["identical"] is True
    assert result["model_in"] == "flash"
    figures = result["figures"]
    assert 0 < figures["ram_bytes"] <= board.memory.ram_bytes
    assert figures["model_bytes"] < figures["flash_bytes"] <= board.memory.flash_bytes
    assert 0 < figures["stack_used_bytes"] < figures["stack_bytes"]
    counted = "instructions" if board.emulator and board.emulator.icount else "none"
    assert figures["unit"] == ("cycles" if board.runners[0].kind == "simavr" else counted)
    assert html.escape(board.title) in report.read_text(encoding="utf-8")


def test_images_give_the_accuracy_of_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    require(load_board("mps2-an386"))
    arguments = ["verify", FASHION, "--board", "mps2-an386", "--data", IMAGES, "--samples", "100"]
    code, result = run([*arguments, "--no-report"], capsys)
    assert code == 0
    x, labels = np.load(IMAGES)["x"][:100], np.load(IMAGES)["y"][:100]
    expected = (byteprop.load(FASHION).predict(x / np.float32(255)).argmax(axis=1) == labels).mean()
    assert result["accuracy"]["board"] == result["accuracy"]["reference"] == expected
    assert result["figures"]["inference_per_mac"] < 3


@pytest.mark.parametrize(
    ("name", "model", "op_index"),
    [
        ("mps2-an386", "fashion_mlp_perchannel", 1),
        ("microbit", "fashion_mlp_perchannel", 2),
        ("sifive_e", "digits_mlp", 0),
        ("arduino-uno", "digits_mlp", 1),
    ],
)
def test_altered_weight_is_found_in_its_layer(
    name: str, model: str, op_index: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(load_board(name))
    original = MODELS / f"{model}.tflite"
    data = MODELS / f"{model}.vectors.npz"
    x, y = (np.load(data)[key][:16] for key in "xy")
    # Some units are silent on all of these samples, so a row is looked for whose change shows.
    row = next(r for r in range(10) if (altered(original, op_index, r).run(x) != y).any())
    altered(original, op_index, row).save(tmp_path / "changed.bpm")
    arguments = ["verify", tmp_path / "changed.bpm", "--against", original, "--board", name]
    code, result = run([*arguments, "--data", data, "--samples", "16", "--no-report"], capsys)
    assert code == 1
    layer = result["first_different_layer"]
    assert (layer["op_index"], layer["op"], layer["position"]) == (op_index, "Dense", [0, row])
    wrong = altered(original, op_index, row).run(x) != y
    assert result["comparison"]["bytes"] - result["comparison"]["bytes_identical"] == wrong.sum()


@pytest.mark.parametrize("name", ["mps2-an386", "microbit"])
def test_convolutional_network_over_serial(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All bytes equal; and with one channel of a convolution changed, its layer is named."""
    require(load_board(name))
    arguments = ["--board", name, "--data", IMAGES, "--samples", "6", "--no-report"]
    code, result = run(["verify", CNN, *arguments], capsys)
    assert code == 0
    assert result["comparison"]["bytes_identical"] == result["comparison"]["bytes"] == 60
    with np.load(IMAGES) as data:
        x = (data["x"][:6, ..., np.newaxis].astype(np.int16) - 128).astype(np.int8)
    y = byteprop.load(CNN).run(x)
    # Few channels change an output after the softmax.
    channel = next(c for c in range(24) if (altered(CNN, 1, c).run(x) != y).any())
    changed = tmp_path / "changed.bpm"
    altered(CNN, 1, channel).save(changed)
    code, result = run(["verify", changed, "--against", CNN, *arguments], capsys)
    assert code == 1
    layer = result["first_different_layer"]
    assert (layer["op_index"], layer["op"], layer["position"][-1]) == (1, "Conv", channel)


def test_convolutional_digits_on_an_arduino_uno(capsys: pytest.CaptureFixture[str]) -> None:
    """Two convolutions in 2 KB of RAM, by the emulator that counts cycles where it is installed."""
    require(load_board("arduino-uno"))
    data = DIGITS.with_name("digits_test.npz")
    arguments = ["verify", DIGITS, "--board", "arduino-uno", "--data", data, "--samples", "40"]
    code, result = run([*arguments, "--no-report"], capsys)
    assert code == 0
    assert result["comparison"]["bytes_identical"] == result["comparison"]["bytes"] == 400
    assert result["accuracy"]["board"] == result["accuracy"]["reference"] >= 0.95
    figures = result["figures"]
    assert figures["ram_bytes"] <= 2_048
    assert figures["stack_used_bytes"] <= figures["stack_bytes"] * 17 // 20


def test_convolutional_digits_have_the_accuracy_that_is_stated() -> None:
    with np.load(DIGITS.with_name("digits_test.npz")) as data:
        x, y = data["x"], data["y"]
    right = int((byteprop.load(DIGITS).predict(x / np.float32(255)).argmax(axis=1) == y).sum())
    text = (DIGITS.parent / "README.md").read_text(encoding="utf-8")
    assert f"{right} of {len(y)} digits" in text
    assert f"accuracy {right / len(y):.4f}" in text


def test_keyword_spotting_on_the_smallest_arm(capsys: pytest.CaptureFixture[str]) -> None:
    """MLPerf Tiny's model, with depthwise convolutions, in the 16 KB of RAM of a micro:bit v1."""
    require(load_board("microbit"))
    model = PUBLIC / "kws_dscnn.tflite"
    if not model.exists():
        pytest.skip(f"{model} is not there; BYTEPROP_PUBLIC_MODELS names the folder")
    code, result = run(
        ["verify", model, "--board", "microbit", "--samples", "3", "--no-report"], capsys
    )
    assert code == 0
    assert result["comparison"]["bytes_identical"] == result["comparison"]["bytes"] == 36
    assert result["figures"]["ram_bytes"] < 16_384


@pytest.mark.parametrize("name", ["kws_dscnn", "ic01_resnet8", "vww_mobilenet_96"])
@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386", "rv32-virt"])
def test_models_of_mlperf_tiny(board: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Tuned convolutions with borders, strides, 1, 3 and odd numbers of channels: every byte."""
    require(load_board(board))
    model = PUBLIC / f"{name}.tflite"
    if not model.exists():
        pytest.skip(f"{model} is not there; BYTEPROP_PUBLIC_MODELS names the folder")
    code, result = run(["verify", model, "--board", board, "--samples", "2", "--no-report"], capsys)
    assert code == 0
    graph = byteprop.load(model).graph
    n = graph.tensors[graph.outputs[0]].elems
    assert result["comparison"]["bytes_identical"] == result["comparison"]["bytes"] == 2 * n


def test_bench_counts_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    require(load_board("mps2-an385"))
    arguments = ["bench", MODELS / "digits_mlp.tflite", "--board", "mps2-an385"]
    first, second = (run([*arguments, "--samples", "2"], capsys)[1] for _ in range(2))
    assert first["unit"] == "instructions"
    # A tick is shorter than an instruction, and not a whole part of it.
    assert abs(first["median"] - second["median"]) <= 1
    costs = [layer["cost"] for layer in first["layers"]]
    # A layer begins anywhere between two ticks, and an instruction lasts more than one.
    for once, again in zip(costs, (layer["cost"] for layer in second["layers"]), strict=True):
        assert abs(once - again) <= 4
    # Between the layers there is only the walk over them.
    assert 0.8 * first["median"] < sum(costs) <= 1.05 * first["median"]


def test_run_on_a_board_gives_the_outputs_of_this_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(load_board("microbit"))
    data = MODELS / "fashion_mlp_floatio.vectors.npz"
    model = MODELS / "fashion_mlp_floatio.tflite"
    target = tmp_path / "out.npy"
    arguments = ["run", model, "--board", "microbit", "--data", data, "--samples", "5"]
    code, _ = run([*arguments, "-o", target], capsys)
    assert code == 0
    assert np.array_equal(np.load(target), byteprop.load(model).run(np.load(data)["x"][:5]))


def test_build_writes_firmware(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(load_board("microbit"))
    target = tmp_path / "firmware.elf"
    arguments = ["build", "--board", "microbit", "--model", str(FASHION), "-o", str(target)]
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert target.read_bytes()[:4] == b"\x7fELF"
    assert result["model_bytes"] <= len(byteprop.load(FASHION).image)
    assert result["flash_bytes"] > result["model_bytes"]


def test_flash_shows_its_commands_without_running_them(capsys: pytest.CaptureFixture[str]) -> None:
    require(load_board("mps2-an386"))
    assert main(["flash", "--board", "mps2-an386", "--dry-run", "--json"]) == 0
    ((program, *arguments),) = json.loads(capsys.readouterr().out)["commands"]
    assert program == "qemu-system-arm"
    assert "mps2-an386" in arguments


def test_board_that_has_the_firmware_is_not_flashed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An emulator started by one command is, for another, a board on a cable."""
    require(load_board("microbit"))
    model = MODELS / "digits_mlp.tflite"
    process = subprocess.Popen(
        [*COMMAND, "flash", "--board", "microbit", "--model", str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        port = re.search(r"/dev/\S+(?=,)", process.stdout.readline())
        assert port is not None
        arguments = ["verify", model, "--board", "microbit", "--port", port.group(0)]
        code, result = run([*arguments, "--samples", "4", "--no-report"], capsys)
        assert code == 0
        assert result["figures"]["unit"] == "cycles"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _emulators(pid: int) -> list[int]:
    """Living processes that `pid` has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


@pytest.mark.parametrize("strike", ["interrupt", "terminate", "emulator dies"])
def test_no_emulator_is_left_running(strike: str, tmp_path: Path) -> None:
    require(load_board("mps2-an386"))
    log = tmp_path / "wire.log"
    command = [*COMMAND, "verify", str(FASHION), "--board", "mps2-an386", "--data", str(IMAGES)]
    process = subprocess.Popen(
        [*command, "--wire-log", str(log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        deadline = time.monotonic() + 120.0
        while not (log.exists() and log.stat().st_size > 20_000):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        (emulator,) = _emulators(process.pid)
        signals = {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
        os.kill(
            emulator if strike == "emulator dies" else process.pid,
            signals.get(strike, signal.SIGKILL),
        )
        out, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == {"interrupt": 130, "terminate": 143}.get(strike, 2)
    assert out == "" and "Traceback" not in errors
    while Path(f"/proc/{emulator}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_documented_pytest_example_on_an_emulated_board(pytester: pytest.Pytester) -> None:
    require(load_board("mps2-an386"))
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    example = re.search(r"```python file=test_board\.py\n(.*?)```", text, re.S)
    assert example is not None
    folder = pytester.mkdir("examples") / "fashion_mnist"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / "fashion_mnist" / "fashion_mlp.tflite", folder)
    pytester.makepyfile(test_board=example.group(1))
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--byteprop-board=mps2-an386", timeout=180
    )
    result.assert_outcomes(passed=example.group(1).count("def test_"))
    result.stdout.fnmatch_lines(["*byteprop board: mps2-an386*"])


def test_figures_are_taken_by_the_benchmark_script() -> None:
    require(load_board("microbit"))
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", "--board", "microbit", "--model", "digits_mlp"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    header, _, row = done.stdout.splitlines()
    figures = dict(zip(header.split(), row.split(), strict=True))
    assert figures["board"] == "microbit" and figures["unit"] == "instructions"
    assert figures["macs"] == "2368"
    assert figures["per_mac"] == f"{int(figures['per_inference']) / 2368:.3f}"


def test_every_emulated_board_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    text = capsys.readouterr().out
    assert all(load_board(name).name in text for name in EMULATED)
