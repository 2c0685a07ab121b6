"""Files that verbs write: places are checked before the work, and a verdict is never lost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest

import byteprop
import byteprop_host.training.job
import byteprop_host.verify
import byteprop_host.verify.board_model
from byteprop_host.cli import main
from cli_process import COMMAND, PATIENCE

MODELS = Path(__file__).parents[1] / "data/models"
DIGITS = str(MODELS / "digits_mlp.tflite")
FASHION = MODELS / "fashion_mlp_pertensor.tflite"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("data.npz", x=rng.normal(size=(30, 4)).astype(np.float32), y=np.arange(30) % 3)
    np.save("digits.npy", rng.integers(-128, 128, (5, 64), np.int8))
    return tmp_path


TRAIN = "train --net 4-5-3 --data data.npz --epochs 1"


@pytest.mark.parametrize(
    "line",
    [
        f"verify {DIGITS} --report missing/r.html",
        f"verify {DIGITS} --wire-log missing/w.log",
        f"run {DIGITS} --data digits.npy -o missing/y.npy",
        f"run {DIGITS} --data digits.npy -o y.npy --wire-log missing/w.log",
        f"bench {DIGITS} --wire-log missing/w.log",
        f"convert {DIGITS} -o missing/m.bpm",
        "build --board microbit -o missing/firmware.elf",
        f"{TRAIN} --save missing/net.tflite",
        f"{TRAIN} --save ok.tflite --save missing/net.bpm",
        f"{TRAIN} --save . ",
        f"{TRAIN} --checkpoint missing/c",
        f"{TRAIN} --report missing/r.html",
        f"{TRAIN} --wire-log missing/w.log",
    ],
)
def test_places_are_checked_before_the_work(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*args: object, **kwargs: object) -> None:
        raise AssertionError("the work has begun")

    for module, name in (
        (byteprop_host.verify, "verify"),
        (byteprop_host.verify.board_model, "run_on_board"),
        (byteprop_host.training.job, "train"),
    ):
        monkeypatch.setattr(module, name, too_late)
    before = sorted(folder.iterdir())
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    place = line.split()[-1]
    assert place in shown.err and "cannot be written: " in shown.err
    assert sorted(folder.iterdir()) == before


def lines(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize("line", [f"verify {DIGITS} --samples 3", TRAIN])
def test_a_report_that_cannot_be_written_does_not_lose_the_verdict(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / f"byteprop-{line.split()[0]}-host.html").mkdir()
    assert main(line.split()) == 0
    shown = capsys.readouterr()
    assert lines(shown.out)[0].startswith("identical: ")
    assert lines(shown.err)[-1].startswith("byteprop: error: the report was not written: byteprop-")
    assert "this is a folder" in shown.err

    assert main([*line.split(), "--json"]) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result["identical"] is True and result["report"] is None
    assert "this is a folder" in result["report_error"] and result["report_error"] in shown.err


def limited(line: str, cwd: Path, limit: int) -> subprocess.CompletedProcess[str]:
    """A run where no file of the user may grow beyond `limit` bytes, as on a full disk. The board
    and compiled files are there already."""
    return subprocess.run(
        [*COMMAND, *line.split()],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


@pytest.mark.parametrize(
    ("line", "file"),
    [
        (f"convert {FASHION} -o out.bpm", "out.bpm"),
        (f"convert {FASHION} -o out.h", "out.h"),
        (f"run {DIGITS} --data many.npy -o out.npy", "out.npy"),
        (f"run {DIGITS} --data many.npy -o out.npz", "out.npz"),
    ],
)
def test_a_full_disk_leaves_the_old_file(line: str, file: str, folder: Path) -> None:
    np.save("many.npy", np.zeros((2000, 64), np.int8))
    assert main(["verify", DIGITS, "--samples", "1", "--no-report"]) == 0  # compiles the board
    (folder / file).write_bytes(b"old")
    before = sorted(folder.iterdir())
    done = limited(line, folder, 8192)
    assert done.returncode == 2
    assert done.stderr == f"byteprop: error: {file}: cannot be written: File too large\n"
    assert (folder / file).read_bytes() == b"old"
    assert sorted(folder.iterdir()) == before


def test_a_full_disk_keeps_the_verdict(folder: Path) -> None:
    assert main(["verify", DIGITS, "--samples", "1", "--no-report"]) == 0
    done = limited(f"verify {DIGITS} --samples 3", folder, 4096)
    assert done.returncode == 0
    assert done.stdout.startswith("identical: 3 of 3 samples")
    assert (
        "the report was not written: byteprop-verify-host.html: cannot be written: File"
        in done.stderr
    )


def test_a_wire_log_on_a_full_disk_is_named(folder: Path) -> None:
    assert main(["verify", DIGITS, "--samples", "1", "--no-report"]) == 0
    done = limited(f"verify {DIGITS} --no-report --wire-log wire.log", folder, 4096)
    assert done.returncode == 2
    assert done.stderr == "byteprop: error: wire.log: cannot be written: File too large\n"


def test_a_full_disk_after_training_keeps_the_verdict(folder: Path) -> None:
    assert main(["verify", DIGITS, "--samples", "1", "--no-report"]) == 0
    np.savez("wide.npz", x=np.zeros((20, 600), np.int8), y=np.arange(20) % 3)
    (folder / "big.bpm").write_bytes(b"old")
    line = "train --net 600-10-3 --data wide.npz --epochs 1 --no-report --save big.bpm"
    done = limited(line, folder, 4096)
    assert done.returncode == 2
    assert done.stdout.startswith("identical: 6,030 weights")
    assert "\nbyteprop: error: big.bpm: cannot be written: File too large\n" in done.stderr
    assert (folder / "big.bpm").read_bytes() == b"old"


def test_an_output_that_is_a_pipe_is_written(folder: Path) -> None:
    os.mkfifo(folder / "pipe.bpm")
    with subprocess.Popen(
        [*COMMAND, "convert", DIGITS, "-o", "pipe.bpm"], cwd=folder, stdout=subprocess.DEVNULL
    ) as process:
        image = (folder / "pipe.bpm").read_bytes()
        assert process.wait(PATIENCE) == 0
    assert image == byteprop.load(DIGITS).image


def test_an_output_that_is_a_link_stays_one(folder: Path) -> None:
    (folder / "link.bpm").symlink_to("target.bpm")
    assert main(["convert", DIGITS, "-o", "link.bpm"]) == 0
    assert (folder / "link.bpm").is_symlink()
    assert (folder / "target.bpm").read_bytes() == byteprop.load(DIGITS).image
