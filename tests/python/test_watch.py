"""`byteprop watch`: what it draws, on a terminal that is none, and what it prints without one."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.errors import ArgumentError
from byteprop_host.cli import main
from byteprop_host.data.classes import class_name, read_classes
from byteprop_host.training.scores import Epoch, Score
from byteprop_host.watch.drawing import bar, curve, labelled_curve
from byteprop_host.watch.views import MOST_BARS, InferenceView, TrainingView
from cli_process import interrupt, running

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/data/models"
DIGITS = MODELS / "digits_mlp.tflite"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    x = np.load(MODELS / "digits_mlp.vectors.npz")["x"][:200]
    labels = byteprop.load(DIGITS).run(x).argmax(axis=1)
    np.savez(tmp_path / "digits.npz", x=x, y=labels)
    return tmp_path / "digits.npz"


# --- bars and curves ---


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, "    "), (1, "████"), (0.5, "██  "), (0.53125, "██▏ "), (2, "████")]
)
def test_a_bar_has_eighths(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_a_curve_runs_from_the_top_to_the_bottom() -> None:
    assert curve([1.0, 0.0], 1, 1) == ["⢱"]  # no gap in a steep line
    falling = curve(list(range(8, 0, -1)), 4, 2)
    assert falling[0][0] != "⠀" and falling[1][0] == "⠀"
    assert falling[1][3] != "⠀" and falling[0][3] == "⠀"


@pytest.mark.parametrize("n", [1, 2, 3, 20, 5000])
def test_a_curve_fills_its_width(n: int) -> None:
    (row,) = curve([0.0] * n, 20, 1)
    assert len(row) == 20 and "⠀" not in row


def test_a_curve_has_its_limits_and_leaves_out_what_is_not_finite() -> None:
    rows = labelled_curve([4.0, float("nan"), 0.5, float("inf")], 30, 3)
    assert [row.partition("│")[0].strip() for row in rows] == ["4", "", "0.5"]
    assert {len(row) for row in rows} == {30}
    assert labelled_curve([float("nan")], 30, 3) == []


# --- views ---


def test_bars_mark_the_answer_and_the_label() -> None:
    view = InferenceView("a.tflite on b", ("cat", "dog", "\x1b[31mfox"))
    view.add(5, [0.1, 0.7, 0.2], 2, 1234, 4.0)
    text = view.lines(80)
    assert "sample 5, 1 done, 4.0 per second, 1,234 none, 0 of 1 right" in text
    (cat,) = [line for line in text if " cat " in line]
    (dog,) = [line for line in text if " dog " in line]
    (fox,) = [line for line in text if "fox" in line]
    assert dog.startswith("\x1b[1;31m") and dog.count("█") > fox.count("█") > cat.count("█")
    assert fox.endswith("◀ true") and "\x1b" not in fox
    view.add(6, [0.1, 0.7, 0.2], 1, None, 4.0)
    (dog,) = [line for line in view.lines(80) if " dog " in line]
    assert dog.startswith("\x1b[1;32m")
    assert view.line() == "sample 6: dog (0.70), true dog"


def test_of_many_classes_the_best_are_shown() -> None:
    view = InferenceView("m")
    scores = [i % 100 / 100 for i in range(1000)]
    view.add(0, scores, None, None, 1.0)
    shown = view.lines(80)[3:]
    assert len(shown) == MOST_BARS
    assert all("0.99" in line or "0.98" in line or "0.97" in line for line in shown)


def test_a_single_output_is_a_curve() -> None:
    view = InferenceView("m")
    for i in range(5):
        view.add(i, [i / 2], None, None, 1.0)
    text = view.lines(60)
    assert "output 2" in text and sum("│" in line for line in text) == 8
    assert view.line() == "sample 4: 2"


def test_a_training_shows_loss_and_epochs() -> None:
    view = TrainingView("m learns on b", done=30, total=60)
    for loss in (2.0, 1.0, 0.5):
        view.add({"loss": loss})
    view.epochs.append(Epoch(1, 0.1, Score(9, 0.5, accuracy=0.5), Score(9, 0.75, accuracy=0.25)))
    assert "loss of the validation samples" not in "\n".join(view.lines(60))  # a curve needs two
    view.epochs.append(Epoch(2, 0.1, Score(9, 0.4, accuracy=0.5), Score(9, 0.25, accuracy=0.25)))
    text = "\n".join(view.lines(60))
    assert " 50.0%" in text and "  2 │" in text and "0.5 │" in text
    assert "loss of the validation samples, by epoch" in text
    assert "epoch 1: accuracy 0.5000, loss 0.5000; validation accuracy 0.2500" in text


# --- names of classes ---


def test_names_are_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("cat\n dog \n", encoding="utf-8")
    assert read_classes(file, 2) == ("cat", "dog")
    with pytest.raises(ArgumentError, match="names of 3 classes, one per line, got 2 lines"):
        read_classes(file, 3)
    assert [class_name(("cat",), i) for i in range(2)] == ["cat", "1"]


def test_fashion_mnist_has_names() -> None:
    names = read_classes(ROOT / "examples/fashion_mnist/classes.txt", 10)
    assert names[0] == "T-shirt/top" and names[9] == "Ankle boot"


# --- the verb ---


def test_answers_are_lines_without_a_terminal(
    digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["watch", str(DIGITS), "--data", str(digits), "--seconds", "0.5", "--rate", "50"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    labels = np.load(digits)["y"]
    assert len(lines) >= 2
    for i, line in enumerate(lines):
        label = labels[i % len(labels)]
        assert line.startswith(f"sample {i % len(labels)}: {label} (")
        assert line.endswith(f", true {label}")


def test_frames_are_drawn_on_a_terminal(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    names = digits.with_name("names.txt")
    names.write_text("\n".join(f"digit-{i}" for i in range(10)))
    arguments = ["watch", str(DIGITS), "--data", str(digits), "--seconds", "0.5", "--rate", "50"]
    assert main([*arguments, "--classes", str(names)]) == 0
    text = screen.getvalue()
    assert text.index("starting") < text.index("digits_mlp.tflite on This computer (native)")
    assert text.count("digits_mlp.tflite on This computer (native)") >= 2  # frames
    assert "\x1b[1A" in text  # over one another
    assert all(f"digit-{i} " in text for i in range(10))
    assert "\x1b[1;32m" in text and " right" in text


def test_learning_is_drawn_and_ends_with_the_result(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["watch", str(DIGITS), "--data", str(digits), "--learn", "--epochs", "2"]) == 0
    text = screen.getvalue()
    assert "digits_mlp.tflite learns on This computer (native)" in text
    assert "loss of the epoch so far" in text and "epoch 2: accuracy" in text
    assert "weights" in text.rsplit("identical", 1)[1]


def test_learning_needs_labels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(DIGITS), "--learn"]) == 2
    assert "--learn: expected --data with labelled samples" in capsys.readouterr().err


def test_watch_has_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--json", "watch", str(DIGITS)])
    assert stop.value.code == 2
    assert "it has no JSON" in capsys.readouterr().err


def test_ctrl_c_ends_it_without_an_error(digits: Path) -> None:
    with running(["watch", DIGITS, "--data", digits], cwd=digits.parent) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("sample 0: ")
        _, errors = interrupt(process, signal.SIGINT)
    assert process.returncode == 0
    assert errors == "press Ctrl-C to stop\n"
