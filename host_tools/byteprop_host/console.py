"""Output of the commands: results on stdout, everything else on stderr.

All text passes through `write`, so that no name of a file, tensor, board or port reaches the
terminal as a control sequence, and every encoding can show it.
"""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TextIO

from byteprop_host import activity
from byteprop_host.colours import DIM, painted, wants_colour


class Progress(Protocol):
    """Shows the progress of a stage. total: 0 when the end is not known. note: a remark, which may
    change with every call."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None: ...


def no_progress(stage: str, done: int, total: int, note: str = "") -> None:
    """A Progress that shows nothing."""


class OutputError(OSError):
    """Standard output cannot be written: its reader has closed it, or its disk is full."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror, "standard output")


def printable(text: str) -> str:
    """The text in one line, with control and invisible characters and line ends as escapes."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSEEN else c for c in text)


# Control and format characters, halves of surrogate pairs (bytes of a file name that are no UTF-8),
# private ones, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def printable_lines(text: str) -> str:
    """`printable` for text of several lines."""
    return "\n".join(map(printable, text.expandtabs().split("\n")))


def write(stream: TextIO, text: str, *, colour: str | None = None) -> None:
    """Writes any text; characters that the stream's encoding lacks become "?".

    colour: None: none at all; "": the deciding words; else of all the text, on a terminal.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = printable_lines(text).encode(encoding, "replace").decode(encoding)
    if colour is not None and wants_colour(stream):
        text = painted(text, colour)
    stream.write(text)
    stream.flush()


class Console:
    """Output of one command. Bars are drawn on a terminal, unless quiet."""

    def __init__(
        self, *, json_mode: bool = False, quiet: bool = False, err: TextIO | None = None
    ) -> None:
        self.json_mode = json_mode
        self.quiet = quiet
        self._err = err or sys.stderr
        self._bars: Any = None  # that are drawn now

    def result(self, text: str, value: object) -> None:
        """The command's result: `value` as JSON with --json, else `text`."""
        if self.json_mode:
            text = json.dumps(value, indent=2, default=_plain)
        self.line(text.rstrip("\n"))

    def line(self, text: str, *, colour: str = "") -> None:
        """Prints one line of a result that arrives line by line."""
        activity.output(text)
        try:
            write(sys.stdout, text + "\n", colour=None if self.json_mode else colour)
        except OSError as error:
            raise OutputError(error) from None

    def note(self, text: str) -> None:
        """Prints a remark that is not part of the result, unless quiet."""
        activity.output(text)
        if not self.quiet:
            self._print_remark(text)

    def error(self, text: str) -> None:
        """Prints an error message, even when quiet."""
        activity.output(f"byteprop: error: {text}")
        self._print_remark(f"byteprop: error: {text}")

    def trace(self, text: str) -> None:
        """Prints what is done meanwhile, for -v."""
        self._print_remark(text, DIM)

    def _print_remark(self, text: str, colour: str = "") -> None:
        # The work continues, and its exit code counts, when stderr is closed.
        with suppress(OSError):
            if self._bars is None:
                write(self._err, text + "\n", colour=colour)
            else:
                self._print_above_bars(text, colour)

    def _print_above_bars(self, text: str, colour: str) -> None:
        from rich.text import Text

        shown = printable_lines(text)
        if wants_colour(self._err):
            shown = painted(shown, colour)
        self._bars.console.print(Text.from_ansi(shown), soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A progress function, drawn as bars on a terminal."""
        bars = None if self.quiet or not self._err.isatty() else make_bars(self._err)
        if bars is None:
            yield no_progress
            return
        with bars:
            self._bars = bars
            try:
                yield _Bars(bars)
            finally:
                self._bars = None


def make_bars(stream: TextIO) -> Any:
    """Bars with the rate and the time left; None without rich."""
    try:
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            ProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import (
            Progress as RichProgress,
        )
        from rich.text import Text
    except ImportError:
        return None

    class RateColumn(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(rate_text(task.finished_speed or task.speed))

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=RichConsole(file=stream),
        transient=True,
    )


def rate_text(per_second: float | None) -> str:
    """Steps per second, with three digits: 1,234/s, 12.3/s."""
    if per_second is None or per_second <= 0:
        return ""
    digits = 0 if per_second >= 100 else 1 if per_second >= 10 else 2
    return f"{per_second:,.{digits}f}/s"


class _Bars:
    """One bar per stage, redrawn at most 20 times per second: a step may take microseconds."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._next = 0.0

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total or None)
        now = time.monotonic()
        if now < self._next and done != total:
            return
        self._next = now + 0.05
        text = printable(f"{stage} {note}".rstrip())
        self._bars.update(self._tasks[stage], completed=done, total=total or None, description=text)


def _plain(value: object) -> object:
    """JSON for NumPy scalars and arrays, paths and enums."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def table(rows: list[list[str]], *, header: list[str], right: frozenset[int] = frozenset()) -> str:
    """Columns of plain text; `right` are the columns to align to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(r[i]) for r in [header, *rows]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [
            c.rjust(w) if i in right else c.ljust(w)
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), line(["-" * w for w in widths]), *map(line, rows)])
