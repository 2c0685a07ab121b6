"""The reference's fixed point against exact fractions, and its arguments, without any runtime."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite_builder as tb
from byteprop import reference
from byteprop.errors import ArgumentError
from byteprop.graph import DType
from byteprop.importer import load_tflite
from byteprop.reference import fixed, softmax

INT32 = st.integers(-(2**31), 2**31 - 1)


def half_away(value: Fraction) -> int:
    size = (abs(value) * 2 + 1) // 2
    return int(size if value >= 0 else -size)


def half_up(value: Fraction) -> int:
    return int((value * 2 + 1) // 2)


@given(x=INT32, mult=st.one_of(st.just(0), st.integers(2**30, 2**31 - 1)), k=st.integers(-31, 0))
def test_requant_rounds_twice(x: int, mult: int, k: int) -> None:
    wanted = half_away(Fraction(half_up(Fraction(x * mult, 2**31)), 2**-k))
    assert fixed.requant(np.array([x]), mult, k).tolist() == [wanted]


@given(x=INT32, k=st.integers(1, 30))
def test_requant_to_the_left_loses_upper_bits(x: int, k: int) -> None:
    wrapped = ((x << k) + 2**31) % 2**32 - 2**31
    wanted = half_up(Fraction(wrapped * 2**30, 2**31))
    assert fixed.requant(np.array([x]), 2**30, k).tolist() == [wanted]


@given(st.floats(2.0**-34, 2.0**30, exclude_max=True))
def test_multiplier_is_within_half_a_unit_of_the_scale(scale: float) -> None:
    mult, k = fixed.multiplier(scale)
    if mult == 0:
        assert scale < 2.0**-32
        return
    assert 2**30 <= mult < 2**31
    unit = Fraction(2) ** (k - 31)
    assert abs(mult * unit - Fraction(scale)) <= unit / 2


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20),
    st.floats(2.0**-10, 2.0**10, width=32),
    st.integers(-128, 127),
)
def test_quantize_rounds_the_float32_quotient_half_away_and_saturates(
    values: list[float], scale: float, zero_point: int
) -> None:
    x = np.array(values, np.float32)
    wanted = [
        min(127, max(-128, half_away(Fraction(float(q))) + zero_point))
        for q in x / np.float32(scale)
    ]
    got = reference.quantize(x, np.float32(scale), zero_point, DType.INT8)
    assert got.dtype == np.int8
    assert got.tolist() == wanted


def test_quantize_does_not_round_the_largest_below_a_half_up() -> None:
    x = np.nextafter(np.float32(0.5), np.float32(0))
    assert reference.quantize([x, -x, 0.5, -0.5], np.float32(1), 0, DType.INT8).tolist() == [
        0,
        0,
        1,
        -1,
    ]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_quantize_refuses_what_no_integer_stands_for(bad: float) -> None:
    with pytest.raises(ArgumentError, match="finite"):
        reference.quantize([0.0, bad], np.float32(1), 0, DType.INT8)


def test_dequantize_is_scale_times_distance() -> None:
    got = reference.dequantize(np.array([-128, 0, 127], np.int8), np.float32(0.1), -128)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.float32(0.1) * np.array([0, 128, 255], np.float32))


def test_exponential_is_near_the_real_one() -> None:
    a = -np.arange(0, 2**31, 104729, dtype=np.int64)
    got = softmax._exp_of_negative(a) / 2.0**31
    np.testing.assert_allclose(got, np.exp(a / 2.0**26), rtol=0, atol=2.0**-22)


def test_reciprocal_is_near_the_real_one() -> None:
    a = np.arange(0, 2**31, 104729, dtype=np.int64)
    got = softmax._reciprocal_of_one_plus(a) / 2.0**31
    np.testing.assert_allclose(got, 1 / (1 + a / 2.0**31), rtol=0, atol=2.0**-27)


MODEL = tb.reshape_model([(2, 3), (3, 2)])


@pytest.mark.parametrize(
    "x, message",
    [
        (np.zeros((2, 3), np.uint8), "expected dtype int8, got uint8"),
        (np.zeros((3, 3), np.int8), r"expected shape \(n \* 2, 3\), got \(3, 3\)"),
        (np.zeros((2, 2), np.int8), r"got \(2, 2\)"),
        (np.zeros((), np.int8), r"got \(\)"),
    ],
)
def test_wrong_inputs_are_named(
    x: np.ndarray[tuple[int, ...], np.dtype[np.int8]], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        reference.run(load_tflite(MODEL), [x])


def test_a_wrong_number_of_inputs_is_named() -> None:
    with pytest.raises(ArgumentError, match="expected 1 arrays, got 0"):
        reference.run(load_tflite(MODEL), [])


def test_no_samples_give_no_samples() -> None:
    y = reference.run(load_tflite(MODEL), [np.zeros((0, 3), np.int8)])[0]
    assert y.shape == (0, 2)


def test_the_constants_are_those_of_the_document() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "numerics.md").read_text()
    constants = (
        *softmax._EXP_MINUS_POWERS,
        softmax._EXP_MINUS_EIGHTH,
        softmax._THIRD,
        softmax._48_17THS_Q2_29,
        softmax._MINUS_32_17THS_Q2_29,
    )
    assert [c for c in constants if not re.search(rf"(?<!\d){c}(?!\d)", text)] == []
