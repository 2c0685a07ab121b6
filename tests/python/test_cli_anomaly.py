"""`byteprop anomaly` on the board `host`: what it reports, saves and refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop.anomaly import AnomalyDetector, figures_of
from byteprop.engine._raw import Engine
from byteprop.engine._raw_train import Config as TrainConfig
from byteprop.training.fit import masks_of
from byteprop.training.options import TrainOptions
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main
from byteprop_host.link import DetectorSession
from byteprop_host.training.plan import plan_training

sys.path.insert(0, str(Path(__file__).parents[1]))
from anomaly_case import CONFIG, FAULTS, IMAGE, NORMAL, expected

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
AD01 = PUBLIC / "ad01_int8.tflite"
FASHION = ROOT / "examples/fashion_mnist"
DETECTOR = ["--percentile", "95", "--votes", "2/4", "--drift", "1.125/2"]


def rows(windows: list[bytes]) -> np.ndarray[Any, Any]:
    return np.array([np.frombuffer(w, np.int8) for w in windows])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    byteprop.load(IMAGE).save("model.tflite")
    np.savez("normal.npz", x=rows(NORMAL))
    test = [*NORMAL[:9], *FAULTS]
    np.savez("test.npz", x=rows(test), y=np.arange(len(test)) >= 9)
    return tmp_path


def test_it_reports_how_good_the_detector_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["anomaly", "model.tflite", "--data", "normal.npz", "--test", "test.npz"]
    saves = ["--save", "out.bpd", "--save", "out.tflite", "--save-on-device", "--seconds", "0.5"]
    assert main([*arguments, *DETECTOR, *saves, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    scores, verdicts, state = expected(IMAGE)
    wanted = figures_of(verdicts, np.arange(len(verdicts)) >= 9)
    assert found["identical"] and found["learnt_from"] == len(scores)
    assert found["scores"] == [v.score for v in verdicts]
    assert found["figures"] == vars(wanted) and found["figures"]["auc"] > 0.7
    assert found["missed"] == sum(not v.alarm for v in verdicts[9:])
    assert found["false_alarms_per_hour"] == wanted.false_alarms_per_hour(0.5)
    assert found["first_drift"] == next(i for i, v in enumerate(verdicts) if v.drifts)
    assert "read back identical" in found["saved_on_board"]
    saved = AnomalyDetector.load("out.bpd")
    assert saved.state == state and saved.config == CONFIG
    assert np.array_equal(
        byteprop.load("out.tflite").opened.run(np.array([[*NORMAL[0]]], np.uint8)),
        Engine(IMAGE).run(np.array([[*NORMAL[0]]], np.uint8)),
    )
    page = (folder / found["report"]).read_text(encoding="utf-8")
    assert 'aria-label="Histogram of scores"' in page and 'class="limit"' in page


def test_the_board_trains_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["anomaly", "model.tflite", "--data", "normal.npz", "--test", "test.npz"]
    training = ["--train", "last", "--epochs", "2", "--hold", "0.5", "--save", "t.tflite"]
    assert main([*arguments, *DETECTOR, *training, "--no-report"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("identical: 30 scores, 21 verdicts")
    assert "trained    2 epochs of 30 windows" in text and "AUC" in text
    before, after = (byteprop.load(name).get_weights() for name in ("model.tflite", "t.tflite"))
    assert np.array_equal(before[0][0], after[0][0])
    assert not np.array_equal(before[-1][0], after[-1][0])


def test_without_labels_it_counts_alarms(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("test.npy", rows(FAULTS))
    arguments = ["anomaly", "model.tflite", "--data", "normal.npz", "--test", "test.npy"]
    assert main([*arguments, *DETECTOR, "--no-report", "--drift", "none"]) == 0
    text = capsys.readouterr().out
    assert "12 windows above the threshold" in text and "AUC" not in text and "drift " not in text


def test_another_verdict_of_the_board_is_a_result(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = DetectorSession._score
    monkeypatch.setattr(
        DetectorSession, "_score", lambda self, row: honest(self, row) + (row == NORMAL[7])
    )
    arguments = ["anomaly", "model.tflite", "--data", "normal.npz", "--save", "out.bpd"]
    assert main([*arguments, *DETECTOR]) == 1
    text = capsys.readouterr().out
    assert text.startswith("DIFFERENT: the board's ANOMALY_LEARN answer is wrong: score: expected")
    assert not (folder / "out.bpd").exists() and "byteprop-anomaly-host.html" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model.tflite", "--percentile", "60"], "at most 79 windows, got 90"),
        (["model.tflite", "--votes", "6/5"], "expected votes and windows"),
        (["model.tflite", "--drift", "20/3"], "expected a ratio below 16"),
        (["model.tflite", "--save", "out.h"], "expected a name that ends in .bpd, .tflite, .bpm"),
        (["model.tflite", "--test-labels", "t.npy"], "expected --test with it"),
        (["model.tflite", "--test", "short.npy"], "expected 16 values per window, got 3"),
        (["model.tflite", "--test", "words.csv"], "expected a class named normal"),
        ([str(FASHION / "fashion_mlp.tflite"), "-d", "images.npy"], "expected an autoencoder"),
        (["model.tflite", "--board", "mps2-an386", "--save-on-device"], "has no flash"),
    ],
)
def test_what_is_wrong_is_said_before_the_board_is_used(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    np.save("many.npy", np.zeros((90, 16), np.int8))
    np.save("short.npy", np.zeros((4, 3), np.int8))
    np.save("images.npy", np.zeros((4, 784), np.int8))
    columns = ",".join(f"x{i}" for i in range(16))
    lines = [f"{','.join(['0'] * 16)},{word}" for word in ("fine", "broken")]
    Path("words.csv").write_text("\n".join([f"{columns},label", *lines]) + "\n")
    data = [] if "-d" in arguments else ["--data", "many.npy"]
    try:
        code = main(["anomaly", *arguments, *data])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert says in capsys.readouterr().err


def test_mlperf_tinys_detector_learns_its_last_layer_within_256_kib() -> None:
    """As docs/anomaly.md says; the model is not ours to carry."""
    if not AD01.is_file():
        pytest.skip(f"{AD01} is not there")
    model = byteprop.load(AD01)
    board = load_board("nrf52840-dk")
    frozen, _ = masks_of(model, TrainOptions(train="last"))
    config = TrainConfig(seed=0, frozen=frozen, autoencoder=True)
    needs = plan_training(board, model.image, config, anomaly=True)
    assert needs.ok and needs.in_flash and board.memory.ram_bytes == 256 * 1024
    assert needs.ram_needed <= 180_000
