"""The figures of a training run, its diagnosis and its picture."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from byteprop.errors import ArgumentError
from byteprop.training.diagnosis import (
    Curves,
    Diagnosis,
    Kind,
    Remark,
    Sizes,
    Task,
    describe,
    diagnose,
    remarks,
)


@dataclass
class History:
    """history: one list per figure, by Keras's names, with a value per epoch. counters: what the
    trainer counted in the whole run, by name. task, sizes: what figures and counters are measured
    on. seconds: of training alone."""

    history: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    task: Task = field(default_factory=Task)
    sizes: Sizes = field(default_factory=Sizes)
    stopped_early: bool = False
    seconds: float = 0.0

    @property
    def epoch(self) -> list[int]:
        return list(range(len(self.history.get("loss", []))))

    @property
    def n_train(self) -> int:
        """Training samples."""
        return self.task.n_train

    @property
    def n_validation(self) -> int:
        """Validation samples."""
        return self.task.n_validation

    @property
    def samples_per_second(self) -> float:
        """Of training alone."""
        return self.n_train * len(self.epoch) / self.seconds if self.seconds else 0.0

    def append(self, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    @property
    def diagnosis(self) -> Diagnosis:
        """Divergence, overfitting or underfitting, and the figures that show it."""
        return diagnose(Curves.of(self.history), self.task, self.counters, self.sizes)

    @property
    def diverged(self) -> bool:
        """True when the loss is worse than guessing, or rose and stayed high."""
        return self.diagnosis.kind is Kind.DIVERGED

    @property
    def verdict(self) -> str:
        """The diagnosis as one or two sentences."""
        text = describe(self.diagnosis)
        return text[0].upper() + text[1:]

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What the counters say, in words."""
        return remarks(self.diagnosis, self.counters, self.sizes)

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
        if name == "loss" and min(self.history[name]) > 0 and self.task.chance is None:
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend()
