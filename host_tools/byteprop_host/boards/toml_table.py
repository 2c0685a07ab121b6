"""A table of a board.toml or rig.toml, read and checked key by key."""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from byteprop_host.errors import INSTALL_HOST, BoardFileError, ToolMissingError, did_you_mean

_E = TypeVar("_E", bound=Enum)
_MAX_BYTES = 1 << 20  # of a file; the board.toml that come with byteprop have 2,000


def read_toml(file: Path) -> dict[str, Any]:
    """The values of a TOML file. BoardFileError when it cannot be read."""
    try:
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
    except ImportError:
        raise ToolMissingError(
            "tomli is not installed, and Python 3.10 needs it to read descriptions of boards: "
            + INSTALL_HOST
        ) from None
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise BoardFileError(f"{file}: cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise BoardFileError(f"{file}: expected at most {_MAX_BYTES:,} bytes, got more")
    try:
        return tomllib.loads(data.decode())
    except RecursionError:
        raise BoardFileError(f"{file}: is nested too deeply") from None
    except ValueError as error:  # neither TOML nor UTF-8, and numbers of too many digits
        raise BoardFileError(f"{file}: is not TOML: {cut(str(error))}") from None


class Table:
    """A table of a TOML file, read key by key; keys that remain at the end are errors."""

    def __init__(self, values: Mapping[str, Any], file: Path, where: str) -> None:
        self._values = dict(values)
        self._file = file
        self._where = where

    def error(self, key: str, text: str) -> BoardFileError:
        """The error of a key; `text` follows its name."""
        return BoardFileError(f"{self._file}: {self._path(key)} {text}")

    def wrong(self, key: str, expected: str, got: object) -> BoardFileError:
        return BoardFileError(
            f"{self._file}: {self._path(key)}: expected {expected}, got {_shown(got)}"
        )

    def _path(self, key: str) -> str:
        key = cut(key)
        return f"{self._where}.{key}" if self._where else key

    def _take(self, key: str, default: object = ...) -> Any:
        if key in self._values:
            return self._values.pop(key)
        if default is ...:
            raise self.error(key, "is missing")
        return default

    def text(self, key: str, default: object = ...) -> str:
        """A string; one without a default is not empty."""
        value = self._take(key, default)
        if not _is_text(value) or not (value or default is not ...):
            raise self.wrong(key, "a string in one line", value)
        return str(value)

    def word(self, key: str) -> str:
        """A string that is put into a string of C."""
        value = self.text(key)
        if '"' in value or "\\" in value:
            raise self.wrong(key, "a string without quotes and backslashes", value)
        return value

    def integer(self, key: str, low: int = 0, high: int = 2**32 - 1, default: object = ...) -> int:
        value = self._take(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(key, f"an integer from {low} to {high}", value)
        return value

    def boolean(self, key: str, default: object = ...) -> bool:
        value = self._take(key, default)
        if type(value) is not bool:
            raise self.wrong(key, "true or false", value)
        return value

    def texts(self, key: str, default: object = ...) -> tuple[str, ...]:
        value = self._take(key, default)
        if not isinstance(value, list) or not all(map(_is_text, value)):
            raise self.wrong(key, "a list of strings, each in one line", value)
        return tuple(value)

    def arguments(self, key: str, known: Sequence[str], default: object = ...) -> tuple[str, ...]:
        """A list of strings with placeholders of `known` in braces."""
        args = self.texts(key, default)
        for name in re.findall(r"\{(\w+)\}", " ".join(args)):
            if name not in known:
                braced = ["{" + k + "}" for k in known]
                raise self.wrong(key, f"placeholders of {', '.join(braced)}", "{" + name + "}")
        return args

    def usb_ids(self, key: str, default: object = ...) -> tuple[str, ...]:
        """USB ids, "vvvv:pppp" in hexadecimal."""
        ids = self.texts(key, default)
        for usb in ids:
            if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", usb):
                raise self.wrong(key, 'ids such as "0d28:0204"', usb)
        return ids

    def choice(self, key: str, kind: type[_E]) -> _E:
        value = self.text(key)
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(member.value for member in kind)
            raise self.wrong(key, f"one of {names}", value) from None

    def table(self, key: str, default: object = ...) -> Table:
        value = self._take(key, default)
        if not isinstance(value, dict):
            raise self.wrong(key, "a table", value)
        return Table(value, self._file, self._path(key))

    def tables(self, key: str) -> list[Table]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.wrong(key, "an array of tables", value)
        return [Table(v, self._file, f"{key}[{i}]") for i, v in enumerate(value)]

    def peek(self, key: str) -> str:
        """The string of a key, which remains to be read."""
        value = self.text(key)
        self._values[key] = value
        return value

    def has(self, key: str) -> bool:
        return key in self._values

    def remaining_texts(self) -> dict[str, str]:
        return {key: self.text(key) for key in sorted(self._values)}

    def finish(self, known: Sequence[str] = ()) -> None:
        for key in self._values:
            raise self.error(key, f"is not a key of {self._file.name}{did_you_mean(key, known)}")


def _is_text(value: object) -> bool:
    """True for text without control characters, which would reach commands and messages."""
    return isinstance(value, str) and (value.isprintable() or not value)


def _shown(value: object) -> str:
    """The beginning of a value from a file, however long or deep it is."""
    try:
        return cut(reprlib.repr(value))
    except ValueError:  # too many digits
        return "a number of thousands of digits"


def cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."
