"""The part of a terminal that a view is drawn to."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from byteprop_host.colours import wants_colour
from byteprop_host.errors import INSTALL_HOST, ToolMissingError

_DRAWINGS_PER_SECOND = 10.0


class Screen:
    """Draws lines, at most ten times per second. A context manager: what was drawn last stays."""

    def __init__(self, stream: TextIO, lines: Callable[[int], list[str]]) -> None:
        try:
            from rich.console import Console
            from rich.live import Live
            from rich.text import Text
        except ImportError:
            raise ToolMissingError(f"rich is not installed: {INSTALL_HOST}") from None
        self._console = Console(file=stream, no_color=not wants_colour(stream), highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._text = Text.from_ansi
        self._lines = lines
        self._next = 0.0

    def draw(self, *, now: bool = False) -> None:
        """Draws what has changed, unless the last drawing is too recent."""
        moment = time.monotonic()
        if moment < self._next and not now:
            return
        self._next = moment + 1 / _DRAWINGS_PER_SECOND
        text = self._text("\n".join(self._lines(self._console.width - 1)), no_wrap=True)
        text.overflow = "crop"
        self._live.update(text, refresh=True)

    def __enter__(self) -> Screen:
        self._live.start()
        self.draw(now=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None or isinstance(error, KeyboardInterrupt):
                self.draw(now=True)
        finally:
            self._live.stop()
