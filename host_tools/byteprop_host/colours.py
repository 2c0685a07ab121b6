"""Colours of the terminal: which streams get them, and which words."""

from __future__ import annotations

import os
import re
from typing import TextIO

GREEN, RED, YELLOW, DIM = "1;32", "1;31", "33", "2"

# Words that decide, at the beginning of a line.
_WORDS = (
    (re.compile(r"identical\b"), GREEN),
    (re.compile(r"DIFFERENT\b"), RED),
    (re.compile(r"byteprop: error:"), RED),
    (re.compile(r"byteprop: warning:"), YELLOW),
    (re.compile(r"warning\b"), YELLOW),
    (re.compile(r"counters +WARNING:"), YELLOW),
)


def wants_colour(stream: TextIO) -> bool:
    """A terminal that can, unless NO_COLOR is set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def painted(text: str, colour: str = "") -> str:
    """The printable lines with the deciding words in colour, or all of it in `colour`."""
    return "\n".join(_painted_line(line, colour) for line in text.split("\n"))


def _painted_line(line: str, colour: str) -> str:
    if colour:
        return _wrapped(line, colour) if line else line
    for word, its_colour in _WORDS:
        if match := word.match(line):
            return _wrapped(match[0], its_colour) + line[match.end() :]
    return line


def _wrapped(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"
