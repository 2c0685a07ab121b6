"""Samples from files, divided into training, validation and test sets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.data import has_split
from byteprop.data.words import mapping_text, shown
from byteprop.errors import ArgumentError
from byteprop.training.draws import SPLIT_STREAM, permutation
from byteprop_host.data.reading import Reading, Shape, labels_note
from byteprop_host.data.samples import check_lengths

Array = npt.NDArray[Any]
Classes = tuple[str, ...] | None

# With fewer samples all are used for training, unless options say otherwise.
_ENOUGH_TO_SPLIT = 100
_USUAL_SHARE = 0.1

_NO_LABELS = (
    "give an .npz with x and y, a .csv with a column titled label, y, class or target, a folder "
    "with a subfolder per class, or --labels FILE"
)


@dataclass(frozen=True)
class RawPart:
    """Samples as in the files. x: [n, values]; y: labels [n] or values [n, outputs]."""

    name: str
    x: Array
    y: Array
    source: str

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Parts:
    """The parts; validation and test may be None. how: in words, how the samples were divided.
    classes: names of the labels, if the files have words. notes: how the files were read."""

    how: str
    training: RawPart
    validation: RawPart | None
    test: RawPart | None
    classes: Classes = None
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[RawPart, ...]:
        return tuple(p for p in (self.training, self.validation, self.test) if p is not None)

    def converted(self, convert: Callable[[RawPart], Array]) -> Parts:
        """The same parts with converted samples."""
        training, validation, test = (
            None if p is None else replace(p, x=convert(p))
            for p in (self.training, self.validation, self.test)
        )
        assert training is not None
        return replace(self, training=training, validation=validation, test=test)


@dataclass(frozen=True)
class Sources:
    """Files of samples. A share of None: the usual one, if there are enough samples."""

    data: Path
    labels: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    validation_split: float | None = None
    test_split: float | None = None
    limit: int | None = None
    reading: Reading = field(default_factory=Reading)


def load_parts(sources: Sources, *, seed: int, shape: Shape | None = None) -> Parts:
    """Reads the files and divides the samples, at random by `seed`. shape: of the input of the
    model, which images and sound are read for."""
    reading = sources.reading
    reading.check_used(sources.data, sources.labels, sources.validation, sources.test)
    x, y, classes, notes = _load(sources.data, sources.labels, sources.limit, reading, shape)
    given = [
        _from_file("validation", sources.validation, reading, "val", classes, shape),
        _from_file("test", sources.test, reading, "test", classes, shape),
    ]
    for part in given:
        if part is not None and part.x.shape[1] != x.shape[1]:
            raise ArgumentError(
                f"{part.source}: expected {x.shape[1]} values per sample as in {sources.data}, "
                f"got {part.x.shape[1]}"
            )
    shares = [
        _share("--validation-split", sources.validation_split, given[0], len(x)),
        _share("--test-split", sources.test_split, given[1], len(x)),
    ]
    sizes = [math.floor(len(x) * share + 0.5) for share in shares]
    for option, share, size in zip(("validation", "test"), shares, sizes, strict=True):
        if share and not 1 <= size < len(x):
            raise ArgumentError(
                f"--{option}-split: {share:g} of {len(x)} samples leaves a part empty"
            )
    if sum(sizes) >= len(x):
        raise ArgumentError(
            f"--validation-split and --test-split: {sizes[0]} and {sizes[1]} of {len(x)} samples "
            "leave none for training"
        )
    order = permutation(len(x), seed, 0, SPLIT_STREAM)
    ends = np.cumsum([len(x) - sum(sizes), *sizes])
    # The samples of a part keep their order.
    indices = [np.sort(order[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    cut = [
        RawPart(name, x[i], y[i], str(sources.data))
        for name, i in zip(("training", "validation", "test"), indices, strict=True)
    ]
    parts = [cut[0], *(g or (c if len(c) else None) for g, c in zip(given, cut[1:], strict=True))]
    assert parts[0] is not None
    notes = (*notes, *labels_note(classes))
    return Parts(_how(sources, shares, seed), parts[0], parts[1], parts[2], classes, notes)


def _load(
    data: Path, labels: Path | None, limit: int | None, reading: Reading, shape: Shape | None
) -> tuple[Array, Array, Classes, tuple[str, ...]]:
    samples = reading.samples(data, limit, shape)
    answers = samples if labels is None else reading.labels(labels, limit)
    x, y = samples.x, answers.y
    if y is None:
        raise ArgumentError(
            f"{data}: expected samples with labels or target values, got no labels; {_NO_LABELS}"
        )
    if len(x) == 0:
        raise ArgumentError(f"{data}: expected samples, got none")
    check_lengths(data, len(x), labels or data, len(y))
    notes = samples.notes if labels is None else (*samples.notes, *answers.notes)
    return np.ascontiguousarray(x.reshape(len(x), -1)), y, answers.classes, notes


def _from_file(
    name: str,
    path: Path | None,
    reading: Reading,
    split: str,
    classes: Classes,
    shape: Shape | None,
) -> RawPart | None:
    """A part from a separate file: of an .npz with several parts, the one of that name; words are
    numbered as those of the training set."""
    if path is None:
        return None
    its_own = replace(reading, split=split) if has_split(path, split) else reading
    x, y, names, _ = _load(path, None, None, its_own, shape)
    if names != classes:
        y = _renumbered(y, names, classes, path)
    return RawPart(name, x, y, str(path))


def _renumbered(y: Array, names: Classes, classes: Classes, path: Path) -> Array:
    if names is None or classes is None:
        kinds = ("words", "numbers") if names is None else ("numbers", "words")
        raise ArgumentError(f"{path}: expected {kinds[0]} as labels as in --data, got {kinds[1]}")
    unknown = [n for n in names if n not in classes]
    if unknown:
        raise ArgumentError(
            f"{path}: expected labels of --data, {mapping_text(classes)}, got {shown(unknown[0])}"
        )
    return np.array([classes.index(n) for n in names])[y]


def _share(option: str, share: float | None, given: RawPart | None, n: int) -> float:
    if given is not None:
        if share:
            raise ArgumentError(f"{option}: expected without a separate file, got both")
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
        words.append(f"separate samples from {' and '.join(files)}")
    return "; ".join(words) or "no validation set, so overfitting cannot be detected"
