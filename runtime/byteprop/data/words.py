"""Words as labels: they get numbers in sorted order."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_CLASSES = 65_536
_BLOCK = 1 << 16


class Numbering:
    """Numbers words as they come; `result` sorts."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._codes = array("i")

    @property
    def n(self) -> int:
        return len(self._index)

    def note(self, word: str) -> int:
        """Counts a word among the classes."""
        return self._index.setdefault(word, len(self._index))

    def add(self, word: str) -> None:
        """The label of the next sample."""
        self._codes.append(self.note(word))

    def result(self) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """Class numbers of the samples, and the names of the classes in sorted order."""
        classes = tuple(sorted(self._index))
        rank = np.empty(len(classes), np.int64)
        for number, word in enumerate(classes):
            rank[self._index[word]] = number
        return rank[np.frombuffer(self._codes, np.int32)] if self._codes else rank[:0], classes


def numbered(words: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint16], tuple[str, ...]]:
    """An array of words, text or bytes in UTF-8, as class numbers of the same shape, and the names
    of the classes. Both sort alike. ValueError when there are more than MAX_CLASSES."""
    flat = words.reshape(-1)
    codes = np.empty(flat.size, np.uint16)
    index: dict[Any, int] = {}
    for at in range(0, flat.size, _BLOCK):
        found, places = np.unique(flat[at : at + _BLOCK], return_inverse=True)
        numbers = [index.setdefault(word, len(index)) for word in found.tolist()]
        if len(index) > MAX_CLASSES:
            raise ValueError(f"expected at most {MAX_CLASSES} different labels, got more")
        codes[at : at + _BLOCK] = np.array(numbers, np.uint16)[places]
    ordered = sorted(index)
    rank = np.empty(len(ordered), np.uint16)
    rank[[index[word] for word in ordered]] = np.arange(len(ordered))
    for at in range(0, flat.size, _BLOCK):
        codes[at : at + _BLOCK] = rank[codes[at : at + _BLOCK]]
    return codes.reshape(words.shape), tuple(_text(word) for word in ordered)


def _text(word: str | bytes) -> str:
    return word if isinstance(word, str) else word.decode("utf-8", "backslashreplace")


def mapping_text(classes: tuple[str, ...]) -> str:
    """`cat=0, dog=1`, cut after a screen's worth."""
    most = 20
    pairs = [f"{shown(name)}={number}" for number, name in enumerate(classes[:most])]
    rest = f", ... {len(classes) - most} more" if len(classes) > most else ""
    return ", ".join(pairs) + rest


def shown(text: str, most: int = 60) -> str:
    """Text from a file, safe on a terminal, of one line and of so many characters."""
    text = text[: most + 1]
    plain = text if text.isprintable() else repr(text)[1:-1]
    return plain if len(plain) <= most else plain[: most - 3] + "..."
