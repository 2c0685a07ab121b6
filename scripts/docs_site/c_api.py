"""The page of the C API: the public headers, each declaration under its comment."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ROOT / "csrc/include/byteprop"
PAGE = "reference/c.md"
INTRODUCTION = """# C API

The public headers, in the order in which a program needs them. Include them as
`<byteprop/infer.h>`. [examples/link_library](../examples/link_library/README.md) is a whole
program."""
FIRST = ("model", "infer", "train", "status", "config")
# Lines that every header has and no reader needs.
NOISE = re.compile(
    r'^\s*(#ifdef __cplusplus\n\s*extern "C" \{\n\s*#endif|#ifdef __cplusplus\n\s*\}\n\s*#endif'
    r"|/\* cdef: (begin|end) \*/|#ifndef BYTEPROP_\w+_H|#define BYTEPROP_\w+_H|#include .*)\n",
    re.M,
)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def pages() -> dict[str, str]:
    return {PAGE: page()}


def headers() -> list[Path]:
    def order(path: Path) -> tuple[int, str]:
        return (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.stem)

    return sorted(HEADERS.glob("*.h"), key=order)


def page() -> str:
    return "\n\n".join([INTRODUCTION, *(header(path) for path in headers())]) + "\n"


def header(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    first = COMMENT.match(text)
    assert first, f"{path.name}: expected a comment at its beginning"
    body = re.sub(r"\n#endif\s*\Z", "\n", text[first.end() :])
    parts = [f"## {path.name}", words(first[0])]
    parts += [
        block for block in map(declaration, re.split(r"\n\s*\n", NOISE.sub("", body))) if block
    ]
    return "\n\n".join(parts)


def declaration(block: str) -> str:
    """Splits a block of the header into its first comment, as text, and its code."""
    block = block.strip("\n")
    if not block.strip():
        return ""
    comment = COMMENT.match(block)
    if comment is None:
        return f"```c\n{block}\n```"
    code = block[comment.end() :].strip("\n")
    text = words(comment[0])
    return f"{text}\n\n```c\n{code}\n```" if code.strip() else text


def words(comment: str) -> str:
    lines = (re.sub(r"^\s*\*? ?", "", line) for line in comment[2:-2].strip().splitlines())
    return re.sub(r"([\\*_<>\[\]|`])", r"\\\1", "\n".join(line.rstrip() for line in lines))
