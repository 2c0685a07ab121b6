"""`byteprop classes`, and names of classes in model files."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.errors import ArgumentError
from byteprop.inference import class_names
from byteprop_host.cli import main

sys.path.insert(0, str(Path(__file__).parents[1]))
from training_boards import cnn

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist"
MODEL = FASHION / "fashion_cnn.tflite"
BAG = 8


def accuracy(name: str, x: object, y: object) -> float:
    return float(np.mean(byteprop.load(name).predict(x).argmax(axis=1) == y))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with np.load(FASHION / "t10k-1000.npz") as data:
        x, y = data["x"], data["y"]
    np.save("bags.npy", x[:600][y[:600] == BAG][:10])
    np.savez("known.npz", x=x[:600][y[:600] != BAG], y=y[:600][y[:600] != BAG])
    np.savez("test.npz", x=x[600:], y=y[600:])
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["classes", *arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("suffix", ["tflite", "bpm"])
def test_a_class_comes_back_from_ten_samples(
    folder: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    found = shown(capsys, str(MODEL), "--remove", "8", "-o", f"nine.{suffix}")
    assert [row["label"] for row in found["classes"] if not row["in_use"]] == [BAG]
    learning = ("--add", "bag=bags.npy", "--known", "known.npz", "--test", "test.npz")
    found = shown(capsys, f"nine.{suffix}", *learning, "-o", f"ten.{suffix}")
    assert found["classes"][BAG] == {"label": BAG, "name": "bag", "in_use": True, "is_new": True}
    assert found["accuracy"] > found["accuracy_before"] + 0.03
    with np.load("test.npz") as test:
        x, y = test["x"][..., None] / np.float32(255), test["y"]
    assert accuracy(f"ten.{suffix}", x, y) == found["accuracy"]
    assert byteprop.load(f"ten.{suffix}").class_names == {BAG: "bag"}
    assert shown(capsys, f"ten.{suffix}")["classes"][BAG]["name"] == "bag"
    assert shown(capsys, f"ten.{suffix}", "--remove", "bag")["classes"][BAG]["name"] == ""
    # The verb does what the call does.
    model = byteprop.load(f"nine.{suffix}")
    with np.load("known.npz") as known:
        images = known["x"][..., None] / np.float32(255), known["y"]
    model.add_class(np.load("bags.npy")[..., None] / np.float32(255), known=images)
    assert np.array_equal(model.run(model_bytes := _bytes(x)), _run(f"ten.{suffix}", model_bytes))


def _bytes(x: np.ndarray[object, np.dtype[np.float32]]) -> np.ndarray[object, np.dtype[np.int8]]:
    return np.ascontiguousarray((np.rint(x * 255) - 128).astype(np.int8))


def _run(name: str, x: object) -> object:
    return byteprop.load(name).run(x)


def test_a_board_learns_two_classes_as_the_host(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = byteprop.load(cnn())
    model.save("four.tflite")
    draw = np.random.default_rng(1)
    for name, n in (("a.npy", 4), ("b.npy", 3)):
        np.save(name, draw.integers(-128, 128, (n, 8, 8, 1)).astype(np.int8))
    known = draw.integers(-128, 128, (12, 8, 8, 1)).astype(np.int8)
    np.savez("old.npz", x=known, y=np.arange(12) % 4)
    arguments = ["four.tflite", "--known", "old.npz", "--add", "a=a.npy", "--add", "b=b.npy"]
    here = shown(capsys, *arguments, "-o", "here.tflite")
    there = shown(capsys, *arguments, "--board", "host", "-o", "there.tflite")
    assert there["identical"] and there["board"] == "host" and here["board"] is None
    assert there["classes"] == here["classes"]
    assert [row["name"] for row in there["classes"]] == ["", "", "", "", "a", "b"]
    x = draw.integers(-128, 128, (50, 8, 8, 1)).astype(np.int8)
    assert len(byteprop.load("there.tflite").classes) == 6
    assert np.array_equal(_run("here.tflite", x), _run("there.tflite", x))


def test_room_for_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classes", str(MODEL), "--room", "12", "-o", "room.bpm"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("10 classes, room for 2 more\n") and "in reserve" in text
    assert len(byteprop.load("room.bpm").graph.ops[-2].bias) == 12


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--add", "bag"], "expected a name and a path"),
        (["--known", "known.npz"], "expected --add with it"),
        (["--board", "host"], "expected --add with it"),
        (["--add", "bag=bags.npy", "--known", "bags.npy"], "expected samples with labels"),
        (["--remove", "hat"], "there is no class 'hat'"),
        (["--output", "out.h"], "expected a name that ends in .tflite, .bpm"),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    try:
        code = main(["classes", str(MODEL), *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert says in capsys.readouterr().err


# --- names in files ---


def test_a_model_without_names_keeps_its_bytes(tmp_path: Path) -> None:
    model = byteprop.load(MODEL)
    for suffix in ("tflite", "bpm", "h"):
        model.class_names = {}
        model.save(tmp_path / f"a.{suffix}")
        model.class_names = {0: "shirt", 9: "boot"}
        model.save(tmp_path / f"b.{suffix}")
        plain, named = ((tmp_path / f"{n}.{suffix}").read_bytes() for n in "ab")
        assert class_names.detach(plain) == (plain, ())
        if suffix == "h":
            assert named == plain
        else:
            assert class_names.detach(named) == (plain, ("shirt", *[""] * 8, "boot"))
            assert byteprop.load(named).class_names == {0: "shirt", 9: "boot"}
            assert byteprop.load(named).image == byteprop.load(plain).image


def archive(names: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in names.items():
            target.writestr(name, text)
    return made.getvalue()


@pytest.mark.parametrize(
    ("tail", "names"),
    [
        (archive({"labels.txt": "\n".join(map(str, range(10)))}), 10),
        (archive({"other.txt": "x", "labels.txt": "a\nb\n"}), 0),  # two names for ten classes
        (archive({"labels.txt": "a\n" * (1 << 20)}), 0),
        (archive({"labels.txt": "\xff\x1b[2J\n" * 10}), 10),
        (archive({"other.txt": "x"}), 0),
        (archive({"labels.txt": "a"})[:-30], 0),
        (archive({"labels.txt": "a\n" * 10}).replace(b"PK\3\4", b"PK\3\5"), 0),
        (b"PK\5\6" + b"\xff" * 18, 0),
    ],
    ids="ten two long control none cut damaged end".split(),
)
def test_tails_of_other_programs(tail: bytes, names: int) -> None:
    """As TensorFlow Lite's tools attach them, and damaged ones: the model is the same."""
    model = byteprop.load(MODEL.read_bytes() + tail)
    assert model.image == byteprop.load(MODEL).image
    assert len(model.class_names) == names


@pytest.mark.parametrize("name", ["", " a", "a\nb"])
def test_a_name_is_one_line(name: str, tmp_path: Path) -> None:
    model = byteprop.load(MODEL)
    model.class_names = {0: name}
    with pytest.raises(ArgumentError, match="expected one line of text for class 0"):
        model.save(tmp_path / "m.tflite")
