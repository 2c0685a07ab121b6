"""The figures of a training run, and its picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from byteprop.errors import ArgumentError
from byteprop.training.diagnosis import Rate, Sizes, Task
from byteprop.training.history import History


def history(**figures: list[float]) -> History:
    task = Task(n_train=100, chance=2.3, limit=3.45)
    return History(dict(figures), task=task, sizes=Sizes(weights=50), seconds=2.0)


FALLING = [1.0, 0.5, 0.4, 0.399]


def test_the_verdict_is_the_diagnosis_in_words() -> None:
    made = history(loss=[1.0, 0.7, 2.5])
    assert isinstance(made.verdict, str)
    assert made.verdict.startswith("Diverged") and "2.5" in made.verdict
    assert made.diverged and not history(loss=FALLING).diverged


def test_counters_take_part() -> None:
    made = history(loss=FALLING)
    made.counters = {"steps": 400, "samples": 400, "saturated_weights": 400 * 50}
    assert made.diagnosis.rate is Rate.LOWER
    assert "20,000 times" in made.remarks[0].text


def test_epochs_and_rate() -> None:
    made = history(loss=FALLING)
    assert made.epoch == [0, 1, 2, 3]
    assert made.samples_per_second == 200
    assert History().samples_per_second == 0


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / f"curve{suffix}"
    made = history(loss=FALLING, accuracy=FALLING, val_loss=FALLING)
    made.plot(path)
    assert path.stat().st_size > 1000
    with pytest.raises(ArgumentError, match="empty"):
        History().plot(path)
