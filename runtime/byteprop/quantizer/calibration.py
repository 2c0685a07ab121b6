"""What the tensors of a float network take on samples: extremes, a selection of the values, and the
means that bias correction needs."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from byteprop.errors import ArgumentError
from byteprop.float_ops import chunk_size, walk
from byteprop.graph.float_graph import Array, FloatGraph

METHODS = ("minmax", "mse", "percentile")
_MOST_VALUES = 1 << 15  # of a tensor that are kept
_PERCENT = 0.01  # left out at each end by "percentile"
_SHRUNK = np.linspace(0.4, 1.0, 31)  # shares of a range that "mse" tries
_STEPS = 255
_IRRELEVANT_LOGIT = 12.0  # below the largest: a probability of 1 in 160,000

Range = tuple[float, float]


@dataclass
class Seen:
    """Of one tensor. least: as low, without logits that have no probability to speak of: those may
    saturate, and the steps are then finer where the answer is decided."""

    low: float = math.inf
    high: float = -math.inf
    least: float = math.inf
    values: list[Array] = field(default_factory=list)

    def add(self, values: Array, keep: int) -> None:
        rows = values.reshape(len(values), -1)
        lowest, highest = rows.min(axis=1), rows.max(axis=1)
        self.low = min(self.low, float(lowest.min()))
        self.high = max(self.high, float(highest.max()))
        likely = max(float(lowest.min()), float(highest.min()) - _IRRELEVANT_LOGIT)
        self.least = min(self.least, likely)
        flat = rows.reshape(-1)
        at = np.random.default_rng(flat.size).integers(0, flat.size, min(keep, flat.size))
        self.values.append(flat[at])

    def limits(self, method: str) -> Range:
        """The range that a method gives to the values."""
        if method == "minmax":
            return self.low, self.high
        values = np.concatenate(self.values).astype(np.float64)
        if method == "percentile":
            low, high = np.percentile(values, (_PERCENT, 100 - _PERCENT))
            return float(low), float(high)
        return _least_error(values, self.low, self.high)


def _least_error(values: Array, low: float, high: float) -> Range:
    """The share of the range that has the least mean square of rounding and saturation."""
    best, least = (low, high), math.inf
    for share in _SHRUNK[::-1]:
        a, b = min(low * share, 0.0), max(high * share, 0.0)
        step = (b - a) / _STEPS
        if not step > 0 or not math.isfinite(1 / step):
            continue
        rounded = np.clip(np.rint((values - a) / step), 0, _STEPS) * step + a
        error = float(np.mean((values - rounded) ** 2))
        if error < least:
            best, least = (low * float(share), high * float(share)), error
    return best


@dataclass(frozen=True)
class Observed:
    """Of every tensor that has real numbers; means: over the samples, of the tensors asked for."""

    seen: dict[int, Seen]
    means: dict[int, Array]


def observe(
    graph: FloatGraph, x: Sequence[Array], averaged: Collection[int], largest: int
) -> Observed:
    """Runs the samples. largest: elements of the largest tensor."""
    seen: dict[int, Seen] = {}
    sums: dict[int, Array] = {}
    step, n = chunk_size(largest), len(x[0])
    keep = max(1, _MOST_VALUES * step // n)

    def visit(index: int, values: Array) -> None:
        if not np.isfinite(values).all():
            raise ArgumentError(
                f"representative_data: tensor {graph.tensors[index].name!r} of the network gets "
                "values that are not finite; expected samples as the network was trained with"
            )
        seen.setdefault(index, Seen()).add(values, keep)
        if index in averaged:
            total = values.sum(axis=0, dtype=np.float64)
            sums[index] = sums[index] + total if index in sums else total

    for i in range(0, n, step):
        walk(graph, [column[i : i + step] for column in x], visit)
    for index, tensor in enumerate(graph.tensors):
        if tensor.data is not None and not tensor.is_index and tensor.data.size:
            low, high = float(tensor.data.min()), float(tensor.data.max())
            seen[index] = Seen(low, high, low, [tensor.data.reshape(-1)[:_MOST_VALUES]])
    return Observed(seen, {index: total / n for index, total in sums.items()})
