"""What History says of a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from byteprop.errors import ArgumentError
from byteprop.history import History


def history(**figures: list[float]) -> History:
    made = History(dict(figures), n_train=100, n_weights=50, chance=2.3, limit=3.45, seconds=2.0)
    made.counters = {"samples": 100 * len(figures["loss"]), "saturated_weights": 0}
    return made


FALLING = [1.0, 0.5, 0.4, 0.399]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (History(), "Nothing was trained."),
        (history(loss=[2.0, 4.0]), "Diverged"),
        (history(loss=[0.5, 0.2, 0.9]), "Diverged"),
        (history(loss=[2.0, 1.0]), "Underfitting: the loss still fell"),
        (history(loss=[2.3, 2.29]), "Underfitting: hardly better than guessing"),
        (history(loss=FALLING), "nothing tells overfitting"),
        (history(loss=FALLING, val_loss=[1.0, 0.5, 0.41, 0.41]), "no overfitting"),
        (
            history(loss=FALLING, val_loss=[1.0, 0.5, 0.6, 0.9]),
            "Overfitting: .* lowest after epoch 2",
        ),
        (
            history(
                loss=FALLING, accuracy=[0.6, 0.8, 0.9, 0.95],
                val_loss=[1.0, 0.6, 0.6, 0.61], val_accuracy=[0.6, 0.8, 0.8, 0.8],
            ),
            "Overfitting: accuracy 0.95 on the training data and 0.8 on the validation data",
        ),
    ],
)  # fmt: skip
def test_verdicts(made: History, words: str) -> None:
    import re

    assert re.search(words, made.verdict), made.verdict


def test_a_regression_that_began_far_off_has_not_diverged() -> None:
    assert not History({"loss": [500.0]}, limit=100.0).diverged
    assert not History({"loss": [500.0, 200.0]}, limit=100.0).diverged
    assert History({"loss": [500.0, 400.0]}, limit=100.0).diverged


def test_saturated_weights_are_told() -> None:
    made = history(loss=FALLING)
    made.counters["saturated_weights"] = 400 * 50
    assert "20000 times" in made.verdict


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
