"""Samples to learn from: out of files, cut into training, validation and test parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.data import load_samples
from byteprop.draws import SPLIT_STREAM, permutation
from byteprop.errors import ArgumentError

Array = npt.NDArray[Any]

# With fewer samples nothing is held back unless it is asked for.
_ENOUGH_TO_SPLIT = 100
_USUAL_SHARE = 0.1

_NO_LABELS = "give an .npz with x and y, a .csv with a column y, or --labels FILE"


@dataclass(frozen=True)
class RawPart:
    """Samples as the files have them. x: [n, values]; y: labels [n] or values [n, outputs]."""

    name: str
    x: Array
    y: Array
    source: str

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Parts:
    """How the samples were divided, in words, and the parts; validation and test may be None."""

    how: str
    training: RawPart
    validation: RawPart | None
    test: RawPart | None

    @property
    def all(self) -> tuple[RawPart, ...]:
        return tuple(p for p in (self.training, self.validation, self.test) if p is not None)


@dataclass(frozen=True)
class Sources:
    """Where samples come from. A share of None is the usual one, where there are enough."""

    data: Path
    labels: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    validation_split: float | None = None
    test_split: float | None = None
    limit: int | None = None


def load_parts(sources: Sources, *, seed: int) -> Parts:
    """Reads the files and cuts. Which samples go where is drawn by `seed`."""
    x, y = _load(sources.data, sources.labels, sources.limit)
    given = [_from_file("validation", sources.validation), _from_file("test", sources.test)]
    for part in given:
        if part is not None and part.x.shape[1] != x.shape[1]:
            raise ArgumentError(
                f"{part.source}: a sample has {part.x.shape[1]} values, but those of "
                f"{sources.data} have {x.shape[1]}"
            )
    shares = [
        _share("--validation-split", sources.validation_split, given[0], len(x)),
        _share("--test-split", sources.test_split, given[1], len(x)),
    ]
    sizes = [math.floor(len(x) * share + 0.5) for share in shares]
    for option, share, size in zip(("validation", "test"), shares, sizes, strict=True):
        if share and not 1 <= size < len(x):
            raise ArgumentError(f"--{option}-split: {share:g} of {len(x)} samples leaves one empty")
    if sum(sizes) >= len(x):
        raise ArgumentError(
            f"--validation-split and --test-split: {sizes[0]} and {sizes[1]} of {len(x)} samples "
            "leave none to train on"
        )
    order = permutation(len(x), seed, 0, SPLIT_STREAM)
    ends = np.cumsum([len(x) - sum(sizes), *sizes])
    # Those of a part stay in the order in which they were given.
    indices = [np.sort(order[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    cut = [
        RawPart(name, x[i], y[i], str(sources.data))
        for name, i in zip(("training", "validation", "test"), indices, strict=True)
    ]
    parts = [cut[0], *(g or (c if len(c) else None) for g, c in zip(given, cut[1:], strict=True))]
    assert parts[0] is not None
    return Parts(_how(sources, shares, seed), parts[0], parts[1], parts[2])


def _load(data: Path, labels: Path | None, limit: int | None) -> tuple[Array, Array]:
    samples = load_samples(data, limit=limit)
    x, y = samples.x, samples.y
    if labels is not None:
        y = load_samples(labels, limit=limit).x
    if y is None:
        raise ArgumentError(f"{data}: has samples but no labels to learn; {_NO_LABELS}")
    if len(x) == 0:
        raise ArgumentError(f"{data}: holds no samples")
    if len(x) != len(y):
        raise ArgumentError(f"{data}: {len(x)} samples, but {len(y)} labels")
    return np.ascontiguousarray(x.reshape(len(x), -1)), y


def _from_file(name: str, path: Path | None) -> RawPart | None:
    return None if path is None else RawPart(name, *_load(path, None, None), str(path))


def _share(option: str, share: float | None, given: RawPart | None, n: int) -> float:
    if given is not None:
        if share:
            raise ArgumentError(f"{option}: wanted alone, not beside a file of its own")
        return 0.0
    if share is None:
        return _USUAL_SHARE if n >= _ENOUGH_TO_SPLIT else 0.0
    return share


def _how(sources: Sources, shares: list[float], seed: int) -> str:
    drawn = [
        f"{share:.0%} for {name}"
        for name, share in zip(("validation", "test"), shares, strict=True)
        if share
    ]
    words = []
    if drawn:
        words.append(f"{' and '.join(drawn)} drawn with seed {seed}")
    files = [str(f) for f in (sources.validation, sources.test) if f is not None]
    if files:
        words.append(f"held out in {' and '.join(files)}")
    return "; ".join(words) or "nothing is held back, so overfitting cannot be seen"
