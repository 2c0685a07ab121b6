"""The `byteprop` command: parses arguments, runs a verb, turns errors into messages."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from byteprop.errors import BytepropError
from byteprop_host.commands import EXIT_CODES, EXIT_ERROR, EXIT_INTERRUPTED, NAMES, Verb
from byteprop_host.console import Console, OutputError, write
from byteprop_host.errors import did_you_mean, error_text


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    console = Console()
    args = argparse.Namespace(debug=False)
    try:
        args = _parse(argv)
        console = Console(json_mode=getattr(args, "json", False), quiet=args.quiet)
        with _signals_raise(), _warnings_are_notes(console):
            return int(args.verb.run(args, console))
    except OutputError as error:
        _give_up_stdout()
        return EXIT_ERROR if error.errno == errno.EPIPE else _failed(args, console, error)
    except Exception as error:
        # Exit code 1 means a difference and nothing else.
        return _failed(args, console, error)
    except KeyboardInterrupt:
        console.error("interrupted; the board was released")
        return EXIT_INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Suggests the nearest names, and escapes arguments like all other output."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action,
                f"expected {', '.join(known[:-1])} or {known[-1]}, got {value!r}"
                + did_you_mean(str(value), known),
            )

    def unknown(self, arguments: Sequence[str]) -> NoReturn:
        """Ends the command with a message about unknown options and extra arguments."""
        known = list(self._option_string_actions)
        options = [a.partition("=")[0] for a in arguments if a.startswith("-")]
        if options:
            self.error(
                "; ".join(f"{o!r} is not an option{did_you_mean(o, known)}" for o in options)
            )
        self.error(f"expected no more arguments, got {', '.join(map(repr, arguments))}")

    def _print_message(self, message: str, file: Any = None) -> None:
        if not message:
            return
        stream = file or sys.stderr
        try:
            write(stream, message)
        except OSError as error:
            if stream is sys.stdout:
                raise OutputError(error) from None


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        getattr(args, "parser", parser).unknown(unknown)
    if args.verb is None:
        parser.print_help()
        raise SystemExit(EXIT_ERROR)
    return args


def make_parser() -> _Parser:
    common = _Parser(add_help=False)
    common.add_argument(
        "--quiet", "-q", action="store_true", help="show no progress and no remarks"
    )
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(
        prog="byteprop",
        description="Build, flash, run, train and verify int8 models on microcontrollers.",
        epilog="Example:\n  byteprop verify model.tflite --board mps2-an386\n\n" + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"byteprop {_version()}")
    parser.set_defaults(verb=None)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for name in NAMES:
        verb: Verb = importlib.import_module(f"byteprop_host.commands.{name}").VERB
        sub = verbs.add_parser(
            verb.name,
            parents=[common],
            help=verb.summary,
            description=verb.summary[0].upper() + verb.summary[1:] + ".",
            epilog=f"Example:\n  {verb.example}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.configure(sub)
        if verb.has_json:
            sub.add_argument(
                "--json", action="store_true", help="the result, or the error, as JSON on stdout"
            )
        sub.set_defaults(verb=verb, parser=sub)
    return parser


def _failed(args: argparse.Namespace, console: Console, error: Exception) -> int:
    if args.debug:
        write(sys.stderr, "".join(traceback.format_exception(error)))
    text = error_text(error)
    if not isinstance(error, (BytepropError, OSError)) and not args.debug:
        text += "; --debug shows where it happened"
    console.error(text)
    if console.json_mode:
        # The message is on stderr already when stdout is what failed.
        with suppress(OutputError):
            console.result("", {"error": text, "kind": type(error).__name__})
    return EXIT_ERROR


@contextmanager
def _warnings_are_notes(console: Console) -> Iterator[None]:
    """Shows warnings like all other output: Python adds a line of our code, and escapes nothing."""

    def show(message: Warning | str, *where: object, **more: object) -> None:
        console.note(f"byteprop: warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _give_up_stdout() -> None:
    """Python flushes stdout once more at exit, which would report the error again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("byteprop")
    except PackageNotFoundError:
        return "(not installed)"


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Turns signals into exceptions, so that context managers stop emulators."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = [(number, signal.signal(number, _leave)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
