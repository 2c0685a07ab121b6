"""What the host does to float32 inputs before they are quantised, and how people read it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Normalization:
    """What the host does to a float32 input before it is quantised: (x - sub) * mul, each step in
    float32, feature by feature.

    sub, mul: float32 [n]. Value i of a sample takes the constants i mod n, so that n is 1, or the
    size of a sample's last axis, its last two, and so on.
    """

    sub: npt.NDArray[np.float32]
    mul: npt.NDArray[np.float32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Normalization) and self._bits() == other._bits()

    def __hash__(self) -> int:
        return hash(self._bits())

    def _bits(self) -> tuple[bytes, bytes]:
        return self.sub.tobytes(), self.mul.tobytes()


def describe(normalization: Normalization) -> str:
    """One line for people."""
    sub, mul = normalization.sub, normalization.mul
    if len(sub) == 1:
        return f"(x - {_number(sub[0])}) * {_number(mul[0])}"
    return f"each of {len(sub)} features, (x - sub) * mul, sub {_span(sub)}, mul {_span(mul)}"


def to_json(normalization: Normalization | None) -> dict[str, list[float]] | None:
    """Plain values for JSON."""
    if normalization is None:
        return None
    return {"sub": normalization.sub.tolist(), "mul": normalization.mul.tolist()}


def _span(values: npt.NDArray[np.float32]) -> str:
    low, high = values.min(), values.max()
    return _number(low) if low == high else f"{_number(low)} .. {_number(high)}"


def _number(value: np.float32) -> str:
    return f"{float(value):.6g}"


def feature_counts(shape: tuple[int, ...]) -> list[int]:
    """How many constants a normalization of a tensor may have: one for all values of a sample,
    or one per position along its last axis, its last two, and so on."""
    sizes = [math.prod(shape[at:]) for at in range(len(shape), 0, -1)]
    return sorted({1, *sizes})
