"""`byteprop quantize`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.quantizer import float_network
from byteprop_host.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/fashion_mnist"
CNN = EXAMPLES / "fashion_cnn_float.tflite"
DATA = EXAMPLES / "t10k-1000.npz"
MODELS = ROOT / "tests/data/models"


def test_accuracy_and_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cnn.tflite"
    assert main(["quantize", str(CNN), "--data", str(DATA), "-o", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["representative"], result["held_out"]) == (500, 500)
    with np.load(DATA) as file:
        x, y = file["x"][1::2, ..., np.newaxis] / np.float32(255), file["y"][1::2]
    model = byteprop.load(out)
    assert result["int8_accuracy"] == np.mean(model.predict(x).argmax(axis=1) == y)
    answers = float_network(CNN).run(x)
    assert result["float_accuracy"] == np.mean(answers.argmax(axis=1) == y)
    assert abs(result["int8_accuracy"] - result["float_accuracy"]) <= 0.005
    difference = np.sqrt(np.mean((model.predict(x) - answers).astype(np.float64) ** 2))
    assert result["difference"] == pytest.approx(difference, rel=1e-4)
    assert [layer["op"] for layer in result["layers"]] == [layer.op for layer in model.layers]
    assert result["bytes"] == out.stat().st_size


def test_a_table_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["quantize", str(CNN), "--data", str(DATA), "--samples", "60"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("fashion_cnn_float-int8.tflite: ")
    assert "30 to measure ranges, 30 to compare" in text
    assert "in float32, " in text and " points)" in text
    rows = text[text.index("layer ") :].splitlines()
    assert len(rows) == 2 + len(byteprop.load("fashion_cnn_float-int8.tflite").layers)
    assert rows[2].split()[-1].endswith("%")


def test_samples_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(MODELS / "float/digits.npz") as file:
        np.save(tmp_path / "x.npy", (file["x"] / 16).astype(np.float32))
        np.save(tmp_path / "y.npy", file["y"])
    digits = MODELS / "float/digits_cnn_float16.tflite"
    common = ["quantize", str(digits), "--data", str(tmp_path / "x.npy"), "--json"]
    assert main([*common, "-o", str(tmp_path / "a.bpm")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["float_accuracy"] is None and result["int8_accuracy"] is None
    labels = ["--labels", str(tmp_path / "y.npy")]
    assert main([*common, "-o", str(tmp_path / "b.bpm"), *labels]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["float_accuracy"] > 0.97 and result["int8_accuracy"] > 0.97
    assert (tmp_path / "a.bpm").read_bytes() == (tmp_path / "b.bpm").read_bytes()


def test_the_report_draws_the_error_of_each_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "cnn.tflite", tmp_path / "a.html"
    arguments = ["quantize", str(CNN), "--data", str(DATA), "-n", "100", "-o", str(out), "--json"]
    assert main([*arguments, "--report", str(report)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["report"] == str(report)
    html = report.read_text(encoding="utf-8")
    errors = [layer["error"] for layer in result["layers"]]
    widths = re.findall(r'<i style="width:([\d.]+)%">', html)
    assert widths == [f"{100 * error / max(errors):.1f}" for error in errors]
    assert f"{result['int8_accuracy']:.2%}" in html and "cnn.tflite" in html


def test_options_are_those_of_quantize(tmp_path: Path) -> None:
    out = tmp_path / "cnn.tflite"
    options = ["--ranges", "percentile", "--bias-correction", "no", "--float-io"]
    arguments = ["quantize", str(CNN), "--data", str(DATA), "-n", "100", "-o", str(out)]
    assert main([*arguments, *options]) == 0
    with np.load(DATA) as file:
        x = file["x"][:100:2, ..., np.newaxis]
    expected = byteprop.quantize(
        CNN, x, ranges="percentile", bias_correction=False, float_border=True
    )
    assert byteprop.load(out).image == expected.image


@pytest.mark.parametrize(
    ("file", "more", "words"),
    [
        (MODELS / "digits_mlp.tflite", [], "quantize takes float32 models"),
        (CNN, ["-o", "cnn.onnx"], "expected a name that ends in .tflite, .bpm, .h, got cnn.onnx"),
        (CNN, ["-n", "1"], "expected at least 2 samples, got 1"),
        (MODELS / "float/digits_cnn_float.tflite", [], "expected 64 values per sample"),
    ],
)
def test_what_is_refused(
    file: Path,
    more: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["quantize", str(file), "--data", str(DATA), *more]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
