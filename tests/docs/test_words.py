"""Words that readers of English do not expect in a technical text, and what to write instead."""

from __future__ import annotations

import ast
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
EXCEPTIONS = {
    ("host_tools/byteprop_host/report/page.py", "border"): "a property of CSS",
}

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "boards").glob("*.md")),
    *sorted((ROOT / "docs/lessons").glob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
# Folders whose code is read too: messages, help and docstrings.
CODE = ("boards", "csrc", "examples", "host_tools", "runtime")
SOURCES = [
    path
    for folder in CODE
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".c", ".h"} and not path.name.startswith("_kernels")
]
C_TEXT = re.compile(r'/\*.*?\*/|"((?:\\.|[^"\\\n])*)"', re.DOTALL)


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


def strings(path: Path) -> list[str]:
    """Returns the string literals of a Python or C file, without its comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [match[1] for match in C_TEXT.finditer(text) if match[1]]
    nodes = ast.walk(ast.parse(text))
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def test_words_are_found_as_words_only() -> None:
    text = "Whoever hails is told: wanted 2, got 3. Kindly, a border-line case, unwanted, ailing."
    words = [line.split("'")[1] for line in found(text, "any.md")]
    assert sorted(words, key=str.lower) == ["border", "hails", "told", "wanted", "Whoever"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_documents(document: Path) -> None:
    assert found(document.read_text(encoding="utf-8"), name(document)) == []


def test_strings_of_code_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text('/* "not this" */ puts("this"); /* nor */ puts("and \\"this");\n')
    assert strings(tmp_path / "a.c") == ["this", 'and \\"this']
    (tmp_path / "a.py").write_text('"""Doc."""\nx = f"{y} message"  # "comment"\n')
    assert strings(tmp_path / "a.py") == ["Doc.", " message"]


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_strings_of_code(source: Path) -> None:
    assert found("\n".join(strings(source)), name(source)) == []


def test_exceptions_are_needed() -> None:
    for path, word in EXCEPTIONS:
        text = "\n".join(strings(ROOT / path))
        assert WORDS[word].search(text), f"{path} has no {word!r} any more"
