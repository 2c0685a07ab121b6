"""The one diagnosis of a training run, by kinds and numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byteprop.training.diagnosis import (
    Curves,
    Diagnosis,
    Kind,
    Rate,
    Reason,
    Sizes,
    Task,
    describe,
    diagnose,
    remarks,
)
from byteprop.training.history import History

CLASSES = Task(n_train=1000, n_validation=200, baseline=0.1, chance=2.3, limit=3.45)
VALUES = Task(n_train=50, n_validation=50, baseline=1.0, limit=100.0, step=0.05)
FALLING = (1.0, 0.6, 0.5, 0.49)


def classes(
    loss: tuple[float, ...] = FALLING,
    val_loss: tuple[float, ...] = (0.9, 0.7, 0.6, 0.6),
    *,
    accuracy: float = 0.85,
    val_accuracy: float = 0.83,
) -> Curves:
    n = len(loss)
    return Curves(loss, (accuracy,) * n, val_loss, (val_accuracy,) * len(val_loss))


def values(rmse: float, val_rmse: float) -> Curves:
    return Curves((rmse**2,) * 3, val_loss=(val_rmse**2,) * 3, val_rmse=(val_rmse,) * 3)


@pytest.mark.parametrize(
    ("curves", "task", "kind", "reason", "numbers"),
    [
        (Curves(), CLASSES, Kind.UNKNOWN, Reason.NOT_TRAINED, {}),
        (classes(), CLASSES, Kind.GOOD, Reason.SETTLED, {"accuracy": 0.85, "val_accuracy": 0.83}),
        (
            classes(accuracy=0.95), CLASSES, Kind.OVERFIT, Reason.VALIDATION_GAP,
            {"accuracy": 0.95, "val_accuracy": 0.83, "best_epoch": 3},
        ),
        # As far apart, but of so few samples that it may be chance.
        (
            classes(accuracy=0.95), replace(CLASSES, n_train=40, n_validation=20),
            Kind.GOOD, Reason.SETTLED, {},
        ),
        (
            classes((1.0, 0.5, 0.3, 0.29), (0.8, 0.6, 0.7, 0.9)), CLASSES,
            Kind.OVERFIT, Reason.VALIDATION_LOSS_ROSE,
            {"best_epoch": 2, "best_val_loss": 0.6, "val_loss": 0.9},
        ),
        (
            classes(accuracy=0.32, val_accuracy=0.31), CLASSES,
            Kind.UNDERFIT, Reason.NEAR_GUESSING, {"accuracy": 0.32, "baseline": 0.1},
        ),
        # One epoch: its mean says little, the validation after it says more.
        (
            classes((1.9,), (1.0,), accuracy=0.3, val_accuracy=0.7), CLASSES,
            Kind.GOOD, Reason.SETTLED, {},
        ),
        (
            classes((1.0, 0.8, 0.6, 0.5), ()), CLASSES,
            Kind.UNDERFIT, Reason.LOSS_STILL_FALLS, {"loss": 0.5, "previous_loss": 0.6},
        ),
        (
            classes((1.0, 0.7, 2.5), ()), CLASSES, Kind.DIVERGED, Reason.LOSS_ROSE,
            {"loss": 2.5, "best_loss": 0.7, "first_loss": 1.0},
        ),
        (classes((2.0, 4.0), ()), CLASSES, Kind.DIVERGED, Reason.LOSS_ABOVE_GUESSING, {}),
        (classes((0.5, math.nan), ()), CLASSES, Kind.DIVERGED, Reason.LOSS_ROSE, {}),
        # Losses that are next to nothing may rise.
        (classes((0.001, 0.003), ()), CLASSES, Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (classes(val_loss=()), CLASSES, Kind.UNKNOWN, Reason.NO_VALIDATION, {"accuracy": 0.85}),
        (Curves((2.3, 2.29)), CLASSES, Kind.UNDERFIT, Reason.NEAR_GUESSING, {"chance": 2.3}),
        (values(0.10, 0.11), VALUES, Kind.GOOD, Reason.SETTLED, {}),
        (values(0.10, 0.30), VALUES, Kind.OVERFIT, Reason.VALIDATION_GAP, {"val_rmse": 0.3}),
        # Within one step of the output integers can be no better.
        (values(0.01, 0.03), VALUES, Kind.GOOD, Reason.SETTLED, {}),
        (values(0.80, 0.80), VALUES, Kind.UNDERFIT, Reason.NEAR_GUESSING, {"rmse": 0.8}),
        (Curves((0.0016, 0.0009)), VALUES, Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (Curves((0.16, 0.09)), VALUES, Kind.UNDERFIT, Reason.LOSS_STILL_FALLS, {}),
        # The loss still falls, but there is nothing left to learn.
        (classes((0.5, 0.4), (), accuracy=1.0), CLASSES, Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (
            classes((0.5, 0.4), (0.5, 0.4), accuracy=0.98, val_accuracy=1.0), CLASSES,
            Kind.GOOD, Reason.SETTLED, {"accuracy": 0.98, "val_accuracy": 1.0},
        ),
        (Curves((0.5, 0.4), (1.0, 1.0)), Task(), Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (classes((0.12, 0.1), ()), CLASSES, Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (classes((0.1, 0.0), ()), CLASSES, Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (Curves((0.1, 0.0)), Task(), Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (
            classes((0.5, 0.4), (), accuracy=0.98), CLASSES,
            Kind.UNDERFIT, Reason.LOSS_STILL_FALLS, {"loss": 0.4},
        ),
        # A regression that began far off has not diverged while it falls.
        (Curves((500.0,)), Task(limit=100.0), Kind.UNKNOWN, Reason.NO_VALIDATION, {}),
        (Curves((500.0, 200.0)), Task(limit=100.0), Kind.UNDERFIT, Reason.LOSS_STILL_FALLS, {}),
        (Curves((500.0, 400.0)), Task(limit=100.0), Kind.DIVERGED, Reason.LOSS_ABOVE_GUESSING, {}),
        # Curves that two earlier rules judged in contradicting ways.
        (Curves((1.0, 0.6, 0.5, 0.485), val_loss=(1.0, 0.7, 0.6, 0.6)), Task(),
         Kind.GOOD, Reason.SETTLED, {}),
        (Curves((1.0, 0.7, 1.2)), Task(), Kind.DIVERGED, Reason.LOSS_ROSE, {}),
        (Curves((1.0, 0.6, 0.4, 0.3), val_loss=(1.0, 0.8, 0.85, 0.95)), Task(),
         Kind.OVERFIT, Reason.VALIDATION_GAP, {"loss": 0.3, "val_loss": 0.95, "best_epoch": 2}),
    ],
)  # fmt: skip
def test_kinds_and_numbers(
    curves: Curves, task: Task, kind: Kind, reason: Reason, numbers: dict[str, float]
) -> None:
    found = diagnose(curves, task)
    assert (found.kind, found.reason) == (kind, reason)
    assert {name: found.numbers[name] for name in numbers} == numbers
    history = History({n: list(v) for n, v in vars(curves).items() if v}, task=task)
    assert history.diagnosis.kind is kind and history.diverged == (kind is Kind.DIVERGED)


def test_a_regression_that_saturated_its_weights_ran_away() -> None:
    found = diagnose(Curves((500.0, 200.0)), Task(limit=100.0), {"saturated_weights": 1})
    assert (found.kind, found.rate) == (Kind.DIVERGED, Rate.LOWER)


COUNTERS = {
    "steps": 1000, "samples": 1000, "saturated_weights": 0, "saturated_activations": 0,
    "saturated_logits": 0, "vanished": 0, "rescales": 0,
}  # fmt: skip
SIZES = Sizes(hidden_units=20, outputs=10, rows=30, weights=15_880, window=200)
GUESSING = classes(accuracy=0.12, val_accuracy=0.12)


@pytest.mark.parametrize(
    ("curves", "changes", "rate", "warned"),
    [
        (classes(), {}, Rate.KEEP, set()),
        (GUESSING, {}, Rate.RAISE, set()),
        (GUESSING, {"saturated_weights": 20_000}, Rate.LOWER, {"saturated_weights"}),
        (GUESSING, {"vanished": 20_000}, Rate.RAISE, {"vanished"}),
        (
            GUESSING, {"vanished": 20_000, "saturated_weights": 20_000},
            Rate.LOWER, {"saturated_weights"},
        ),
        (classes(), {"saturated_weights": 5}, Rate.KEEP, set()),
        (classes(), {"saturated_activations": 100}, Rate.KEEP, set()),
        (classes(), {"saturated_activations": 1000}, Rate.LOWER, {"saturated_activations"}),
        (classes(), {"saturated_logits": 500}, Rate.LOWER, {"saturated_logits"}),
        # Samples that are known well change nothing more.
        (classes(), {"vanished": 20_000}, Rate.KEEP, set()),
        (classes((1.0, 3.0)), {"vanished": 20_000}, Rate.LOWER, set()),
    ],
)  # fmt: skip
def test_verdict_and_counters_give_one_advice(
    curves: Curves, changes: dict[str, int], rate: Rate, warned: set[str]
) -> None:
    counters = COUNTERS | changes
    found = diagnose(curves, CLASSES, counters, SIZES)
    assert found.rate is rate
    said = remarks(found, counters, SIZES)
    assert {r.counter for r in said if r.is_warning} == warned
    texts = [describe(found), *(r.text for r in said)]
    words = {Rate.LOWER: ("too low", "higher"), Rate.RAISE: ("too high", "lower")}
    for contradiction in words.get(rate, ()):
        assert not any(contradiction in text for text in texts), texts


def test_shares_and_counts_of_remarks() -> None:
    counters = COUNTERS | {"saturated_activations": 100, "vanished": 3000, "rescales": 1}
    said = {r.counter: r for r in remarks(Diagnosis(Kind.GOOD, Reason.SETTLED), counters, SIZES)}
    assert {n: (r.count, r.share) for n, r in said.items()} == {
        "saturated_weights": (0, 0.0),
        "saturated_activations": (100, 0.005),
        "saturated_logits": (0, 0.0),
        "rescales": (1, 0.0),
        "vanished": (3000, 0.1),
    }
    still = remarks(Diagnosis(Kind.GOOD, Reason.SETTLED), counters, replace(SIZES, window=0))
    assert {r.counter for r in still} == {"saturated_weights", "vanished"}


losses = st.lists(st.floats(0, 1e9), max_size=5)


@given(losses, losses, losses, st.sampled_from([CLASSES, VALUES, Task()]))
def test_every_curve_has_a_diagnosis_in_words(
    loss: list[float], val_loss: list[float], accuracy: list[float], task: Task
) -> None:
    n = min(len(loss), len(val_loss) or 5, len(accuracy) or 5)
    accuracy = [a % 1 for a in accuracy]
    curves = Curves(loss[:n], accuracy[:n], val_loss[:n], accuracy[:n] if val_loss else ())
    found = diagnose(curves, task, COUNTERS, SIZES)
    assert describe(found).endswith(".")
    assert all(isinstance(value, (int, float)) for value in found.numbers.values())
