"""The kernels against their definitions in Python integers of any size, written a second time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop.engine import _raw
from byteprop.errors import ArgumentError

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
int32s = st.one_of(
    st.integers(INT32_MIN, INT32_MAX),
    st.integers(-300, 300),
    st.sampled_from([INT32_MIN, INT32_MIN + 1, -(1 << 30), 1 << 30, INT32_MAX - 1, INT32_MAX]),
)
mults = st.one_of(
    st.integers(1 << 30, INT32_MAX), st.sampled_from([0, 1 << 30, (1 << 30) + 1, INT32_MAX])
)
lshifts = st.integers(-31, 30)
isas = _raw.isa_names()


@pytest.fixture(autouse=True)
def _same_isa_again() -> Iterator[None]:
    before = _raw.isa_name()
    yield
    assert _raw.isa_select(before)


def wrap(x: int) -> int:
    """x modulo 2^32, as int32."""
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


def nearest(x: Fraction, *, half_up: bool) -> int:
    """The nearest integer; a half goes up, or away from zero."""
    if half_up or x >= 0:
        return (x + Fraction(1, 2)).__floor__()
    return -((-x + Fraction(1, 2)).__floor__())


def requant(x: int, mult_q31: int, lshift: int) -> int:
    shifted = wrap(x << max(lshift, 0))
    high = nearest(Fraction(shifted * mult_q31, 1 << 31), half_up=True)
    return nearest(Fraction(high, 1 << max(-lshift, 0)), half_up=False)


def clamp(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


@given(int32s, mults, lshifts)
@settings(max_examples=2000)
def test_requant(x: int, mult_q31: int, lshift: int) -> None:
    assert _raw.requant(x, mult_q31, lshift) == requant(x, mult_q31, lshift)


def test_requant_around_every_half() -> None:
    for lshift in range(-31, 1):
        half = 1 << (-lshift)  # times 2^30 / 2^31 and then 2^lshift: one half
        for x in {
            clamp(s * half + d, INT32_MIN, INT32_MAX) for s in (-3, -1, 1, 3) for d in (-1, 0, 1)
        }:
            assert _raw.requant(x, 1 << 30, lshift) == requant(x, 1 << 30, lshift), (x, lshift)


@pytest.mark.parametrize(
    ("mult_q31", "lshift"),
    [(1, 0), ((1 << 30) - 1, 0), (-(1 << 30), 0), (1 << 30, 31), (1 << 30, -32)],
)
def test_scalings_out_of_range_are_refused(mult_q31: int, lshift: int) -> None:
    with pytest.raises(ArgumentError):
        _raw.requant(1, mult_q31, lshift)


@st.composite
def dense_layers(draw: st.DrawFn) -> dict[str, object]:
    n_in, n_out = draw(st.integers(1, 70)), draw(st.integers(1, 11))
    channels = n_out if draw(st.booleans()) else 1
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    extremes = draw(st.booleans())

    def int8s(*shape: int) -> npt.NDArray[np.int8]:
        if extremes:
            return rng.choice(np.array([-128, 127], np.int8), shape)
        return rng.integers(-128, 128, shape).astype(np.int8)

    y_min, y_max = sorted(draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127))))
    return {
        "x": int8s(n_in),
        "weights": int8s(n_out, n_in),
        "bias_folded": np.array(draw(st.lists(int32s, min_size=n_out, max_size=n_out)), np.int32),
        "mult": np.array(draw(st.lists(mults, min_size=channels, max_size=channels)), np.int32),
        "lshift": np.array(draw(st.lists(lshifts, min_size=channels, max_size=channels)), np.int8),
        "y_zp": draw(st.integers(-128, 127)),
        "y_min": y_min,
        "y_max": y_max,
    }


def dense(layer: dict[str, object]) -> list[int]:
    x, weights, bias, mult, lshift = (
        np.asarray(layer[name]).tolist()
        for name in ("x", "weights", "bias_folded", "mult", "lshift")
    )
    y_zp, y_min, y_max = (int(str(layer[name])) for name in ("y_zp", "y_min", "y_max"))
    y = []
    for j, row in enumerate(weights):
        k = j if len(mult) > 1 else 0
        total = wrap(bias[j] + sum(w * v for w, v in zip(row, x, strict=True)))
        value = wrap(requant(total, mult[k], lshift[k]) + y_zp)
        y.append(clamp(value, y_min, y_max))
    return y


@pytest.mark.parametrize("isa", isas)
@given(layer=dense_layers())
@settings(max_examples=300, deadline=None)
def test_dense(isa: str, layer: dict[str, object]) -> None:
    assert _raw.isa_select(isa)
    assert _raw.dense_s8(**layer).tolist() == dense(layer)  # type: ignore[arg-type]


@pytest.mark.parametrize("isa", isas)
@pytest.mark.parametrize("n_out", [1, 2, 3, 4, 5, 6, 7])
def test_dense_of_every_length(isa: str, n_out: int) -> None:
    """n_in 1 .. 70 crosses every remainder of a vector; products are at their largest."""
    assert _raw.isa_select(isa)
    for n_in in range(1, 71):
        x = np.full(n_in, -128, np.int8)
        weights = np.full((n_out, n_in), -128, np.int8)
        weights[1::2] = 127
        y = _raw.dense_s8(
            x, weights, np.zeros(n_out, np.int32), np.array([1 << 30], np.int32),
            np.array([-13], np.int8), 0, -128, 127,
        )  # fmt: skip
        wanted = [clamp(requant(n_in * -128 * w, 1 << 30, -13), -128, 127) for w in (-128, 127)]
        assert y.tolist() == [wanted[j % 2] for j in range(n_out)]


@pytest.mark.parametrize("isa", isas)
def test_dense_sums_wrap(isa: str) -> None:
    """A bias near the border of int32 carries the sum around, as the reference does."""
    assert _raw.isa_select(isa)
    y = _raw.dense_s8(
        np.array([1], np.int8), np.array([[127], [-128]], np.int8),
        np.array([INT32_MAX, INT32_MIN], np.int32), np.array([1 << 30], np.int32),
        np.array([-23], np.int8), 0, -128, 127,
    )  # fmt: skip
    assert y.tolist() == [-128, 127]


@given(
    *(st.booleans(), st.booleans(), mults, lshifts),
    *(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
)
@settings(max_examples=300, deadline=None)
def test_rescale_of_every_byte(
    x_unsigned: bool, y_unsigned: bool, mult: int, lshift: int, x_zp: int, y_zp: int, a: int, b: int
) -> None:
    x_low, y_low = (0 if x_unsigned else -128), (0 if y_unsigned else -128)
    x_zp, y_zp = x_zp + x_low, y_zp + y_low
    y_min, y_max = sorted((a + y_low, b + y_low))
    x = np.arange(x_low, x_low + 256).astype(np.uint8 if x_unsigned else np.int8)
    y_dtype = np.uint8 if y_unsigned else np.int8
    y = _raw.rescale_8(x, y_dtype, mult, lshift, x_zp, y_zp, y_min, y_max)
    wanted = [clamp(wrap(requant(v - x_zp, mult, lshift) + y_zp), y_min, y_max) for v in x.tolist()]
    assert y.dtype == y_dtype
    assert y.tolist() == wanted


def test_arguments_are_checked() -> None:
    x, weights = np.zeros(3, np.int8), np.zeros((2, 3), np.int8)
    bias, mult, lshift = np.zeros(2, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int8)
    with pytest.raises(ArgumentError, match="x: expected int8"):
        _raw.dense_s8(x.astype(np.int16), weights, bias, mult, lshift, 0, -128, 127)
    with pytest.raises(ArgumentError, match="fit weights"):
        _raw.dense_s8(x[:2], weights, bias, mult, lshift, 0, -128, 127)
    with pytest.raises(ArgumentError, match="y_max"):
        _raw.dense_s8(x, weights, bias, mult, lshift, 0, 5, 4)
    with pytest.raises(ArgumentError, match="mult"):
        _raw.dense_s8(x, np.zeros((3, 3), np.int8), np.zeros(3, np.int32), bias, x[:2], 0, 0, 1)
    with pytest.raises(ArgumentError, match="elements of x"):
        _raw.softmax_s8(x[:0], _raw.softmax_exp_table(1 << 30, 22, -10))
    with pytest.raises(ArgumentError, match="exp_q31"):
        _raw.softmax_s8(x, np.zeros(256, np.int32))
