"""Errors of the host tools. Every message says what happened, where, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from byteprop.errors import BytepropError

# With quotes, which some shells expect around brackets.
INSTALL_HOST = 'pip install "byteprop[host]"'
INSTALL_REFERENCE = 'pip install "byteprop[reference]"'


class HostError(BytepropError):
    """Base of the errors of the host tools."""


class PortError(HostError):
    """A serial port cannot be opened, is busy, or was disconnected."""


class LinkError(HostError):
    """The board does not respond, or its response is not valid."""


class AnswerError(LinkError):
    """An answer of the board is wrong. message and field name the part."""

    def __init__(self, text: str, *, message: str, field: str) -> None:
        super().__init__(text)
        self.message = message
        self.field = field


class RequestError(LinkError):
    """The board refused a request. status is its status code, by name."""

    def __init__(self, message: str, *, status: str = "") -> None:
        super().__init__(message)
        self.status = status


class DeviceFaultError(LinkError):
    """The board reported a fault: hard fault, assertion or stack overflow.

    cause is "hard", "assert" or "stack". For an assertion, pc is the CRC-32 of the source file's
    name and address its line.
    """

    def __init__(self, message: str, *, cause: str = "", pc: int = 0, address: int = 0) -> None:
        super().__init__(message)
        self.cause = cause
        self.pc = pc
        self.address = address


class BuildError(HostError):
    """The firmware cannot be compiled or linked."""


class DoesNotFitError(BuildError):
    """The model does not fit the board; the message has the numbers."""


class ToolMissingError(HostError):
    """A program the job needs is not installed; the message says how to install it."""


class FlashError(HostError):
    """The firmware could not be written to the board, or the emulator did not start."""


class BoardFileError(HostError):
    """A board.toml or rig.toml is wrong; the message names the file and the key."""


def error_text(error: Exception) -> str:
    """The text of an exception for the user, with the name of the file that failed."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}{_near_file(error)}"
    if isinstance(error, BytepropError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}"


def _near_file(error: OSError) -> str:
    """A file of a similar name in the same folder, for the end of a message."""
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, (str, Path)):
        return ""
    missing = Path(error.filename)
    try:
        names = [path.name for path in missing.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(missing.name, names)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question for the end of a message, "; did you mean NAME?", or nothing."""
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""
