"""Names from a file, fit for messages."""

from __future__ import annotations

_NAME_IN_MESSAGES = 80


def quoted(name: str) -> str:
    """A name from a file, fit for a message."""
    text = repr(name[:_NAME_IN_MESSAGES])
    return text if len(name) <= _NAME_IN_MESSAGES else f"{text[:-1]}...'"
