"""Words that readers of English do not expect in a technical text, and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs_examples import ROOT

# Each with the words to use instead.
INSTEAD = {
    r"anew": "again",
    r"besides?": "next to, in addition to",
    r"border": "boundary, input, output",
    r"hail\w*": "HELLO, connect",
    r"kin": "the names of what is meant",
    r"lies?": "is stored at, is, starts at",
    r"nobody|somebody": "no one, someone, or what it is about",
    r"tells?|told": "returns, reports, shows, prints",
    r"twins?": "lockstep, copy",
    r"wanted": "expected",
    r"whoever": "if you",
}
WORDS = {word: re.compile(rf"\b(?:{word})\b", re.IGNORECASE) for word in INSTEAD}

# (file, word): why it may be there.
EXCEPTIONS: dict[tuple[str, str], str] = {}

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def found(text: str, path: str) -> list[str]:
    """Returns a line for each forbidden word: the word, the text around it, and what to use."""
    return [
        f"{match[0]!r} in {text[max(match.start() - 30, 0) : match.end() + 30]!r}: {INSTEAD[word]}"
        for word, pattern in WORDS.items()
        if (path, word) not in EXCEPTIONS
        for match in pattern.finditer(text)
    ]


def test_words_are_found_as_words_only() -> None:
    text = "Whoever hails is told: wanted 2, got 3. Kindly, a border-line case, unwanted, ailing."
    words = [line.split("'")[1] for line in found(text, "any.md")]
    assert sorted(words, key=str.lower) == ["border", "hails", "told", "wanted", "Whoever"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_documents(document: Path) -> None:
    assert found(document.read_text(encoding="utf-8"), name(document)) == []
