"""benchmarks/coverage.py: what it says of a folder, and its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import builtin_ref
from training_data import MODELS

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/coverage.py"
DIGITS = MODELS / "digits_mlp.tflite"


def coverage(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(folder), "--samples", "2", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    builtin_ref.require()
    models = tmp_path / "models"
    models.mkdir()
    (models / "good.tflite").write_bytes(DIGITS.read_bytes())
    (models / "bad.tflite").write_bytes(DIGITS.read_bytes()[:1000])
    return models


def test_a_line_for_each_file_and_the_counts(folder: Path, tmp_path: Path) -> None:
    done = coverage(folder, "--table", str(tmp_path / "table.md"))
    assert done.returncode == 0, done.stdout + done.stderr
    bad, good, counts = done.stdout.splitlines()
    assert bad.split()[:2] == ["refused", "bad.tflite"]
    assert good.split()[:2] == ["identical", "good.tflite"]
    assert sorted(counts.split(", ")) == ["1 identical", "1 refused"]
    table = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        ["| bad.tflite", "refused"],
        ["| good.tflite", "identical"],
    ]


def test_other_bytes_than_the_vectors_are_a_failure(folder: Path) -> None:
    with np.load(MODELS / "digits_mlp.vectors.npz") as file:
        arrays = dict(file)
    arrays["y"] = arrays["y"] ^ 1
    np.savez(folder / "good.vectors.npz", **arrays)
    done = coverage(folder, "--no-verify")
    assert done.returncode == 1
    assert "differs" in done.stdout and "1 differs" in done.stdout
