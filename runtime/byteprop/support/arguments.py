"""Checks of arguments that several modules make."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.errors import ArgumentError

MAX_SEED = (1 << 32) - 1


def integer(name: str, value: Any, low: int, high: int) -> int:
    """value as an int; ArgumentError for another type and outside low .. high."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ArgumentError(f"{name}: expected an integer, got {value!r}")
    if not low <= value <= high:
        raise ArgumentError(f"{name}: expected {low}..{high}, got {value}")
    return int(value)
