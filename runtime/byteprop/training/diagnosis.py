"""Diagnoses a training run from its curves and counters: divergence, overfitting, underfitting,
saturation. One answer for `Model.fit` and `byteprop train`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

# Divergence: the last loss against the best one, when it is above the first one too.
_DIVERGED_RISE = 1.5
# A loss below this share of guessing is too small to diverge, and leaves nothing to learn.
_SMALL_LOSS = 0.05
# Overfitting: what validation may lack, and by how much its loss may rise.
_ACCURACY_GAP = 0.05
_RMSE_GAP = 1.25
_LOSS_GAP = 1.5
_LOSS_RISE = 1.10
_LOSS_NOISE = 0.01  # of the first validation loss
_RISE_EPOCHS = 2
# Underfitting: what has to be learned, and how little the loss still falls in the last epoch.
_LEARNED_ACCURACY = 0.25  # of what the most frequent class leaves wrong
_LEARNED_RMSE = 0.5  # of the targets' standard deviation
_LEARNED_LOSS = 0.9  # of guessing
_STILL_FALLING = 0.95
# Counters, as shares of what they count.
_SATURATED_WEIGHTS = 0.001
_SATURATED_VALUES = 0.01
_VANISHED_ROWS = 0.5


class Kind(str, Enum):
    """How well the network fits the training samples, and others."""

    GOOD = "good"
    OVERFIT = "overfit"
    UNDERFIT = "underfit"
    DIVERGED = "diverged"
    UNKNOWN = "unknown"


class Reason(str, Enum):
    """What the kind was concluded from."""

    NOT_TRAINED = "not trained"
    LOSS_ABOVE_GUESSING = "loss above guessing"
    LOSS_ROSE = "loss rose"
    VALIDATION_GAP = "validation gap"
    VALIDATION_LOSS_ROSE = "validation loss rose"
    NEAR_GUESSING = "near guessing"
    LOSS_STILL_FALLS = "loss still falls"
    NO_VALIDATION = "no validation"
    SETTLED = "settled"


class Rate(str, Enum):
    """What to do with the learning rate."""

    KEEP = "keep"
    LOWER = "lower"
    RAISE = "raise"


@dataclass(frozen=True)
class Diagnosis:
    """numbers: what the kind was concluded from, by name."""

    kind: Kind
    reason: Reason
    numbers: Mapping[str, float] = field(default_factory=dict)
    rate: Rate = Rate.KEEP


@dataclass(frozen=True)
class Curves:
    """One value per epoch. loss and accuracy: means over the epoch, while the weights change;
    validation: after the epoch. Losses in nats, or squared units of the target. A network with
    real targets has no accuracies, but val_rmse in the unit of the target. Empty: not measured."""

    loss: Sequence[float] = ()
    accuracy: Sequence[float] = ()
    val_loss: Sequence[float] = ()
    val_accuracy: Sequence[float] = ()
    val_rmse: Sequence[float] = ()

    @staticmethod
    def of(history: Mapping[str, Sequence[float]]) -> Curves:
        """Of History.history."""
        return Curves(**{n: history[n] for n in Curves.__dataclass_fields__ if n in history})


@dataclass(frozen=True)
class Task:
    """What the curves are measured on. baseline: what no learning gives, the share of the most
    frequent class or the standard deviation of the targets. chance: loss of guessing a class.
    limit: loss of a network that learned nothing. step: of the output, as a real value; values
    that differ by less cannot be distinguished. None: not known."""

    n_train: int = 0
    n_validation: int = 0
    baseline: float | None = None
    chance: float | None = None
    limit: float = math.inf
    step: float = 0.0


@dataclass(frozen=True)
class Sizes:
    """What counters are shares of. rows, weights: of the layers that are trained. window: updates
    between revisions of the scales, 0 when they stay."""

    hidden_units: int = 0
    outputs: int = 0
    rows: int = 0
    weights: int = 0
    window: int = 0


@dataclass(frozen=True)
class Remark:
    """A counter of the trainer in words. share: of what it counts."""

    counter: str
    count: int
    share: float
    is_warning: bool
    text: str


def diagnose(
    curves: Curves,
    task: Task | None = None,
    counters: Mapping[str, int] | None = None,
    sizes: Sizes | None = None,
) -> Diagnosis:
    """The diagnosis of a run; counters: those of the trainer by name, with the sizes they are
    shares of."""
    task = task or Task()
    shares = _shares(counters or {}, sizes or Sizes())
    found = (
        _not_trained(curves)
        or _diverged(curves, task, counters or {})
        or _overfit(curves, task)
        or _underfit(curves, task)
        or _settled(curves)
    )
    return Diagnosis(found.kind, found.reason, found.numbers, _rate(found, shares))


def _rate(found: Diagnosis, shares: Mapping[str, float]) -> Rate:
    """The one advice on the learning rate. Saturation comes first: a larger rate adds to it."""
    if found.kind is Kind.DIVERGED or any(shares[name] > limit for name, limit in _LIMITS.items()):
        return Rate.LOWER
    vanishes = shares["vanished"] > _VANISHED_ROWS
    near_guessing = found.reason is Reason.NEAR_GUESSING
    return Rate.RAISE if near_guessing or (vanishes and found.kind is Kind.UNDERFIT) else Rate.KEEP


# --- kinds ---


def _not_trained(curves: Curves) -> Diagnosis | None:
    return None if curves.loss else Diagnosis(Kind.UNKNOWN, Reason.NOT_TRAINED)


def _diverged(curves: Curves, task: Task, counters: Mapping[str, int]) -> Diagnosis | None:
    first, last, best = curves.loss[0], curves.loss[-1], min(curves.loss)
    numbers = {"loss": last, "best_loss": best, "first_loss": first, "epochs": len(curves.loss)}
    if not math.isfinite(last):
        return Diagnosis(Kind.DIVERGED, Reason.LOSS_ROSE, numbers)
    # A regression may begin far off; guessing a class cannot be worse than it is.
    falls = task.chance is None and (len(curves.loss) == 1 or last < first / 2)
    ran_away = counters.get("saturated_weights", 0) > 0
    if last > task.limit and (ran_away or not falls):
        return Diagnosis(Kind.DIVERGED, Reason.LOSS_ABOVE_GUESSING, numbers)
    if last > max(first, _DIVERGED_RISE * best, _small_loss(task)):
        return Diagnosis(Kind.DIVERGED, Reason.LOSS_ROSE, numbers)
    return None


def _small_loss(task: Task) -> float:
    """A loss that is next to none: below it values are within a step of the output, and the classes
    are about certain."""
    return task.step**2 if task.chance is None else _SMALL_LOSS * task.chance


def _overfit(curves: Curves, task: Task) -> Diagnosis | None:
    if not curves.val_loss:
        return None
    return _gap(curves, task) or _rise(curves, task)


def _gap(curves: Curves, task: Task) -> Diagnosis | None:
    """Validation is worse than training, by more than chance and the output's steps explain."""
    if curves.accuracy and curves.val_accuracy:
        a, b = curves.accuracy[-1], curves.val_accuracy[-1]
        if a - b <= max(_ACCURACY_GAP, _noise(a, b, task)):
            return None
        numbers = {"accuracy": a, "val_accuracy": b}
    elif curves.val_rmse:
        a, b = math.sqrt(curves.loss[-1]), curves.val_rmse[-1]
        if b <= _RMSE_GAP * a or b - a <= task.step:
            return None
        numbers = {"rmse": a, "val_rmse": b}
    else:
        a, b = curves.loss[-1], curves.val_loss[-1]
        if b <= _LOSS_GAP * a or b - a <= _LOSS_NOISE * curves.val_loss[0]:
            return None
        if b <= _LOSS_RISE * min(curves.val_loss):
            return None
        numbers = {"loss": a, "val_loss": b}
    return Diagnosis(Kind.OVERFIT, Reason.VALIDATION_GAP, numbers | _best(curves))


def _noise(a: float, b: float, task: Task) -> float:
    """Two standard errors of the difference of two accuracies."""
    n, m = task.n_train, task.n_validation
    if not n or not m:
        return 0.0
    share = (a * n + b * m) / (n + m)
    return 2 * math.sqrt(share * (1 - share) * (1 / n + 1 / m))


def _rise(curves: Curves, task: Task) -> Diagnosis | None:
    """The validation loss rose while the training loss fell."""
    best = curves.val_loss.index(min(curves.val_loss))
    least, last = curves.val_loss[best], curves.val_loss[-1]
    if len(curves.val_loss) - 1 - best < _RISE_EPOCHS or last <= _LOSS_RISE * least:
        return None
    if last - least <= max(_LOSS_NOISE * curves.val_loss[0], task.step**2):
        return None
    if curves.loss[-1] >= min(curves.loss[: best + 1]):
        return None
    numbers = {"val_loss": last, "loss": curves.loss[-1]} | _best(curves)
    return Diagnosis(Kind.OVERFIT, Reason.VALIDATION_LOSS_ROSE, numbers)


def _best(curves: Curves) -> dict[str, float]:
    least = min(curves.val_loss)
    return {"best_val_loss": least, "best_epoch": curves.val_loss.index(least) + 1}


def _underfit(curves: Curves, task: Task) -> Diagnosis | None:
    near = _near_guessing(curves, task)
    if near is not None:
        return Diagnosis(Kind.UNDERFIT, Reason.NEAR_GUESSING, near)
    if len(curves.loss) < 2 or _has_learned_all(curves, task):
        return None
    before, last = curves.loss[-2:]
    if last >= _STILL_FALLING * before:
        return None
    numbers = {"loss": last, "previous_loss": before, "fall": 1 - last / before}
    return Diagnosis(Kind.UNDERFIT, Reason.LOSS_STILL_FALLS, numbers)


def _has_learned_all(curves: Curves, task: Task) -> bool:
    """Every class is right, or the loss is next to none; a loss may fall by a share forever."""
    is_right = max((*curves.accuracy[-1:], *curves.val_accuracy[-1:]), default=0.0) >= 1.0
    return is_right or curves.loss[-1] <= _small_loss(task)


def _near_guessing(curves: Curves, task: Task) -> dict[str, float] | None:
    """Figures that are hardly better than no learning. The weights at the end of the last epoch are
    better than its mean, and validation shows it."""
    if curves.accuracy and task.baseline is not None:
        accuracy = max([curves.accuracy[-1], *curves.val_accuracy[-1:]])
        if accuracy < task.baseline + _LEARNED_ACCURACY * (1 - task.baseline):
            return {"accuracy": accuracy, "baseline": task.baseline}
    elif curves.accuracy or task.chance is not None:
        if task.chance is not None and curves.loss[-1] > _LEARNED_LOSS * task.chance:
            return {"loss": curves.loss[-1], "chance": task.chance}
    elif task.baseline is not None:
        rmse = min([math.sqrt(curves.loss[-1]), *curves.val_rmse[-1:]])
        if rmse > max(_LEARNED_RMSE * task.baseline, task.step):
            return {"rmse": rmse, "baseline": task.baseline}
    return None


def _settled(curves: Curves) -> Diagnosis:
    names = ("accuracy", "val_accuracy", "loss", "val_loss", "val_rmse")
    numbers = {n: getattr(curves, n)[-1] for n in names if getattr(curves, n)}
    if curves.val_loss:
        return Diagnosis(Kind.GOOD, Reason.SETTLED, numbers)
    return Diagnosis(Kind.UNKNOWN, Reason.NO_VALIDATION, numbers)


# --- in words ---


def describe(found: Diagnosis) -> str:
    """The diagnosis as one or two sentences, with the advice that follows from it."""
    text = _TEXTS[found.reason](found.numbers)
    advice = _advice(found)
    return f"{text}. {advice}" if advice else f"{text}."


def _advice(found: Diagnosis) -> str:
    if found.kind is Kind.OVERFIT:
        return "Fewer epochs, more samples or a smaller network help."
    if found.rate is Rate.LOWER:
        also = ", or inputs scaled to about 1," if found.kind is Kind.DIVERGED else ""
        return f"A lower learning rate{also} helps."
    if found.reason is Reason.NEAR_GUESSING:
        return "More epochs, a higher learning rate or a larger network help."
    if found.rate is Rate.RAISE:
        return "A higher learning rate helps."
    if found.kind is Kind.UNDERFIT:
        return "More epochs help."
    if found.reason is Reason.NO_VALIDATION:
        return "Overfitting cannot be detected without validation data."
    return ""


def _near_guessing_text(n: Mapping[str, float]) -> str:
    if "accuracy" in n:
        return (
            f"underfitting: accuracy {n['accuracy']:.4g}, and the most frequent class alone gives "
            f"{n['baseline']:.4g}"
        )
    if "rmse" in n:
        return f"underfitting: RMSE {n['rmse']:.4g}, and the mean alone gives {n['baseline']:.4g}"
    return f"underfitting: the loss is {n['loss']:.4g}, and guessing gives {n['chance']:.4g}"


def _gap_text(n: Mapping[str, float]) -> str:
    name = next(x for x in ("accuracy", "rmse", "loss") if x in n)
    return (
        f"overfitting: {_name(name)} {n[name]:.4g} on the training data, {n['val_' + name]:.4g} on "
        f"the validation data, whose loss was lowest after epoch {n['best_epoch']:g}"
    )


def _settled_text(n: Mapping[str, float]) -> str:
    figure = "rmse" if "val_rmse" in n else "accuracy" if "val_accuracy" in n else "loss"
    value = math.sqrt(n["loss"]) if figure == "rmse" else n[figure]
    return (
        f"no overfitting, no underfitting: {_name(figure)} {value:.4g} on the training data, "
        f"{n['val_' + figure]:.4g} on the validation data"
    )


def _no_validation_text(n: Mapping[str, float]) -> str:
    figure = "accuracy" if "accuracy" in n else "loss"
    return f"trained to {_name(figure)} {n[figure]:.4g}"


def _name(figure: str) -> str:
    return "RMSE" if figure == "rmse" else figure


_TEXTS = {
    Reason.NOT_TRAINED: lambda n: "nothing was trained",
    Reason.LOSS_ABOVE_GUESSING: lambda n: (
        f"diverged: the loss is {n['loss']:.4g}, more than a network that learned nothing has"
    ),
    Reason.LOSS_ROSE: lambda n: (
        f"diverged: the loss rose from {n['first_loss']:.4g} in the first epoch to "
        f"{n['loss']:.4g}, and was {n['best_loss']:.4g} at best"
    ),
    Reason.VALIDATION_GAP: _gap_text,
    Reason.VALIDATION_LOSS_ROSE: lambda n: (
        f"overfitting: the validation loss was lowest after epoch {n['best_epoch']:g} "
        f"({n['best_val_loss']:.4g}) and rose to {n['val_loss']:.4g} since, while the training "
        "loss fell"
    ),
    Reason.NEAR_GUESSING: _near_guessing_text,
    Reason.LOSS_STILL_FALLS: lambda n: (
        f"underfitting: the training loss still fell by {n['fall']:.0%} in the last epoch"
    ),
    Reason.NO_VALIDATION: _no_validation_text,
    Reason.SETTLED: _settled_text,
}


# --- counters ---

_LIMITS = {
    "saturated_weights": _SATURATED_WEIGHTS,
    "saturated_activations": _SATURATED_VALUES,
    "saturated_logits": _SATURATED_VALUES,
}


def _shares(counters: Mapping[str, int], sizes: Sizes) -> dict[str, float]:
    """Each counter as a share of what it counts; 0 where that is not known."""
    samples, steps = counters.get("samples", 0), counters.get("steps", 0)
    of = {
        "saturated_weights": steps * sizes.weights,
        "saturated_activations": samples * sizes.hidden_units,
        "saturated_logits": samples * sizes.outputs,
        "vanished": samples * sizes.rows,
    }
    return {name: counters.get(name, 0) / n if n else 0.0 for name, n in of.items()}


def remarks(
    found: Diagnosis, counters: Mapping[str, int], sizes: Sizes | None = None
) -> tuple[Remark, ...]:
    """What the counters of a run say, in agreement with its diagnosis. Values and scales are
    counted when scales are revised, so without a window there is nothing to say of them."""
    sizes = sizes or Sizes()
    shares = _shares(counters, sizes)

    def remark(name: str, none: str, some: str, *, warns: bool = False, advice: str = "") -> Remark:
        n = counters.get(name, 0)
        text = some.format(times=_times(n), share=shares.get(name, 0.0)) if n else none
        text += f": {advice}" if warns and advice else ""
        return Remark(name, n, shares.get(name, 0.0), warns, text)

    def saturation(name: str, what: str, some: str) -> Remark:
        warns = shares[name] > _LIMITS[name]
        return remark(
            name, f"no {what} saturated", some, warns=warns,
            advice="the learning rate is too high, or the scales of this model are too small",
        )  # fmt: skip

    weights = saturation("saturated_weights", "weight", "weights saturated {times}")
    vanished = remark(
        "vanished",
        "no update was rounded to zero",
        "{share:.2%} of the rows' updates were too small to change a weight",
        warns=shares["vanished"] > _VANISHED_ROWS and found.rate is Rate.RAISE,
        advice="the learning rate is too low",
    )
    if not sizes.window:
        return weights, vanished
    return (
        weights,
        saturation("saturated_activations", "hidden values", "{share:.2%} of the hidden values "
                   "saturated"),
        saturation("saturated_logits", "output values", "{share:.2%} of the output values "
                   "saturated"),
        remark("rescales", "no scale had to be changed", "scales were doubled or halved {times}"),
        vanished,
    )  # fmt: skip


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"
