"""examples/mlperf_tiny/evaluate.py on small folders in the format of the benchmark's data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop.graph.boundary import Boundary
from c_build import ROOT

SCRIPT = ROOT / "examples/mlperf_tiny/evaluate.py"
DIGITS = ROOT / "tests/data/models/digits_mlp.tflite"


def evaluate(*arguments: str | Path, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def digits(n: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Inputs, and labels of which every third is wrong."""
    x = np.load(DIGITS.with_name("digits_mlp.vectors.npz"))["x"][:n]
    labels = byteprop.load(DIGITS).run(x).reshape(n, -1).argmax(axis=1).astype(np.int64)
    labels[::3] = (labels[::3] + 1) % 10
    return x, labels


def write(folder: Path, inputs: npt.NDArray[np.generic], labels: npt.NDArray[np.int64]) -> Path:
    """A folder of the benchmark; the last file that it names is missing."""
    folder.mkdir()
    lines = [f"tst_{i:06}.bin, 10, {label}" for i, label in enumerate(labels)]
    for i, x in enumerate(inputs):
        (folder / f"tst_{i:06}.bin").write_bytes(x.tobytes())
    (folder / "y_labels.csv").write_text("\n".join([*lines, "missing.bin,10,0"]) + "\n")
    return folder


def test_inputs_of_keyword_spotting_are_codes(tmp_path: Path) -> None:
    x, labels = digits(20)
    text = evaluate(DIGITS, write(tmp_path / "kws01", x, labels))
    assert text == "20 of the 21 files of y_labels.csv\nkws01: 13 of 20 right, accuracy 0.6500\n"


@pytest.mark.parametrize("benchmark", ["vww01", "ic01"])
def test_inputs_of_images_are_pixels(tmp_path: Path, benchmark: str) -> None:
    x, labels = digits(20)
    pixels = (x.astype(np.int16) + 128).astype(np.uint8)
    folder = write(tmp_path / "somewhere", pixels, labels)
    text = evaluate(DIGITS, folder, "--benchmark", benchmark, "--save", tmp_path / "x.npz")
    assert text.endswith(f"{benchmark}: 13 of 20 right, accuracy 0.6500\n")
    with np.load(tmp_path / "x.npz") as saved:
        assert np.array_equal(saved["x"].reshape(x.shape), x)
        assert np.array_equal(saved["y"], labels)


def test_saved_inputs_are_verified_with_their_accuracy(tmp_path: Path) -> None:
    x, labels = digits(20)
    evaluate(DIGITS, write(tmp_path / "kws01", x, labels), "--save", tmp_path / "x.npz")
    command = [sys.executable, "-m", "byteprop_host", "verify", DIGITS, "--data", "x.npz"]
    done = subprocess.run(
        [*command, "--integers", "codes", "--no-report"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "accuracy   0.6500 on the board, 0.6500 by the reference" in done.stdout


def autoencoder(folder: Path) -> tuple[byteprop.Model, Path]:
    draw = np.random.default_rng(2)
    layers = [
        (draw.normal(0, 0.2, shape).astype(np.float32), np.full(shape[1], -3, np.float32))
        for shape in ((40, 8), (8, 40))
    ]
    samples = draw.normal(-20, 9, (100, 40)).astype(np.float32)
    model = byteprop.quantize(layers, samples, activations=["relu", "linear"])
    model.save(folder / "model.bpm")
    return model, folder / "model.bpm"


def test_anomalies_are_ranked_by_the_mean_of_their_windows(tmp_path: Path) -> None:
    model, path = autoencoder(tmp_path)
    folder = tmp_path / "ad01"
    folder.mkdir()
    draw = np.random.default_rng(3)
    lines, scores, labels = [], [], []
    for i in range(12):
        x = draw.normal(-20, 4 + i % 5, 8 * 7 + 32 - 3).astype("<f4")  # 3 values are left over
        (folder / f"{i}.bin").write_bytes(x.tobytes())
        labels.append(int(i % 5 > 1))
        lines.append(f"{i}.bin,2,{labels[-1]},160,32")
        windows = [x[8 * k : 8 * k + 40] for k in range(6)]
        scores.append(np.mean([score(model, window) for window in windows]))
    (folder / "y_labels.csv").write_text("\n".join(lines))
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a, is_anomaly in zip(scores, labels, strict=True)
        for b, is_other in zip(scores, labels, strict=True)
        if is_anomaly and not is_other
    ]
    expected = sum(pairs) / len(pairs)
    assert 0.5 < expected < 1
    assert evaluate(path, folder).splitlines()[-1] == f"ad01: AUC {expected:.4f}"


def score(model: byteprop.Model, window: npt.NDArray[np.float32]) -> float:
    tensors = model.graph.tensors
    source, output = tensors[model.graph.inputs[0]], tensors[model.graph.outputs[0]]
    codes = model.run(Boundary(source).quantize(window.reshape(source.shape), "x").integers)
    reals = (codes.reshape(-1).astype(np.float64) - output.zero_point) * float(output.scale)
    return float(np.mean((reals - window) ** 2))


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    x, labels = digits(2)
    folder = write(tmp_path / "kws01", x[:, :63], labels)
    assert "expected 64 bytes for each input of the model, got 63" in evaluate(
        DIGITS, folder, status=1
    )
    (folder / "y_labels.csv").write_text("a.bin,10\n")
    assert "y_labels.csv:1: expected file, classes, label" in evaluate(DIGITS, folder, status=1)
    (folder / "y_labels.csv").write_text("a.bin,10,1\n")
    assert "has none of the 1 files" in evaluate(DIGITS, folder, status=1)
    assert "expected a folder with y_labels.csv" in evaluate(
        DIGITS, tmp_path, "--benchmark", "kws01", status=1
    )
    assert "expected a folder named kws01" in evaluate(DIGITS, tmp_path, status=2)
