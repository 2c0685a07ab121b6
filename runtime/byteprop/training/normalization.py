"""How a new network takes its inputs: as they are, or normalised feature by feature.

Measured constants are round: what is subtracted is a multiple of the input's step, what is
multiplied by a power of two. A board that reads its own sensors then needs a subtraction and a
shift, and the same samples give the same constants on every machine. docs/training.md has the rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import Normalization
from byteprop.training.initial import input_scale, power_of_two

Range = tuple[float, float]
Floats = npt.NDArray[np.float64]
Declared = Normalization | tuple[npt.ArrayLike, npt.ArrayLike]

# An image has at least so many values: 8 by 8 pixels, or several axes.
_IMAGE_VALUES = 64
# Normalised values saturate beyond four deviations; the integers have steps of 1/32 of one.
_COARSEST = 2.0**-5
# What is subtracted is a multiple of this share of a deviation.
_GRID = 2.0**-6
# A mean nearer to 0 than this share of a deviation stays, so that zeros stay zeros.
_CENTRED = 0.25
# Of the multiplier, which float32 still holds without loss.
_LARGEST_EXPONENT = 126
# Outliers are what lies beyond so many deviations, when they are few and the deviation of all is
# at least twice that of the rest.
_OUTLIER = 4.0
_MOST_OUTLIERS = 0.05
_PASSES = 8
_VALUES_AT_ONCE = 1 << 15
# Declared ranges that are learnt as they are have their larger end between these.
_SMALL_RANGE, _LARGE_RANGE = 1 / 16, 16.0
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Inputs:
    """scale, zero_point, normalization: of the input tensor. has_unit_deviation: the features of
    the samples have a deviation of about 1. reason: why it is so, for people."""

    scale: np.float32
    zero_point: int
    normalization: Normalization | None
    has_unit_deviation: bool
    reason: str


def inputs_of_range(limits: Range, reason: str) -> Inputs:
    """Real numbers of a known range, as they are."""
    return Inputs(*input_scale(*limits), None, False, reason)


def inputs_of_declared_range(
    limits: Range, shape: tuple[int, ...], *, normalize: bool | None = None
) -> Inputs:
    """As they are where the range is about that of 1, else all normalised alike. normalize: False
    for never."""
    low, high = limits
    words = f"input_range {low:g} .. {high:g}"
    largest = max(abs(low), abs(high))
    if normalize is False or _SMALL_RANGE <= largest <= _LARGE_RANGE or largest > _FLOAT32_MAX:
        return inputs_of_range(limits, words)
    if _may_be_image(shape, low) and 127 < high <= 255:
        return _divided_by_256(words)
    # A quarter of the range is about the deviation of values that fill it.
    unit = float(power_of_two((high - low) / 4))
    sub = np.full(1, np.rint((low + high) / 2 / (_GRID * unit)) * _GRID * unit, np.float32)
    constants = Normalization(sub, np.full(1, 1 / unit, np.float32))
    reach = max(high - float(sub[0]), float(sub[0]) - low) / unit
    scale = min(power_of_two(reach / 128), np.float32(_COARSEST))
    return Inputs(scale, 0, constants, True, f"{words} is normalised to about -2 .. 2")


def inputs_of_samples(
    x: npt.NDArray[Any],
    shape: tuple[int, ...],
    *,
    normalize: bool | None = None,
    by_channel: bool = False,
) -> Inputs:
    """From x [N, *shape]. normalize: None for where it is needed. by_channel: alike at all
    positions, as convolutions are. ArgumentError for samples that are not finite real numbers of
    that shape."""
    check_samples(x, shape)
    if x.dtype == np.uint8 and not normalize:
        return inputs_of_range((0.0, 1.0), "uint8 are pixels")
    low, high = _finite_range(x)
    if normalize is False:
        return inputs_of_range((low, high), "normalization is off")
    if normalize is None:
        image = _image(x, shape, low, high)
        if image is not None:
            return image
    rows = x.reshape(-1, shape[-1]) if by_channel else x.reshape(len(x), -1)
    measured = _measured(rows, f"values are in {low:g} .. {high:g}")
    return inputs_of_range((low, high), "no feature varies") if measured is None else measured


def check_samples(x: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    """ArgumentError for what is not real numbers [N, *shape]."""
    if x.dtype.kind not in "fiub":
        raise ArgumentError(f"x: expected real numbers, got dtype {x.dtype}")
    one_feature = x.ndim == 1 and shape == (1,)
    if not (one_feature or x.shape[1:] == shape) or len(x) == 0:
        sizes = ", ".join(["N", *map(str, shape)])
        raise ArgumentError(f"x: expected shape ({sizes}), N at least 1, got {x.shape}")


def inputs_declared(declared: Declared, shape: tuple[int, ...]) -> Inputs:
    """declared: constants, or (mean, deviation), each a number or one per feature; a deviation of 0
    is that of a feature without influence. ArgumentError for others."""
    constants = declared if isinstance(declared, Normalization) else _constants(declared, shape)
    finite = all(bool(np.isfinite(c).all()) for c in (constants.sub, constants.mul))
    if not finite or len(constants.sub) not in (1, math.prod(shape)):
        raise ArgumentError(
            "normalization: expected finite float32 numbers, one or one per feature, "
            f"got {declared!r}"
        )
    return Inputs(np.float32(_COARSEST), 0, constants, True, "a normalization was declared")


def of_units(normalization: Normalization, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Weights [n_in, n_out] and bias of a layer that reads the normalised input, as they are for
    inputs in the user's units."""
    times = len(weights) // len(normalization.sub)
    sub, mul = (
        np.tile(constants.astype(np.float64), times)[:, np.newaxis]
        for constants in (normalization.sub, normalization.mul)
    )
    return weights * mul, bias - (weights * mul * sub).sum(axis=0)


def of_normalized(
    normalization: Normalization, weights: Floats, bias: Floats
) -> tuple[Floats, Floats]:
    """The other way round; a feature without influence gets weights of 0."""
    times = len(weights) // len(normalization.sub)
    sub, mul = (
        np.tile(constants.astype(np.float64), times)[:, np.newaxis]
        for constants in (normalization.sub, normalization.mul)
    )
    inner = np.divide(weights, mul, out=np.zeros_like(weights), where=mul != 0)
    return inner, bias + (inner * mul * sub).sum(axis=0)


# --- images ---


def _image(x: npt.NDArray[Any], shape: tuple[int, ...], low: float, high: float) -> Inputs | None:
    """Images share one range, and a pixel that is black in all of them stays so: no feature is
    normalised by itself. None for other samples."""
    if not _may_be_image(shape, low):
        return None
    if high <= 1:
        return inputs_of_range((low, high), "images in 0 .. 1 stay as they are")
    if 127 < high <= 255 and _are_whole(x):
        return _divided_by_256("images in 0 .. 255")
    return None


def _may_be_image(shape: tuple[int, ...], low: float) -> bool:
    return low >= 0 and (len(shape) > 1 or math.prod(shape) >= _IMAGE_VALUES)


def _divided_by_256(what: str) -> Inputs:
    """As uint8: 0..255 stand for 0 .. 255/256."""
    by_256 = Normalization(np.zeros(1, np.float32), np.full(1, 1 / 256, np.float32))
    reason = f"{what} divided by 256, as uint8 are"
    return Inputs(*input_scale(0.0, 1.0), by_256, False, reason)


def _are_whole(x: npt.NDArray[Any]) -> bool:
    return x.dtype.kind != "f" or bool(np.array_equal(x, np.trunc(x)))


# --- measuring ---


def _finite_range(x: npt.NDArray[Any]) -> Range:
    low, high = float(x.min()), float(x.max())
    if not (abs(low) <= _FLOAT32_MAX and abs(high) <= _FLOAT32_MAX):
        at = tuple(int(i) for i in np.argwhere(~(np.abs(x) <= _FLOAT32_MAX))[0])
        raise ArgumentError(f"x: expected finite numbers, got {x[at]} at position {at}")
    return low, high


def _measured(rows: npt.NDArray[Any], why: str) -> Inputs | None:
    """None when no feature varies."""
    low, high = (limit.astype(np.float32).astype(np.float64) for limit in _limits(rows))
    varies = low < high
    if not varies.any():
        return None
    mean, deviation = _moments(rows)
    exponent = np.clip(_exponents(deviation), -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
    unit = np.ldexp(1.0, exponent)
    sub = np.where(
        np.abs(mean) > _CENTRED * deviation, np.rint(mean / (_GRID * unit)) * _GRID * unit, 0.0
    )
    sub = np.where(varies, sub, low)
    mul = np.where(varies, 1 / unit, 0.0)
    largest = float((np.maximum(high - sub, sub - low) * mul).max())
    scale = min(power_of_two(largest / 128), np.float32(_COARSEST))
    reason = f"each feature is normalised to a mean of 0 and a deviation of about 1: {why}"
    return Inputs(scale, 0, _shortest(sub, mul), True, reason)


def _shortest(sub: Floats, mul: Floats) -> Normalization | None:
    """One constant where all features have the same; None where they change nothing."""
    constants = Normalization(sub.astype(np.float32), mul.astype(np.float32))
    if not (np.ptp(constants.sub) == 0 and np.ptp(constants.mul) == 0):
        return constants
    if constants.sub[0] == 0 and constants.mul[0] == 1:
        return None
    return Normalization(constants.sub[:1], constants.mul[:1])


def _limits(rows: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    return rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)


def _moments(rows: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each feature, without outliers."""
    mean = _sums(rows, lambda values: values) / len(rows)
    deviation = np.sqrt(_sums(rows, lambda values: (values - mean) ** 2) / len(rows))
    for _ in range(_PASSES):
        reach = _OUTLIER * deviation
        inner_mean, inner, share = _moments_within(rows, mean - reach, mean + reach)
        better = (inner > 0) & (inner <= deviation / 2) & (share >= 1 - _MOST_OUTLIERS)
        if not better.any():
            break
        mean = np.where(better, inner_mean, mean)
        deviation = np.where(better, inner, deviation)
    return mean, deviation


def _moments_within(
    rows: npt.NDArray[Any], low: Floats, high: Floats
) -> tuple[Floats, Floats, Floats]:
    """Mean, deviation and share of the values in low .. high, as float32 has them."""

    def inside(values: Floats) -> npt.NDArray[np.bool_]:
        return (values >= low) & (values <= high)

    n = np.maximum(_sums(rows, inside), 1)
    mean = _sums(rows, lambda values: np.where(inside(values), values, 0)) / n
    variance = _sums(rows, lambda values: np.where(inside(values), (values - mean) ** 2, 0)) / n
    return mean, np.sqrt(variance), n / len(rows)


def _sums(rows: npt.NDArray[Any], of: Callable[[Floats], npt.NDArray[Any]]) -> Floats:
    """Sums over the samples, of pieces that the cache holds. Their order does not show: constants
    are rounded to far fewer bits."""
    total = np.zeros(rows.shape[1])
    step = max(1, _VALUES_AT_ONCE // rows.shape[1])
    for at in range(0, len(rows), step):
        values = rows[at : at + step].astype(np.float32).astype(np.float64)
        total += of(values).sum(axis=0)
    return total


def _exponents(deviation: Floats) -> npt.NDArray[np.int32]:
    """Of the least powers of two that are not below."""
    fraction, exponent = np.frexp(deviation)
    exponents: npt.NDArray[np.int32] = exponent - (fraction == 0.5)
    return exponents


# --- declared ---


def _constants(
    declared: tuple[npt.ArrayLike, npt.ArrayLike], shape: tuple[int, ...]
) -> Normalization:
    try:
        mean, deviation = (np.asarray(c, np.float64) for c in declared)
        if mean.size > 1 or deviation.size > 1:
            mean, deviation = (np.broadcast_to(c, shape) for c in (mean, deviation))
        negative = bool((deviation < 0).any())
    except (TypeError, ValueError):
        negative = True
    if negative:
        raise ArgumentError(
            "normalization: expected (mean, deviation), each a number or one per feature, "
            f"deviations not negative, got {declared!r}"
        ) from None
    with np.errstate(divide="ignore", over="ignore"):
        mul = np.where(deviation == 0, 0.0, 1 / deviation).astype(np.float32)
        sub = mean.astype(np.float32)
    return Normalization(np.atleast_1d(sub.reshape(-1)), np.atleast_1d(mul.reshape(-1)))
