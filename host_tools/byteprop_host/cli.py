"""The `byteprop` command: parses arguments, runs a verb, turns errors into messages."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from byteprop.errors import BytepropError
from byteprop_host.commands import EXIT_ERROR, EXIT_INTERRUPTED, NAMES, Verb
from byteprop_host.console import Console


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.verb is None:
        parser.print_help()
        return EXIT_ERROR
    console = Console(json_mode=getattr(args, "json", False), quiet=args.quiet)
    try:
        with _signals_raise():
            return int(args.verb.run(args, console))
    except BytepropError as error:
        return _failed(args, console, str(error))
    except BrokenPipeError:
        # The reader of stdout is gone; a flush at exit would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _failed(args, console, f"{error.strerror or error}{where}")
    except Exception as error:
        # Exit code 1 is for differences alone.
        message = f"unexpected {type(error).__name__}: {error}; --debug shows where it happened"
        return _failed(args, console, message)
    except KeyboardInterrupt:
        console.error("interrupted; the board was let go")
        return EXIT_INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--quiet", "-q", action="store_true", help="no progress, no remarks")
    common.add_argument("--debug", action="store_true", help="show a traceback with errors")
    parser = argparse.ArgumentParser(
        prog="byteprop",
        description="Build, flash, run and prove int8 models on microcontrollers.",
        epilog="Example: byteprop verify model.tflite --board mps2-an386",
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
            epilog=f"Example:\n  {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.configure(sub)
        if verb.has_json:
            sub.add_argument("--json", action="store_true", help="the result as JSON on stdout")
        sub.set_defaults(verb=verb)
    return parser


def _failed(args: argparse.Namespace, console: Console, message: str) -> int:
    if args.debug:
        traceback.print_exc()
    console.error(message)
    return EXIT_ERROR


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("byteprop")
    except PackageNotFoundError:
        return "(not installed)"


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Lets context managers stop emulators: they only get to run when a signal is an exception."""
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


if __name__ == "__main__":
    sys.exit(main())
