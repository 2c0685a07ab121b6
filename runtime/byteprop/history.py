"""What training measured, and what it means in plain words."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from byteprop.errors import ArgumentError

# From here on the words of the verdict are chosen.
_GAP_OF_ACCURACY = 0.05
_RISE_OF_LOSS = 1.1
_GAP_OF_LOSS = 1.5
_LEAST_GAP = 0.01
_STILL_FALLING = 0.98
_SATURATED_SHARE = 0.01


@dataclass
class History:
    """history: a list an epoch of every figure, by Keras's names. counters: what the trainer
    counted in all. n_train, n_validation: samples. chance: the loss of guessing, where known.
    limit: a loss that only a network has that learns nothing."""

    history: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    n_train: int = 0
    n_validation: int = 0
    n_weights: int = 0
    chance: float | None = None
    limit: float = math.inf
    stopped_early: bool = False
    seconds: float = 0.0

    @property
    def epoch(self) -> list[int]:
        return list(range(len(self.history.get("loss", []))))

    @property
    def samples_per_second(self) -> float:
        """Of training alone."""
        return self.n_train * len(self.epoch) / self.seconds if self.seconds else 0.0

    def append(self, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    @property
    def diverged(self) -> bool:
        """Whether the loss is worse than guessing, or went up and stayed there."""
        losses = self.history.get("loss", [])
        if not losses:
            return False
        last = losses[-1]
        # A regression may begin far off; guessing a class cannot be worse than it is.
        falls = self.chance is None and (len(losses) == 1 or last < losses[0] / 2)
        ran_away = self.counters.get("saturated_weights", 0) > 0
        if last > self.limit and (ran_away or not falls):
            return True
        return len(losses) > 1 and last > 2 * min(losses) and last > losses[0]

    @property
    def verdict(self) -> str:
        """A sentence or two on divergence, overfitting and underfitting."""
        if not self.epoch:
            return "Nothing was trained."
        if self.diverged:
            return self._words_on_divergence()
        words = self._words_on_fit()
        if self._saturates:
            words += f" {self._words_on_saturation()}"
        return words

    def _words_on_divergence(self) -> str:
        losses = self.history["loss"]
        words = f"Diverged: the loss is {losses[-1]:.3g}, it was {min(losses):.3g} at best"
        if self.chance is not None:
            words += f" and guessing has {self.chance:.3g}"
        words += ". Train with a lower learning rate, or scale the inputs to about 1."
        return f"{words} {self._words_on_saturation()}" if self._saturates else words

    @property
    def _saturates(self) -> bool:
        """Whether more weights ran into their limits a sample than chance explains."""
        samples = max(1, self.counters.get("samples", 0))
        limit = _SATURATED_SHARE * self.n_weights * samples
        return self.counters.get("saturated_weights", 0) > limit

    def _words_on_saturation(self) -> str:
        return (
            f"Weights ran into the limits of their scale {self.counters['saturated_weights']} "
            "times: the learning rate is too high for them."
        )

    def _words_on_fit(self) -> str:
        if "val_loss" not in self.history:
            return f"{self._words_on_training()} Without validation data nothing tells overfitting."
        losses, held = self.history["loss"], self.history["val_loss"]
        best = held.index(min(held))
        if self._overfits(losses[-1], held[-1]):
            return (
                f"Overfitting: {self._figures()}. The validation loss was lowest after epoch "
                f"{best + 1}; stop there, take more data or a smaller network."
            )
        return f"{self._words_on_training()} {self._figures(capital=True)}: no overfitting."

    def _overfits(self, loss: float, held: float) -> bool:
        accuracies = self.history.get("accuracy"), self.history.get("val_accuracy")
        if accuracies[0] and accuracies[1]:
            if accuracies[0][-1] - accuracies[1][-1] > _GAP_OF_ACCURACY:
                return True
            rise = held > _RISE_OF_LOSS * min(self.history["val_loss"])
            return rise and accuracies[1][-1] < max(accuracies[1]) - 0.01
        first = self.history["val_loss"][0]
        return (
            held > _GAP_OF_LOSS * loss
            and held > _RISE_OF_LOSS * min(self.history["val_loss"])
            and held - loss > _LEAST_GAP * first
        )

    def _words_on_training(self) -> str:
        losses = self.history["loss"]
        if len(losses) > 1 and losses[-1] < _STILL_FALLING * losses[-2]:
            return "Underfitting: the loss still fell in the last epoch; train longer."
        if self.chance is not None and losses[-1] > 0.9 * self.chance:
            return "Underfitting: hardly better than guessing; a higher learning rate may learn."
        return "The training has settled."

    def _figures(self, *, capital: bool = False) -> str:
        name = "accuracy" if "val_accuracy" in self.history else "loss"
        train, held = self.history[name][-1], self.history[f"val_{name}"][-1]
        words = f"{name} {train:.4g} on the training data and {held:.4g} on the validation data"
        return words.capitalize() if capital else words

    def plot(self, path: str | os.PathLike[str]) -> None:
        """The curves as a picture; the suffix of the path chooses its format."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ArgumentError(
                "plot: matplotlib draws the picture; install it: pip install matplotlib"
            ) from None
        if not self.epoch:
            raise ArgumentError("plot: the history is empty")
        names = [n for n in ("loss", "accuracy") if n in self.history]
        figure = Figure(figsize=(5.0 * len(names), 3.6), layout="constrained")
        for name, axes in zip(names, figure.subplots(1, len(names), squeeze=False)[0], strict=True):
            self._draw(axes, name)
        figure.savefig(Path(path))

    def _draw(self, axes: Any, name: str) -> None:
        epochs = [e + 1 for e in self.epoch]
        axes.plot(epochs, self.history[name], label="training")
        if f"val_{name}" in self.history:
            axes.plot(epochs, self.history[f"val_{name}"], label="validation")
        if name == "loss" and min(self.history[name]) > 0 and self.chance is None:
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend()
