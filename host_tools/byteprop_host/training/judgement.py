"""Whether training made the model better, judged by the samples that it did not learn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from byteprop_host.training.scores import Score

_SIGMAS = 1.96  # 95% of a normal distribution
_FEW_POINTS = 0.05  # an accuracy that is less certain is too uncertain
_FEW_VALUES = 30
_CLEAR_RMSE = 1.05
_PARTS = ("test", "validation")  # the first that there is, is the judge


class Outcome(Enum):
    """FEW: too few samples to judge. SAME: neither better nor worse beyond chance."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no clear change"
    FEW = "too few samples"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class Judgement:
    """The outcome, and the figures in words."""

    outcome: Outcome
    text: str

    @property
    def is_warning(self) -> bool:
        return self.outcome in (Outcome.WORSE, Outcome.FEW)


def judge(scores: Sequence[tuple[str, Score, Score | None]]) -> Judgement:
    """scores: parts with their scores after training and before it, if known."""
    by_part = {part: (after, before) for part, after, before in scores}
    part = next((p for p in _PARTS if p in by_part), None)
    if part is None:
        return Judgement(
            Outcome.UNKNOWN, "no samples were kept from training to judge it; see --test-data"
        )
    after, before = by_part[part]
    if before is None:
        return Judgement(Outcome.UNKNOWN, "there is no score of the weights before training")
    if after.accuracy is not None and before.accuracy is not None:
        return _of_classes(part, after.n, before.accuracy, after.accuracy)
    return _of_values(part, after.n, before.rmse or 0.0, after.rmse or 0.0)


def _of_classes(part: str, n: int, before: float, after: float) -> Judgement:
    change = f"accuracy of {n:,} {part} samples went from {before:.4f} to {after:.4f}"
    spread = _SIGMAS * math.sqrt((before * (1 - before) + after * (1 - after)) / n)
    if abs(after - before) > spread:
        is_worse = after < before
        return _clear(is_worse, change)
    uncertain = _SIGMAS * math.sqrt(after * (1 - after) / n)
    if n < _FEW_VALUES or uncertain > _FEW_POINTS:
        return Judgement(
            Outcome.FEW,
            f"too few samples to judge: {change}, and differences below {100 * spread:.0f} "
            "points may be chance; give more with --test-data",
        )
    return Judgement(Outcome.SAME, f"no clear change: {change}")


def _of_values(part: str, n: int, before: float, after: float) -> Judgement:
    change = f"RMSE of {n:,} {part} samples went from {before:.4g} to {after:.4g}"
    if n < _FEW_VALUES:
        return Judgement(Outcome.FEW, f"too few samples to judge: {change}")
    if max(after, before) > _CLEAR_RMSE * min(after, before):
        return _clear(after > before, change)
    return Judgement(Outcome.SAME, f"no clear change: {change}")


def _clear(is_worse: bool, change: str) -> Judgement:
    if is_worse:
        return Judgement(
            Outcome.WORSE, f"training made the model worse: {change}; a lower rate may help"
        )
    return Judgement(Outcome.BETTER, f"training made the model better: {change}")
