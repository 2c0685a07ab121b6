"""scripts/demo: what it runs, and what it says when something is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FULL = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The script in a tree whose `byteprop` says how it was called, with nothing else on PATH."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/demo", tmp_path / "scripts/demo")
    command = tmp_path / ".venv/bin/byteprop"
    command.parent.mkdir(parents=True)
    command.write_text('#!/usr/bin/env bash\necho "called: $*"\n')
    command.chmod(0o755)
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "env", "dirname"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def demo(tree: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree / "bin/bash", tree / "scripts/demo"],
        env={"PATH": str(tree / "bin"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_cross_compiler_the_host_board_stands_in(tree: Path) -> None:
    done = demo(tree)
    assert done.returncode == 0
    assert "arm-none-eabi-gcc is missing" in done.stderr
    assert "--board host" in done.stdout.splitlines()[-1]


def test_a_board_that_was_asked_for_is_not_replaced(tree: Path) -> None:
    done = demo(tree, BOARD="microbit", MODEL="my.tflite", DATA="my.npz")
    assert done.stdout.splitlines()[-1] == (
        "called: verify my.tflite --board microbit --data my.npz"
    )


def test_emulated_board_is_the_default(tree: Path) -> None:
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        (tree / "bin" / program).symlink_to(tree / "bin/env")
    assert "--board mps2-an386" in demo(tree).stdout.splitlines()[-1]


def test_full_data(tree: Path) -> None:
    done = demo(tree, DATA="full")
    if FULL.exists():
        assert f"--data {FULL}" in done.stdout
    else:
        assert done.returncode == 1
        assert "apt-get install dataset-fashion-mnist" in done.stderr
