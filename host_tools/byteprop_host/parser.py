"""The parser of the command line: near names for what is wrong, and escaped messages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from byteprop_host.commands import EXIT_ERROR
from byteprop_host.console import OutputError, write
from byteprop_host.errors import did_you_mean


class UsageError(SystemExit):
    """An option or an argument of the command is wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(EXIT_ERROR)  # the message is on stderr already
        self._text = text

    def __str__(self) -> str:
        return self._text


class Parser(argparse.ArgumentParser):
    """Suggests the nearest names, and escapes arguments like all other output."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action,
                f"expected {', '.join(known[:-1])} or {known[-1]}, got {value!r}"
                + did_you_mean(str(value), known),
            )

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self._print_message(f"{self.prog}: error: {message}\n", sys.stderr)
        raise UsageError(message)

    def actions(self) -> list[argparse.Action]:
        """The options and arguments of a verb."""
        return list(self._actions)

    def unknown(self, arguments: Sequence[str]) -> NoReturn:
        """Ends the command with a message about unknown options and extra arguments."""
        known = list(self._option_string_actions)
        options = [a.partition("=")[0] for a in arguments if a.startswith("-")]
        if options:
            self.error(
                "; ".join(f"{o!r} is not an option{did_you_mean(o, known)}" for o in options)
            )
        self.error(f"expected no more arguments, got {', '.join(map(repr, arguments))}")

    def check_before_verb(self, arguments: Sequence[str]) -> None:
        """Ends the command if an option of a verb, or an unknown one, is before the verb."""
        words = iter(arguments)
        for word in words:
            if not word.startswith("-") or word in ("-", "--"):
                return
            name = word.partition("=")[0]
            action = self._option_called(name)
            if action is None:
                self._unknown_before_verb(name)
            elif action.nargs is None and "=" not in word:
                next(words, None)  # its value

    def _option_called(self, name: str) -> argparse.Action | None:
        """The option of a name, the beginning of one, or several letters such as -vq."""
        if name.startswith("--"):
            return next(
                (a for o, a in self._option_string_actions.items() if o.startswith(name)), None
            )
        letters = [self._option_string_actions.get(f"-{letter}") for letter in name[1:]]
        return letters[0] if letters and all(letters) else None

    def _unknown_before_verb(self, name: str) -> NoReturn:
        subs = next(a for a in self._actions if isinstance(a, argparse._SubParsersAction))
        owners = [v for v, sub in subs.choices.items() if name in sub._option_string_actions]
        if owners:
            verb = "verify" if "verify" in owners else owners[0]
            self.error(
                f"{name!r} is an option of a verb: write it after it, as in: byteprop {verb} {name}"
            )
        known = {o for sub in (self, *subs.choices.values()) for o in sub._option_string_actions}
        self.error(f"{name!r} is not an option{did_you_mean(name, sorted(known))}")

    def _print_message(self, message: str, file: Any = None) -> None:
        if not message:
            return
        stream = file or sys.stderr
        try:
            write(stream, message)
        except OSError as error:
            if stream is sys.stdout:
                raise OutputError(error) from None
