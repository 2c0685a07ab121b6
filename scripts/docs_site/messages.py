"""The page of troubleshooting by message: classes of errors with every message that they are
raised with, status codes of the C library, and failures of flash tools that byteprop knows."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from raised import Source

import byteprop
import byteprop_host
from byteprop.errors import BytepropError
from byteprop_host.flash.cable import CableRunner
from byteprop_host.parser import UsageError
from byteprop_host.remedies import ERRORS, INSIDE, STATUSES

ROOT = Path(__file__).resolve().parents[2]
PAGE = "reference/messages.md"
STATUS = re.compile(r'X\((\w+), "([^"]*)"\)')
FOLDERS = ("runtime/byteprop", "host_tools/byteprop_host")
# Templates of expressions and functions whose text comes from elsewhere, or does not matter.
KNOWN = {
    "_shown": "…",
    "a.detail": "… is not installed",
    "answer['error'].get('desc')": "what QEMU says",
    "described": "op …",
    "done.stderr.strip()": "what the compiler or linker says",
    "exact.text": "…: needs … bytes of RAM, board has …; needs … bytes of flash, board has …",
    "needs.text": "…: needs … bytes of RAM, board has …; needs … bytes of flash, board has …",
    "self._path(key)": "…",
    "status_text": "the text of a status code (below)",
    "type_name": "…",
}
INTRODUCTION = """# What a message means

Errors say what happened, where, and what to do next. This page has all messages of byteprop's
Python code, by the class of the error; search it for some words of yours. `…` stands for a name or
a number. `-v` prints the class of an error and what to do, and `--json` has both as `kind` and
`remedy`; `--debug` shows where an error happened.

Not on this page: messages of compilers, linkers and flash tools, which byteprop prints below its
own; warnings and the remarks of a verdict; and errors of Python, NumPy or the operating system,
such as a file that does not exist. [Questions and answers](../docs/faq.md) has problems without a
message."""


def pages() -> dict[str, str]:
    return {PAGE: page()}


def page() -> str:
    found, classes = messages(), error_classes()
    parts = [INTRODUCTION, "## Errors"]
    for name in sorted(classes):
        rows = "\n".join(f"- {text}" for text in sorted(found.get(name, ()), key=str.lower))
        meaning = prose(inspect.getdoc(classes[name]) or "")
        parts.append(f"### {name}\n\n{meaning}\n\n**What to do:** {prose(ERRORS[name])}\n\n{rows}")
    parts.append(f"## Status codes of the C library and of boards\n\n{status_table()}")
    parts.append(f"## Failures of flash tools\n\n{symptoms_table()}")
    return "\n\n".join(parts) + "\n"


def error_classes() -> dict[str, type]:
    """BytepropError and the classes below it, after all modules of both packages are imported."""
    for package in (byteprop, byteprop_host):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.rpartition(".")[2].startswith("__"):
                with suppress(ImportError):  # it needs a package that is not installed
                    importlib.import_module(module.name)

    # A class without a docstring is turned into another one before users see it.
    ours = (c for c in below(BytepropError) if c.__module__.startswith("byteprop") and c.__doc__)
    return {c.__name__: c for c in (*ours, UsageError)}


def below(base: type) -> Iterator[type]:
    """The class and all that are derived from it."""
    yield base
    for child in base.__subclasses__():
        yield from below(child)


@cache
def source() -> Source:
    return Source(ROOT, FOLDERS, {*error_classes(), *INSIDE}, KNOWN)


@cache
def messages() -> dict[str, set[str]]:
    """The messages of each class of errors, as Markdown."""
    found: dict[str, set[str]] = defaultdict(set)
    for place in source().raised():
        texts = {prose(text) for text in place.texts if re.search("[a-z]{2}", text)}
        found[INSIDE.get(place.kind, place.kind)] |= texts
    return found


def statuses() -> dict[str, str]:
    text = (ROOT / "csrc/include/byteprop/status.h").read_text(encoding="utf-8")
    return dict(STATUS.findall(text))


def status_table() -> str:
    rows = [f"| `BP_{name}` | {text} | {STATUSES[name]} |" for name, text in statuses().items()]
    return "\n".join(["| status | text | what to do |", "|---|---|---|", *rows])


def runners() -> list[type[CableRunner]]:
    error_classes()  # imports all modules
    own = {r for r in below(CableRunner) if r.__dict__.get("symptoms")}
    return sorted(own, key=lambda r: (r.program, r.__name__))


def symptoms_table() -> str:
    rows = [
        f"| {runner.program or runner.__name__} | {prose(readable(symptom.pattern))} "
        f"| {prose(symptom.remedy)} |"
        for runner in runners()
        for symptom in runner.symptoms
    ]
    return "\n".join(["| tool | it says | what to do |", "|---|---|---|", *rows])


def readable(pattern: str) -> str:
    """A regular expression in words: alternatives by "or", gaps as "…"."""
    text = re.sub(r"\[(\w)\w\]", r"\1", pattern).replace("\\", "")
    text = re.sub(r"\.[*+]\??", "…", text).replace("(?i)", "")
    return text.replace("|", " or ")


def prose(text: str) -> str:
    """Plain text in one line of Markdown; what is in backquotes stays code."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        p if p.startswith("`") else re.sub(r"([\\*_|<>\[\]])", r"\\\1", p) for p in parts
    )
