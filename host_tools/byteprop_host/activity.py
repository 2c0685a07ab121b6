"""What the tools do while they work, for `-v`, `-vv` and `--log`: commands, frames, and output.

Everything goes through Python's logging, to children of the logger "byteprop".
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence

LOGGER = "byteprop"
COMMANDS = logging.getLogger(f"{LOGGER}.commands")
FRAMES = logging.getLogger(f"{LOGGER}.frames")
OUTPUT = logging.getLogger(f"{LOGGER}.output")


def command(words: Sequence[object]) -> None:
    """A program is about to be started."""
    if COMMANDS.isEnabledFor(logging.INFO):
        COMMANDS.info("%s", f"$ {shlex.join(map(str, words))}")


def command_output(text: str) -> None:
    """What a program printed, all at once; only `--log` keeps it."""
    if text.strip() and COMMANDS.isEnabledFor(logging.DEBUG):
        COMMANDS.debug("%s", text.rstrip())


def frame(text: str) -> None:
    """A frame was complete, in either direction."""
    FRAMES.debug("%s", text)


def output(text: str) -> None:
    """The command printed this."""
    OUTPUT.info("%s", text.rstrip("\n"))
