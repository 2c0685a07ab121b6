"""Learning rates in integers, and what stands for the names."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from byteprop.errors import ArgumentError
from byteprop.training.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Linear,
    Progress,
    Step,
    describe,
    rate_of,
    rate_unit,
    schedule_of,
)

RATE = 83886


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("total", "per_epoch"), [(1, 1), (10, 5), (3000, 6), (1_200_000, 60_000)])
def test_rates_do_not_depend_on_how_they_are_asked_for(
    name: str, total: int, per_epoch: int
) -> None:
    schedule = SCHEDULES[name]
    n = min(total, 5000)
    whole = schedule.rates(RATE, Progress(total - n, n, total, per_epoch))
    parts = [
        schedule.rates(RATE, Progress(total - n + i, min(7, n - i), total, per_epoch))
        for i in range(0, n, 7)
    ]
    assert whole.dtype == np.uint32
    assert np.array_equal(whole, np.concatenate(parts))


def test_linear_is_the_rounded_line() -> None:
    total = 999
    got = Linear().rates(RATE, Progress(0, total, total, 333)).tolist()
    assert got == [
        math.floor(Fraction(RATE * (total - t) + total // 2, total)) for t in range(total)
    ]
    assert got[0] == RATE


def test_linear_at_the_largest_rate_and_total() -> None:
    rate, total = 2**31 - 1, 2**32 - 1
    got = Linear().rates(rate, Progress(0, 2, total, total)).tolist()
    assert got == [(rate * (total - t) + total // 2) // total for t in range(2)]


def test_cosine_follows_the_cosine_within_a_unit_and_ends_near_zero() -> None:
    total = 4000
    got = Cosine().rates(RATE, Progress(0, total, total, 400)).astype(np.int64)
    exact = RATE * (1 + np.cos(np.pi * np.arange(total) / total)) / 2
    assert np.abs(got - exact).max() <= 1.0
    assert (np.diff(got) <= 0).all()
    assert got[0] == RATE and got[-1] <= 1


def test_step_divides_after_every_so_many_epochs() -> None:
    got = Step(every=2, rshift=3).rates(1000, Progress(0, 12, 12, 2)).tolist()
    assert got == [1000] * 4 + [125] * 4 + [15] * 4


def test_constant() -> None:
    assert Constant().rates(5, Progress(3, 4, 100, 10)).tolist() == [5] * 4


@pytest.mark.parametrize(
    ("rate", "found"),
    [
        (127.9, (2145805926, 0)),
        (0.005, (83886, 0)),
        (2**-8, (65536, 0)),
        (0.001, (67109, 2)),
        (1e-9, (70369, 22)),
        (2**-64, (1, 40)),
    ],
)
def test_learning_rates_have_16_bits_above_their_exponent(
    rate: float, found: tuple[int, int]
) -> None:
    assert rate_of(rate) == found
    assert found[0] / rate_unit(found[1]) == pytest.approx(rate, rel=2**-17)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1e-20, "rounded to 0"),
        (128.0, "below 128"),
        (0.0, "above 0"),
        (-0.1, "above 0"),
        (float("nan"), "above 0"),
        (float("inf"), "above 0"),
        ("fast", "expected a number"),
        (True, "expected a number"),
    ],
)
def test_rates_that_do_not_fit(rate: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        rate_of(rate)  # type: ignore[arg-type]


def test_names_and_objects() -> None:
    assert schedule_of("cosine") == Cosine()
    mine = Step(3)
    assert schedule_of(mine) is mine
    assert describe(mine) == "Step(every=3, rshift=1)"
    for wrong in ("sine", 3):
        with pytest.raises(ArgumentError, match="schedule"):
            schedule_of(wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="every"):
        Step(every=0)
