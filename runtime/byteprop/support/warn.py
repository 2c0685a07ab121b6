"""Warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings

from byteprop.errors import TrainingWarning


def warn(words: str) -> None:
    """A TrainingWarning of the nearest caller outside this package. At a line of the library,
    Python would show it for the first model alone."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _is_ours(frame.f_globals["__name__"]):
        level, frame = level + 1, frame.f_back
    warnings.warn(words, TrainingWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module == "byteprop" or module.startswith("byteprop.")
