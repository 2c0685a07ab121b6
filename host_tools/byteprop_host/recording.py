"""`-v`, `-vv` and `--log`: where what the tools do is shown and kept."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from byteprop.support import files
from byteprop_host import activity
from byteprop_host.console import Console, printable_lines


@contextmanager
def recording(
    args: argparse.Namespace, arguments: Sequence[str], console: Console
) -> Iterator[None]:
    """Shows and keeps activity during the block, as the options say."""
    with ExitStack() as stack:
        if args.verbose:
            stack.enter_context(_handled(activity.COMMANDS, _Trace(console), logging.INFO))
        if args.verbose > 1:
            stack.enter_context(_handled(activity.FRAMES, _Trace(console), logging.DEBUG))
        if args.log is not None:
            handler = _LogFile(args.log)
            stack.callback(handler.close)
            for logger in (activity.COMMANDS, activity.OUTPUT):
                stack.enter_context(_handled(logger, handler, logging.DEBUG))
            if args.verbose > 1:
                stack.enter_context(_handled(activity.FRAMES, handler, logging.DEBUG))
            activity.command(("byteprop", *arguments))
        yield


@contextmanager
def _handled(logger: logging.Logger, handler: logging.Handler, level: int) -> Iterator[None]:
    before = logger.level
    if handler.level < level:
        handler.setLevel(level)
    logger.setLevel(min(level, before) if before else level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Trace(logging.Handler):
    """Shows records on stderr."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.trace(record.getMessage())


class _LogFile(logging.FileHandler):
    """Keeps records in a file, with times. A failure to write ends the command."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="w", encoding="utf-8", errors="backslashreplace")
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))

    def emit(self, record: logging.LogRecord) -> None:
        with files.errors_name(self.baseFilename):
            super().emit(record)

    def close(self) -> None:
        with files.errors_name(self.baseFilename):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            raise error
