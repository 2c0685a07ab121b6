"""The example that links the C library and an exported header into a firmware of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.data import load_samples

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/link_library"
FASHION = ROOT / "examples/fashion_mnist"
TOOLS = {
    "host": ("make", "gcc"),
    "mps2_an386": ("make", "arm-none-eabi-gcc", "qemu-system-arm"),
}


def make(board: str, build: Path) -> subprocess.CompletedProcess[str]:
    missing = [tool for tool in TOOLS[board] if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return subprocess.run(
        ["make", "-s", f"BOARD={board}", f"BUILD={build}", f"PYTHON={sys.executable}"],
        cwd=EXAMPLE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def classes() -> list[int]:
    model = byteprop.load(FASHION / "fashion_mlp.tflite")
    images = load_samples(FASHION / "t10k-1000.npz", limit=8).x
    return np.argmax(model.predict(images / 255), axis=1).tolist()


@pytest.mark.parametrize("board", TOOLS)
def test_the_firmware_answers_as_the_pc(board: str, tmp_path: Path) -> None:
    done = make(board, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = [f"image {i}: class {c}" for i, c in enumerate(classes())]
    assert done.stdout.splitlines() == [*wanted, "80 of 80 bytes as on the PC"]


@pytest.mark.parametrize("board", TOOLS)
def test_the_firmware_sees_a_difference(board: str, tmp_path: Path) -> None:
    assert make(board, tmp_path).returncode == 0
    samples = tmp_path / "samples.h"
    inputs, outputs = samples.read_text().split("sample_outputs")
    first = re.search(r"\d+,", outputs.split("=")[1])
    assert first is not None
    changed = outputs.replace(first.group(), f"{(int(first.group()[:-1]) + 1) % 256},", 1)
    samples.write_text(f"{inputs}sample_outputs{changed}")
    (tmp_path / "firmware.elf").unlink()
    done = make(board, tmp_path)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == "79 of 80 bytes as on the PC"
