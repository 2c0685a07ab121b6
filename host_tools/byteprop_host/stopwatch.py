"""Seconds that a piece of work took."""

from __future__ import annotations

import time


class Stopwatch:
    """Measures a `with` block, or the time since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of the block, or so far."""
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def __enter__(self) -> Stopwatch:
        self._began = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = time.monotonic()
