"""The detector of anomalies in Python integers, written from docs/numerics.md alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from byteprop.graph import Graph
from byteprop.reference.reals import div, mulsat, real_of_float32

_LIMIT = 2**54 - 1


def score(graph: Graph, x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> int:
    """Of one input and the model's output, in their own data types."""
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    ratio = div(real_of_float32(source.scale), real_of_float32(target.scale)).scaled(16)
    wanted = mulsat(x.reshape(-1).astype(np.int64) - source.zero_point, ratio, 1 << 30)
    found = (y.reshape(-1).astype(np.int64) - target.zero_point) << 16
    differences = (found - wanted + 128) >> 8
    return min(sum(int(d) ** 2 for d in differences), _LIMIT)


@dataclass
class ReferenceDetector:
    permille: int
    votes: int
    window: int
    drift_shift: int
    drift_ratio: int
    normal: list[int] = field(default_factory=list)
    above: list[bool] = field(default_factory=list)
    level: int = 0

    def learn(self, score: int) -> None:
        self.normal.append(min(score, _LIMIT))
        self.level = 256 * self.mean
        self.above = []

    @property
    def mean(self) -> int:
        return sum(self.normal) // len(self.normal)

    @property
    def threshold(self) -> int:
        rank = len(self.normal) * (1000 - self.permille) // 1000
        return sorted(self.normal, reverse=True)[rank]

    def judge(self, score: int) -> tuple[int, bool, int, bool, bool]:
        """score, above, votes, alarm, drifts."""
        score = min(score, _LIMIT)
        self.above.append(score > self.threshold)
        votes = sum(self.above[-self.window :])
        way, half = 256 * score - self.level, 1 << (self.drift_shift - 1)
        step = (abs(way) + half) >> self.drift_shift
        self.level += step if way >= 0 else -step
        limit = (self.mean * self.drift_ratio) >> 4
        drifts = self.drift_ratio > 0 and self.level >> 8 > limit
        return score, self.above[-1], votes, votes >= self.votes, drifts
