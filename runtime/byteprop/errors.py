"""The one tree of errors. Every message says what happened, where, and what to do next."""

from __future__ import annotations


class BytepropError(Exception):
    """Base of every error that byteprop raises on purpose."""


class ArgumentError(BytepropError, ValueError):
    """An argument has a wrong type, dtype, shape or value; names the argument, what was expected
    and what it got."""


class ModelError(BytepropError):
    """A model file is truncated, corrupted, hostile, or not a model."""


class UnsupportedOpError(ModelError):
    """A model uses an op, type or version that byteprop does not run."""


class DataError(BytepropError):
    """A file of samples is truncated, corrupted, or of a kind that byteprop does not read."""


class TrainingError(BytepropError):
    """A model cannot be trained, or not with this configuration. op: index of the op at fault."""

    def __init__(self, message: str, *, op: int | None = None) -> None:
        super().__init__(message)
        self.op = op


class TrainingWarning(UserWarning):
    """Training goes on, but not as it should: it diverges, or values leave their range."""
