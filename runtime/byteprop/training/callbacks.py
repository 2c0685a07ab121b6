"""What may watch and end a training."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from byteprop.errors import ArgumentError

if TYPE_CHECKING:
    from byteprop.training.target import TrainingTarget

Logs = Mapping[str, float]


@dataclass(frozen=True)
class Position:
    """Where training stands. epoch counts from 0; sample: how many of the epoch's are done."""

    epoch: int
    epochs: int
    sample: int
    samples: int
    seconds: float


class Callback:
    """Methods that fit calls; override what is needed. `model` is the model that is trained; at the
    end of an epoch it holds the weights of that moment. To end training: model.stop_training =
    True."""

    model: TrainingTarget

    def on_train_begin(self) -> None: ...

    def on_epoch_begin(self, epoch: int) -> None: ...

    def on_progress(self, position: Position, logs: Logs) -> None:
        """Some times a second. logs: loss and accuracy of the epoch so far."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None: ...

    def on_train_end(self) -> None: ...


class EarlyStopping(Callback):
    """Ends training when a figure has not become better by min_delta for `patience` epochs.

    monitor: a name in History.history. mode: "min", "max", or "auto", which means max for
    accuracies. restore_best: brings back the weights of the best epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 3,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        if patience < 1:
            raise ArgumentError(f"patience: expected 1 or more, got {patience}")
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"mode: expected auto, min or max, got {mode!r}")
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.best_epoch = -1
        self.stopped_epoch: int | None = None
        self._sign = -1.0 if mode == "max" or (mode == "auto" and "accuracy" in monitor) else 1.0
        self._best = float("inf")
        self._kept: Any = None

    def on_train_begin(self) -> None:
        self.best_epoch, self.stopped_epoch = -1, None
        self._best, self._kept = float("inf"), None

    def recall(self, history: Mapping[str, Sequence[float]]) -> None:
        """Takes note of the epochs before a checkpoint; their weights are not there any more."""
        for epoch, value in enumerate(history.get(self.monitor, [])):
            if self._sign * value < self._best - self.min_delta:
                self._best, self.best_epoch = self._sign * value, epoch

    def check(self, figures: Sequence[str]) -> None:
        """ArgumentError when the monitored figure is none of those that a run measures."""
        if self.monitor not in figures:
            raise ArgumentError(
                f"monitor: {self.monitor!r} is not measured; there is {', '.join(figures)}"
            )

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.check(list(logs))
        value = self._sign * logs[self.monitor]
        if value < self._best - self.min_delta:
            self._best, self.best_epoch = value, epoch
            self._kept = self.model.snapshot() if self.restore_best else None
        elif epoch - self.best_epoch >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self) -> None:
        if self._kept is not None:
            self.model.restore(self._kept)


class Lines(Callback):
    """A line an epoch, to a text stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def on_train_begin(self) -> None:
        reason = getattr(self.model, "inputs_reason", "")
        if reason:
            self._write(f"inputs: {reason}")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        figures = "  ".join(f"{name} {value:.4g}" for name, value in logs.items())
        self._write(f"epoch {epoch + 1}  {figures}")

    def _write(self, line: str) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        stream.write(f"{line}\n")
        stream.flush()


def checked(callbacks: Sequence[Callback] | Callback | None) -> list[Callback]:
    """A list of callbacks, of none, one or several."""
    one_or_more = [callbacks] if isinstance(callbacks, Callback) else callbacks or ()
    if not isinstance(one_or_more, (list, tuple)):
        raise ArgumentError(f"callbacks: expected a list of byteprop.Callback, got {callbacks!r}")
    for callback in one_or_more:
        if not isinstance(callback, Callback):
            raise ArgumentError(f"callbacks: expected byteprop.Callback, got {callback!r}")
    return list(one_or_more)


def early_stopping_of(given: int | EarlyStopping, has_validation: bool) -> EarlyStopping:
    """A number is a patience; what is watched is the validation loss where there is one."""
    if isinstance(given, EarlyStopping):
        return given
    if isinstance(given, bool) or not isinstance(given, int):
        raise ArgumentError(
            f"early_stopping: expected a number of epochs or byteprop.EarlyStopping, got {given!r}"
        )
    return EarlyStopping("val_loss" if has_validation else "loss", patience=given)
