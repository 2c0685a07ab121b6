"""What the figures of a training mean, in plain words: does it generalise, was anything lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from byteprop._raw_train import Counters

# Below these, differences between training and validation are not worth a word.
_GAP_POINTS = 0.05
_GAP_RMSE = 1.25
_RISE = 1.10  # of the validation loss over its best
_STILL_FALLING = 0.95  # of the training loss, from one epoch to the next
_LEARNT_POINTS = 0.25  # of what the commonest class leaves wrong
_LEARNT_RMSE = 0.5  # of the targets' own spread
_SATURATED_SHARE = 0.01
_VANISHED_SHARE = 0.5


@dataclass(frozen=True)
class Score:
    """What the weights of one moment make of n samples. loss: cross-entropy in nats, or mean
    squared error in the target's unit. accuracy: of classes; rmse: of values."""

    n: int
    loss: float
    accuracy: float | None = None
    rmse: float | None = None

    def __str__(self) -> str:
        if self.accuracy is not None:
            return f"accuracy {self.accuracy:.4f}, loss {self.loss:.4f}"
        return f"RMSE {self.rmse:.4g}, loss {self.loss:.4g}"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training samples. training: while the weights were changing."""

    number: int
    rate: float  # at its first sample
    training: Score
    validation: Score | None


class Fitting(str, Enum):
    """How well what was learnt holds beyond the training samples."""

    GOOD = "good"
    OVERFIT = "overfit"
    UNDERFIT = "underfit"
    DIVERGED = "diverged"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """The verdict and the figures that it rests on."""

    kind: Fitting
    text: str


def judge(
    epochs: Sequence[Epoch],
    training: Score | None,
    validation: Score | None,
    *,
    baseline: float,
    step: float = 0.0,
) -> Judgement:
    """training, validation: by the final weights. baseline: what no learning gives; the share of
    the commonest class, or the standard deviation of the targets. step: of the output."""
    if not epochs or training is None:
        return Judgement(Fitting.UNKNOWN, "cannot be told: nothing was trained")
    if _has_diverged(epochs):
        return Judgement(
            Fitting.DIVERGED,
            f"training diverged: its loss rose from {epochs[0].training.loss:.4g} in epoch "
            f"{epochs[0].number} to {epochs[-1].training.loss:.4g}. "
            "A smaller --learning-rate helps.",
        )
    if validation is not None:
        over = _overfit(epochs, training, validation, step)
        if over:
            return Judgement(Fitting.OVERFIT, over)
    under = _underfit(epochs, training, baseline)
    if under:
        return Judgement(Fitting.UNDERFIT, under)
    if validation is None:
        return Judgement(
            Fitting.UNKNOWN,
            f"learnt ({training} on the training samples), but overfitting cannot be told without "
            "validation samples; --validation-split 0.2 keeps some apart",
        )
    return Judgement(Fitting.GOOD, _good(training, validation))


def _has_diverged(epochs: Sequence[Epoch]) -> bool:
    losses = [e.training.loss for e in epochs]
    return len(losses) > 1 and losses[-1] > losses[0] and losses[-1] > 1.5 * min(losses)


def _overfit(epochs: Sequence[Epoch], training: Score, validation: Score, step: float) -> str:
    """Why it is overfitting, or "" when it is not."""
    gap = _gap(training, validation, step)
    rise = _rise(epochs)
    if not gap and not rise:
        return ""
    return (
        "overfitting: "
        + "; ".join(t for t in (gap, rise) if t)
        + ". Fewer epochs, more samples or a smaller network help."
    )


def _gap(training: Score, validation: Score, step: float) -> str:
    if training.accuracy is not None and validation.accuracy is not None:
        gap = training.accuracy - validation.accuracy
        if gap <= max(_GAP_POINTS, _noise(training, validation)):
            return ""
        return (
            f"{training.accuracy:.1%} of the training samples are right but "
            f"{validation.accuracy:.1%} of the validation samples, {100 * gap:.1f} points fewer"
        )
    if training.rmse is None or validation.rmse is None:
        return ""
    far = validation.rmse > _GAP_RMSE * training.rmse and validation.rmse - training.rmse > step
    if not far:
        return ""
    return (
        f"the error is {training.rmse:.4g} on the training samples but {validation.rmse:.4g} on "
        "the validation samples"
    )


def _noise(a: Score, b: Score) -> float:
    """Two standard errors of the difference of two accuracies."""
    if a.accuracy is None or b.accuracy is None:
        return 0.0
    share = (a.accuracy * a.n + b.accuracy * b.n) / (a.n + b.n)
    return 2 * math.sqrt(share * (1 - share) * (1 / a.n + 1 / b.n))


def _rise(epochs: Sequence[Epoch]) -> str:
    """The validation loss that rose while the training loss fell."""
    known = [(e.number, e.validation.loss) for e in epochs if e.validation is not None]
    if len(known) < 3:
        return ""
    best, least = min(known, key=lambda pair: pair[1])
    last = known[-1][1]
    if known[-1][0] - best < 2 or last <= _RISE * least:
        return ""
    if epochs[-1].training.loss >= min(e.training.loss for e in epochs if e.number <= best):
        return ""
    return (
        f"the validation loss was least after epoch {best} ({least:.4g}) and has risen to "
        f"{last:.4g} since, while the training loss fell"
    )


def _underfit(epochs: Sequence[Epoch], training: Score, baseline: float) -> str:
    """Why it is underfitting, or "" when it is not."""
    advice = "More epochs, a larger --learning-rate or a larger network help."
    if training.accuracy is not None and training.accuracy < baseline + _LEARNT_POINTS * (
        1 - baseline
    ):
        return (
            f"underfitting: {training.accuracy:.1%} of the training samples are right, and always "
            f"answering the commonest class gives {baseline:.1%}. {advice}"
        )
    if training.rmse is not None and training.rmse > _LEARNT_RMSE * baseline:
        return (
            f"underfitting: the error on the training samples is {training.rmse:.4g}, and always "
            f"answering their mean gives {baseline:.4g}. {advice}"
        )
    if len(epochs) < 2:
        return ""
    before, last = epochs[-2].training.loss, epochs[-1].training.loss
    if training.accuracy is not None and last < _STILL_FALLING * before:
        return (
            f"underfitting: the training loss still fell by {1 - last / before:.0%} in the last "
            "epoch. More epochs help."
        )
    return ""


def _good(training: Score, validation: Score) -> str:
    if training.accuracy is not None and validation.accuracy is not None:
        return (
            f"no overfitting, no underfitting seen: {training.accuracy:.1%} of the training and "
            f"{validation.accuracy:.1%} of the validation samples are right"
        )
    return (
        f"no overfitting, no underfitting seen: the error is {training.rmse:.4g} on the training "
        f"and {validation.rmse:.4g} on the validation samples"
    )


@dataclass(frozen=True)
class Sizes:
    """What counts are shares of."""

    hidden_units: int
    outputs: int
    rows: int  # of layers that are trained
    weights: int  # of layers that are trained


@dataclass(frozen=True)
class Remark:
    """A counter in words."""

    counter: str
    count: int
    is_warning: bool
    text: str


def remarks(counters: Counters, sizes: Sizes, *, window: int) -> tuple[Remark, ...]:
    """What the counters say. window: 0 when scales were not watched."""
    told = [_saturated_weights(counters, sizes)]
    if window:
        told.append(
            _saturated(
                "saturated_activations",
                counters.saturated_activations,
                counters.samples * sizes.hidden_units,
                "hidden values",
            )
        )
        told.append(
            _saturated(
                "saturated_logits",
                counters.saturated_logits,
                counters.samples * sizes.outputs,
                "output values",
            )
        )
        told.append(
            Remark(
                "rescales",
                counters.rescales,
                False,
                f"scales were doubled or halved {_times(counters.rescales)}, as values grew and "
                "shrank",
            )
        )
    told.append(_vanished(counters, sizes))
    return tuple(told)


def _saturated_weights(counters: Counters, sizes: Sizes) -> Remark:
    n = counters.saturated_weights
    updates = counters.steps * sizes.weights
    if n == 0:
        text = "no weight reached the end of its range"
    else:
        text = f"weights were held at the end of their range {_times(n)}"
    is_warning = n > 0 and n > updates / 1000
    if is_warning:
        text += ": the learning rate is too high, or the scales of this model are too small"
    return Remark("saturated_weights", n, is_warning, text)


def _saturated(counter: str, n: int, of: int, what: str) -> Remark:
    if n == 0:
        return Remark(counter, n, False, f"no {what} were cut off")
    share = n / of if of else 0.0
    is_warning = share > _SATURATED_SHARE
    text = f"{share:.2%} of the {what} were cut off at the end of their range"
    if is_warning:
        text += ": a smaller learning rate helps"
    return Remark(counter, n, is_warning, text)


def _vanished(counters: Counters, sizes: Sizes) -> Remark:
    n = counters.vanished
    share = n / (counters.samples * sizes.rows) if counters.samples and sizes.rows else 0.0
    if n == 0:
        return Remark("vanished", n, False, "no update was too small to be felt")
    is_warning = share > _VANISHED_SHARE
    text = f"{share:.2%} of the rows' updates were too small to be felt"
    text += ": the learning rate is too small" if is_warning else ", as of samples known well"
    return Remark("vanished", n, is_warning, text)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"
