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
from pathlib import Path
from types import FrameType
from typing import Any

from byteprop.errors import BytepropError
from byteprop_host.commands import (
    EXIT_CODES,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_OK,
    NAMES,
    Verb,
)
from byteprop_host.completion import SHELLS
from byteprop_host.console import Console, OutputError, write
from byteprop_host.errors import error_text
from byteprop_host.parser import Parser, UsageError
from byteprop_host.recording import recording
from byteprop_host.remedies import remedy_of


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(json_mode="--json" in arguments)
    args = argparse.Namespace(debug=False)
    try:
        args = _parse(arguments)
        console = Console(json_mode=args.json, quiet=args.quiet)
        with recording(args, arguments, console), _signals_raise(), _warnings_are_notes(console):
            return _run(args, console)
    except OutputError as error:
        _give_up_stdout()
        return EXIT_ERROR if error.errno == errno.EPIPE else _failed(args, console, error)
    except UsageError as error:
        _print_error(console, str(error), error)
        raise
    except Exception as error:
        # Exit code 1 means a difference and nothing else.
        return _failed(args, console, error)


def _run(args: argparse.Namespace, console: Console) -> int:
    """Runs the verb; errors become messages here too, so that a log has them."""
    try:
        return int(args.verb.run(args, console))
    except OutputError:
        raise
    except Exception as error:
        return _failed(args, console, error)
    except KeyboardInterrupt as error:
        text = "interrupted; the board was released"
        console.error(text)
        _print_error(console, text, error)
        return EXIT_INTERRUPTED


class _Completion(argparse.Action):
    """Prints the script of a shell, and ends."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: Any, option: Any = None
    ) -> None:
        from byteprop_host.completion import completion_script

        Console().line(completion_script(make_parser(), values))
        raise SystemExit(EXIT_OK)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = make_parser()
    parser.check_before_verb(arguments)
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        getattr(args, "parser", parser).unknown(unknown)
    if args.verb is None:
        parser.print_help()
        raise SystemExit(EXIT_ERROR)
    if args.json and not args.verb.has_json:
        args.parser.error(f"--json: byteprop {args.verb.name} draws for people; it has no JSON")
    return args


def make_parser() -> Parser:
    parser = Parser(
        prog="byteprop",
        description="Build, flash, run, train and verify int8 models on microcontrollers.",
        epilog="Examples:\n"
        "  byteprop verify model.tflite --board mps2-an386\n"
        "  byteprop watch model.tflite --data samples.npz\n\n"
        f"{EXIT_CODES}\n\nDocumentation: byteprop help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"byteprop {_version()}")
    parser.add_argument(
        "--completion",
        action=_Completion,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print the completion script of {', '.join(SHELLS[:-1])} or {SHELLS[-1]}, and exit",
    )
    _add_common(parser, with_defaults=True)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(verb=None)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for name in NAMES:
        verb: Verb = importlib.import_module(f"byteprop_host.commands.{name}").VERB
        sub = verbs.add_parser(
            verb.name,
            help=verb.summary,
            description=verb.summary[0].upper() + verb.summary[1:] + ".",
            epilog=f"Example:\n  {verb.example}\n\n{EXIT_CODES}\n\n"
            f"Documentation: byteprop help {verb.docs}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_common(sub, with_defaults=False)
        verb.configure(sub)
        if verb.has_json:
            sub.add_argument(
                "--json",
                action="store_true",
                default=argparse.SUPPRESS,
                help=verb.json_help,
            )
        sub.set_defaults(verb=verb, parser=sub)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, with_defaults: bool) -> None:
    """Options that may be before the verb or after it."""

    def default(value: object) -> Any:
        return value if with_defaults else argparse.SUPPRESS

    parser.add_argument(
        "--quiet",
        "-q",
        action="store_true",
        default=default(False),
        help="show no progress and no remarks",
    )
    parser.add_argument(
        "--verbose",
        "-v",
        action="count",
        default=default(0),
        help="show the commands that are run; -vv also the frames on the line",
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        default=default(None),
        help="write everything that is run and printed to FILE, with times",
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        default=default(False),
        help="show the traceback of an error",
    )


def _failed(args: argparse.Namespace, console: Console, error: Exception) -> int:
    if args.debug:
        write(sys.stderr, "".join(traceback.format_exception(error)))
    text = error_text(error)
    if not isinstance(error, (BytepropError, OSError)) and not args.debug:
        text += "; --debug shows where it happened"
    console.error(text)
    remedy = remedy_of(error)
    if remedy and getattr(args, "verbose", False):
        console.note(f"byteprop: {type(error).__name__}: {remedy}")
    _print_error(console, text, error)
    return EXIT_ERROR


def _print_error(console: Console, text: str, error: BaseException) -> None:
    """The error as JSON, with --json. The message is on stderr already."""
    if console.json_mode:
        found = {"error": text, "kind": type(error).__name__, "remedy": remedy_of(error)}
        with suppress(OutputError):  # stdout may be what failed
            console.result("", found)


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
