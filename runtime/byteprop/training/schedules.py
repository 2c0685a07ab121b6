"""How the learning rate goes from its first value down: integers in units of 2^-(24 + z), one a
sample; z, the exponent, is a setting of the training.

A schedule is an object with `rates`; the names "linear", "constant", "cosine" and "step" stand for
those below. Nothing here depends on a machine's floating point, so a board that is sent these rates
and a host that computes them train alike.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import MAX_RATE_SHIFT
from byteprop.errors import ArgumentError

UInt32s = npt.NDArray[np.uint32]
UInt64s = npt.NDArray[np.uint64]

ONE_Q24 = 1 << 24
MAX_RATE_Q24 = (1 << 31) - 1
_LEAST_RATE = 1 << 16
_TABLE_BITS = 10
_PI_Q60 = 3622009729038561421  # round(pi * 2^60)


@dataclass(frozen=True)
class Progress:
    """Samples [first, first + n) of `total`, which are epochs of `per_epoch`."""

    first: int
    n: int
    total: int
    per_epoch: int

    @property
    def positions(self) -> UInt64s:
        return np.arange(self.first, self.first + self.n, dtype=np.uint64)


class Schedule(Protocol):
    """What fit asks for the rates of the next samples."""

    def rates(self, rate_q24: int, progress: Progress) -> UInt32s: ...


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    def rates(self, rate_q24: int, progress: Progress) -> UInt32s:
        return np.full(progress.n, rate_q24, np.uint32)


@dataclass(frozen=True)
class Linear:
    """Down to 0 in a straight line, a bit with every sample."""

    def rates(self, rate_q24: int, progress: Progress) -> UInt32s:
        total = np.uint64(progress.total)
        left = total - progress.positions
        scaled = np.uint64(rate_q24) * left + total // np.uint64(2)
        return (scaled // total).astype(np.uint32)


@dataclass(frozen=True)
class Cosine:
    """Half a period of the cosine, from 1 down to 0, interpolated in a table of 1024 steps."""

    def rates(self, rate_q24: int, progress: Progress) -> UInt32s:
        # 2^16 places between two entries; exact as long as total < 2^38.
        place = (progress.positions << np.uint64(_TABLE_BITS + 16)) // np.uint64(progress.total)
        index = place >> np.uint64(16)
        fraction = place & np.uint64(0xFFFF)
        left, right = _COSINE_Q24[index], _COSINE_Q24[index + np.uint64(1)]
        level = (left * (np.uint64(1 << 16) - fraction) + right * fraction) >> np.uint64(16)
        scaled: UInt64s = np.uint64(rate_q24) * level + np.uint64(1 << 23)
        return (scaled >> np.uint64(24)).astype(np.uint32)


@dataclass(frozen=True)
class Step:
    """Divided by 2^rshift after every `every` epochs."""

    every: int = 5
    rshift: int = 1

    def __post_init__(self) -> None:
        if self.every < 1 or not 1 <= self.rshift <= 31:
            raise ArgumentError(
                f"Step: expected every >= 1 and rshift in 1..31, got {self.every}, {self.rshift}"
            )

    def rates(self, rate_q24: int, progress: Progress) -> UInt32s:
        epochs = progress.positions // np.uint64(progress.per_epoch)
        shifts = np.minimum(epochs // np.uint64(self.every) * np.uint64(self.rshift), np.uint64(63))
        return (np.uint64(rate_q24) >> shifts).astype(np.uint32)


SCHEDULES: dict[str, Schedule] = {
    "linear": Linear(),
    "constant": Constant(),
    "cosine": Cosine(),
    "step": Step(),
}


def schedule_of(given: str | Schedule) -> Schedule:
    """The schedule behind a name, or the given object."""
    if isinstance(given, str):
        if given not in SCHEDULES:
            names = ", ".join(SCHEDULES)
            raise ArgumentError(f"schedule: expected {names} or an object, got {given!r}")
        return SCHEDULES[given]
    if not callable(getattr(given, "rates", None)):
        raise ArgumentError(f"schedule: expected an object with rates(), got {given!r}")
    return given


def describe(schedule: Schedule) -> str:
    """What a checkpoint remembers of a schedule."""
    fields: dict[str, Any] = {}
    if isinstance(schedule, (Constant, Linear, Cosine, Step)):
        fields = asdict(schedule)
    arguments = ", ".join(f"{name}={value}" for name, value in fields.items())
    return f"{type(schedule).__name__}({arguments})"


def rate_of(learning_rate: float) -> tuple[int, int]:
    """A learning rate as an integer and its exponent z, in units of 2^-(24 + z): the least z that
    leaves 16 bits for what a schedule makes of it. ArgumentError when it does not fit or vanishes.
    """
    if isinstance(learning_rate, bool) or not isinstance(
        learning_rate, (int, float, np.integer, np.floating)
    ):
        raise ArgumentError(f"learning_rate: expected a number, got {learning_rate!r}")
    value = float(learning_rate)
    if not math.isfinite(value) or value <= 0:
        raise ArgumentError(f"learning_rate: expected a number above 0, got {learning_rate}")
    for shift in range(MAX_RATE_SHIFT + 1):
        rate = math.floor(value * rate_unit(shift) + 0.5)
        if rate >= _LEAST_RATE:
            break
    if rate < 1:
        raise ArgumentError(
            f"learning_rate: {value:g} is rounded to 0; the least is "
            f"2^-{24 + MAX_RATE_SHIFT} = {1 / rate_unit(MAX_RATE_SHIFT):.3g}"
        )
    if rate > MAX_RATE_Q24:
        raise ArgumentError(f"learning_rate: {value:g} is too large; it must be below 128")
    return rate, shift


def rate_unit(shift: int) -> int:
    """What a rate of 1 is in its unit, with the exponent `shift`."""
    return ONE_Q24 << shift


def _cosine_table() -> UInt64s:
    """(1 + cos(pi * i / 1024)) / 2 in Q24, rounded; one entry more for the interpolation's end.
    cos by its series in integers of 60 bits after the point."""
    size = 1 << _TABLE_BITS
    values = [_raised_cosine_q24(_PI_Q60 * i // size) for i in range(size + 1)]
    return np.array([*values, 0], np.uint64)


def _raised_cosine_q24(angle_q60: int) -> int:
    square = angle_q60 * angle_q60 >> 60
    total, term, n = 0, 1 << 60, 0
    while term:
        total += term if n % 4 == 0 else -term
        n += 2
        term = (term * square >> 60) // (n * (n - 1))
    return ((1 << 60) + total + (1 << 36)) >> 37


_COSINE_Q24 = _cosine_table()
