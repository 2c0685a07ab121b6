"""Features that are kept and classes that come and go, in NumPy, written from docs/numerics.md: the
second opinion on csrc/train/kept.c and csrc/train/head.c. Sums are Python's integers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import Check, Config
from byteprop.errors import TrainingError
from byteprop.graph import Graph
from byteprop.reference import reals
from byteprop.reference import training as reference

__all__ = ["Kept", "ReferenceHead"]

Ints = npt.NDArray[np.int64]

_REPLACED, _REHEARSED = 0xFFFF0006, 0xFFFF0007
_UNUSED_BIAS = -((1 << 31) - 256)
_WEIGHT_MAX, _BIAS_MAX = 32640, (1 << 31) - 256

Kept = tuple[int, npt.NDArray[np.int8], bool]
"""A label, the features under it, and whether they are held out."""


class ReferenceHead(reference.ReferenceTrainer):
    """A trainer that keeps features. entries: of config.kept places, None where one is free."""

    def __init__(self, graph: Graph, config: Config) -> None:
        super().__init__(graph, config)
        if config.kept and len(self._frozen_part.outputs) > 1:
            raise TrainingError("a layer reads more of the frozen part than what is kept")
        self.entries: list[Kept | None] = [None] * config.kept
        self.remembered = self.rehearsed = self.best = self.waited = 0

    def in_use(self, j: int) -> bool:
        last = self._layers[-1]
        return bool(last.Wh[j].any()) or int(last.B[j]) != _UNUSED_BIAS

    def remember(self, x: npt.NDArray[np.generic], label: int, held: bool = False) -> None:
        features = self._first_input(x).astype(np.int8)
        self.entries[self._room(label)] = (label, features, held)
        self.remembered += 1

    def hold(self, x: npt.NDArray[np.generic], label: int) -> None:
        if 2 * (len(self._held()) + 1) > len(self.entries):
            raise TrainingError("half of the places are held out")
        self.remember(x, label, held=True)

    def check(self) -> Check:
        results = [
            self._forward(features.astype(np.int64), np.asarray(label), learns=False)[0]
            for label, features, _ in self._held()
            if self.in_use(label)
        ]
        if not results:
            raise TrainingError("nothing is held out")
        loss = sum(r.loss for r in results) // len(results)
        is_best = self.best == 0 or loss + 1 < self.best
        self.best, self.waited = (loss + 1, 0) if is_best else (self.best, self.waited + 1)
        return Check(loss, self.waited, len(results), sum(r.correct for r in results))

    def rehearse(self, lr_q24: int) -> reference.Result:
        labels = {j for j in self._labels() if j is not None and self.in_use(j)}
        if not labels:
            raise TrainingError("nothing is kept of a class in use")
        label = sorted(labels)[_below(len(labels), self._draw(self.rehearsed, _REHEARSED, 0))]
        of_class = self._places(label)
        nth = _below(len(of_class), self._draw(self.rehearsed, _REHEARSED, 1))
        entry = self.entries[of_class[nth]]
        assert entry is not None
        self.rehearsed += 1
        return self._sample_of(entry[1].astype(np.int64), np.asarray(label), lr_q24)

    def imprint(self, j: int) -> None:
        last = self._layers[-1]
        others = [r for r in range(len(last.B)) if r != j and self.in_use(r)]
        own = self._features_of([j])
        if not others or not own:
            raise TrainingError("nothing is kept of the class, or it is the only one")
        mean = _mean(own)
        around = self._features_of(others)
        away = mean - (_mean(around) if around else 0)
        rows = np.stack([self._in_units_of(j, r, last.W[r], _WEIGHT_MAX) for r in others])
        middle = _divided(rows.sum(0), len(others))
        norm = math.isqrt(int(((rows - middle) ** 2).sum()) // len(others))
        length = math.isqrt(int((away**2).sum()))
        step = _divided(away * norm, length) if length else 0
        w = np.clip(middle + step, -_WEIGHT_MAX, _WEIGHT_MAX - 1)
        last.W[j] = w if self.config.residual else 256 * np.clip((w + 128) >> 8, -127, 127)
        missing = sum(self._best(j, others, u) - int((last.W[j] * u).sum()) for u in own)
        bias = int(_divided(np.asarray(missing), len(own))) + self._margin(j)
        squares = sum(int((u**2).sum()) for u in own)
        spread = (256 * squares + len(own) // 2) // len(own) - (int((mean**2).sum()) >> 8)
        if len(own) > 1 and spread > 0 and length:
            share = (spread + (len(own) - 1) // 2) // (len(own) - 1)
            bias += (share * norm + length // 2) // length
        self._finish(j, min(max(bias, -_BIAS_MAX), _BIAS_MAX))

    def remove(self, j: int) -> None:
        last = self._layers[-1]
        if not self.in_use(j) or sum(map(self.in_use, range(len(last.B)))) < 2:
            raise TrainingError("the class is not in use, or the only one")
        last.W[j] = 0
        self.entries = [None if e is not None and e[0] == j else e for e in self.entries]
        self._finish(j, _UNUSED_BIAS)

    # What is kept.

    def _draw(self, number: int, stream: int, row: int) -> int:
        return reference.draw(self.config.seed, number & 0xFFFFFFFF, stream, row)

    def _held(self) -> list[Kept]:
        return [entry for entry in self.entries if entry is not None and entry[2]]

    def _labels(self) -> list[int | None]:
        """Of what is there to learn from."""
        return [None if entry is None or entry[2] else entry[0] for entry in self.entries]

    def _places(self, label: int) -> list[int]:
        return [i for i, found in enumerate(self._labels()) if found == label]

    def _room(self, label: int) -> int:
        if None in self.entries:
            return self.entries.index(None)
        sizes = [len(self._places(j)) for j in range(len(self._layers[-1].B))]
        most = label if sizes[label] == max(sizes) else sizes.index(max(sizes))
        draw = self._draw(self.remembered, _REPLACED, 0)
        return self._places(most)[_below(sizes[most], draw)]

    def _features_of(self, classes: list[int]) -> list[Ints]:
        zero = self._tensors[self._layers[0].x].zero_point
        kept = [e for e in self.entries if e is not None and e[0] in classes and not e[2]]
        return [features.astype(np.int64) - zero for _, features, _ in kept]

    # The row.

    def _ratio(self, j: int, r: int) -> reals.Real:
        scales = self._layers[-1].weight_scales
        j, r = (j, r) if len(scales) > 1 else (0, 0)
        of_j, of_r = (reals.real_of_float32(scales[k]) for k in (j, r))
        return reals.div(of_r, of_j)

    def _in_units_of(self, j: int, r: int, x: Ints, limit: int) -> Ints:
        return reals.mulsat(x, self._ratio(j, r), limit)

    def _best(self, j: int, others: list[int], u: Ints) -> int:
        """Of the other rows on a sample, in units of row j."""
        last = self._layers[-1]
        logits = []
        for r in others:
            there = int(last.B[r]) + int((last.W[r] * u).sum())
            there = min(max(there, -(1 << 31)), (1 << 31) - 1)
            logits.append(int(self._in_units_of(j, r, np.asarray(there, np.int64), _BIAS_MAX)))
        return max(logits)

    def _margin(self, j: int) -> int:
        last = self._layers[-1]
        scales = last.weight_scales
        s_w = reals.real_of_float32(scales[j if len(scales) > 1 else 0])
        step = reals.div(reference._ONE, reals.mul(self._scale(last.x), s_w)).scaled(8)
        return int(reals.mulsat(np.asarray(2, np.int64), step, 1 << 30))

    def _finish(self, j: int, bias: int) -> None:
        last = self._layers[-1]
        last.B[j] = bias
        last.G[j] = 0
        last.GB[j] = 0


def _below(n: int, draw: int) -> int:
    return n * draw >> 32


def _divided(a: Ints, b: int) -> Ints:
    return (a + b // 2) // b


def _mean(features: list[Ints]) -> Ints:
    return _divided(256 * np.sum(features, axis=0), len(features))
