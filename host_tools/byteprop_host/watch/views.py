"""What a live view shows: of an inference, and of a training."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from byteprop_host.colours import DIM, GREEN, RED, painted
from byteprop_host.console import printable
from byteprop_host.data.classes import class_name
from byteprop_host.training.scores import Epoch
from byteprop_host.watch.drawing import bar, labelled_curve

MOST_BARS = 24
_MOST_POINTS = 4000
_NAME_WIDTH = 16


@dataclass
class InferenceView:
    """Samples that a board infers, one after the other. scores: of the outputs, as real values."""

    title: str
    classes: Sequence[str] = ()
    unit: str = "none"
    sample: int = -1
    done: int = 0
    scores: Sequence[float] = ()
    label: int | None = None
    right: int = 0
    labelled: int = 0
    cost: int | None = None
    rate: float = 0.0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_POINTS))

    def add(
        self, sample: int, scores: Sequence[float], label: int | None, cost: int | None, rate: float
    ) -> None:
        """One more answer of the board."""
        self.sample, self.scores, self.label = sample, scores, label
        self.cost, self.rate = cost, rate
        self.done += 1
        self.history.append(max(scores))
        if label is not None:
            self.labelled += 1
            self.right += int(self.answer == label)

    @property
    def answer(self) -> int:
        """The class with the greatest score."""
        return max(range(len(self.scores)), key=self.scores.__getitem__)

    def line(self) -> str:
        """The last answer in one line, where there is no terminal."""
        if len(self.scores) == 1:
            return f"sample {self.sample}: {self.scores[0]:.6g}"
        answer = f"{class_name(self.classes, self.answer)} ({self.scores[self.answer]:.2f})"
        true = "" if self.label is None else f", true {class_name(self.classes, self.label)}"
        return f"sample {self.sample}: {answer}{true}"

    def lines(self, width: int) -> list[str]:
        """The whole view, with colours."""
        if not self.scores:
            return [printable(self.title), "waiting for the first answer"]
        if len(self.scores) == 1:
            shown = [f"output {self.scores[0]:.6g}", *labelled_curve(self.history, width, 8)]
        else:
            shown = self._bars(width)
        return [printable(self.title), self._status(), "", *shown]

    def _status(self) -> str:
        parts = [f"sample {self.sample}", f"{self.done:,} done", f"{self.rate:.1f} per second"]
        if self.cost is not None:
            parts.append(f"{self.cost:,} {self.unit}")
        if self.labelled:
            parts.append(f"{self.right:,} of {self.labelled:,} right")
        return ", ".join(parts)

    def _bars(self, width: int) -> list[str]:
        low, high = min(*self.scores, 0.0), max(*self.scores, 1e-9)
        numbers: Sequence[int] = range(len(self.scores))
        if len(numbers) > MOST_BARS:
            best = sorted(numbers, key=self.scores.__getitem__, reverse=True)[:MOST_BARS]
            numbers = sorted(best)
        # The scores of a softmax have one scale in all samples.
        high = max(high, 1.0) if low >= 0 and high <= 1 else high
        return [self._bar(i, (self.scores[i] - low) / (high - low), width) for i in numbers]

    def _bar(self, number: int, share: float, width: int) -> str:
        name = printable(class_name(self.classes, number))[:_NAME_WIDTH]
        drawn = bar(share, max(width - _NAME_WIDTH - 14, 4))
        text = f"{name:>{_NAME_WIDTH}} {drawn} {self.scores[number]:8.3f}"
        if number == self.answer:
            wrong = self.label is not None and number != self.label
            return painted(text, RED if wrong else GREEN)
        return f"{text} ◀ true" if number == self.label else text


@dataclass
class TrainingView:
    """A training on a board. losses: while the weights change, and after epochs of validation."""

    title: str
    status: str = "starting"
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_POINTS))
    epochs: list[Epoch] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def add(self, logs: Mapping[str, float]) -> None:
        """Figures of the epoch so far."""
        self.losses.append(logs["loss"])

    def lines(self, width: int) -> list[str]:
        """The whole view, with colours."""
        shown = [printable(self.title), printable(self.status)]
        if self.total:
            shown.append(
                bar(self.done / self.total, max(width - 8, 4)) + f" {self.done / self.total:6.1%}"
            )
        if self.losses:
            shown += ["", "loss of the epoch so far", *labelled_curve(self.losses, width, 8)]
        held = [e.validation.loss for e in self.epochs if e.validation is not None]
        if len(held) > 1:
            shown += ["", "loss of the validation samples, by epoch"]
            shown += labelled_curve(held, width, 5)
        shown += [painted(self.epoch_line(e), DIM) for e in self.epochs[-5:]]
        return shown

    @staticmethod
    def epoch_line(epoch: Epoch) -> str:
        """The figures of an epoch."""
        validation = "" if epoch.validation is None else f"; validation {epoch.validation}"
        return f"epoch {epoch.number}: {epoch.training}{validation}"
