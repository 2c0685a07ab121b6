"""Model.fit: training on this machine, sample by sample in the C library, chunk by chunk from
here."""

from __future__ import annotations

import math
import re
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine import _raw, _raw_train
from byteprop.errors import ArgumentError, ModelError, TrainingError
from byteprop.graph import Graph, Tensor
from byteprop.ops import Dense, Rescale, Reshape
from byteprop.ops.convolution import Convolution
from byteprop.support.arguments import MAX_SEED, integer
from byteprop.support.files import PathLike, check_writable
from byteprop.support.warn import warn
from byteprop.training import checkpoint as checkpoints
from byteprop.training.callbacks import (
    Callback,
    EarlyStopping,
    Lines,
    Position,
    checked,
    early_stopping_of,
)
from byteprop.training.diagnosis import Sizes, Task
from byteprop.training.draws import SPLIT_STREAM, permutation
from byteprop.training.head import begun, check_labels
from byteprop.training.history import History
from byteprop.training.masters import (
    Weighted,
    are_trained,
    by_output,
    first_layer,
    fresh_masters,
    read_masters,
    weighted_layers,
)
from byteprop.training.metrics import answers_of, baseline, loss_sum, loss_unit, quality
from byteprop.training.network import difference
from byteprop.training.normalization import of_units
from byteprop.training.options import TrainOptions
from byteprop.training.samples import Samples, encode, has_classes, n_outputs, scores
from byteprop.training.schedules import (
    Progress,
    Schedule,
    describe,
    rate_of,
    rate_unit,
    schedule_of,
)
from byteprop.training.trainable import check_trainable, first_trained

if TYPE_CHECKING:
    from byteprop.training.target import TrainingTarget

# The default rate for target values; the steps keep that on one sample below what would overshoot.
_RATE_REALS = 0.01
_STEP_CLASSES, _STEP_REALS = 1.0, 0.5
# One layer alone, behind others that are frozen, has features that do not change under it.
_STEP_HEAD, _RATE_HEAD = 5.0, 0.1
# A network that has learned before: its scales stay, and its weights may have no room to grow. The
# outputs of a convolution have many positions, over which what is behind it takes means or maxima.
_RATE_TUNED, _STEP_TUNED, _STEP_TUNED_CONVOLUTION = 0.02, 3.0, 16.0
_RATE_TUNED_REALS = 0.003
_LARGEST_BATCH_COUNTED = 32
_ELEMENTS_AT_ONCE = 1 << 15
_FEATURES_COUNTED = 256
_ROUNDINGS = ("stochastic", "nearest")
_FIRST_CHUNK = 1
_CACHED_ROWS = 256
_CHUNK_SECONDS = 0.1


@dataclass(frozen=True)
class Settings:
    """What a training was asked for, in integers: it alone decides, with the data, on the bits."""

    epochs: int
    rate_q24: int  # in 2^-24, or finer by config.rate_shift
    schedule: Schedule
    shuffle: bool
    config: _raw_train.Config

    def rate(self, in_units: int) -> float:
        """A rate as a number."""
        return in_units / rate_unit(self.config.rate_shift)

    def describe(self, samples: Samples) -> dict[str, checkpoints.Setting]:
        """As a checkpoint keeps it."""
        return {
            "epochs": self.epochs,
            "rate_q24": self.rate_q24,
            "schedule": describe(self.schedule),
            "shuffle": self.shuffle,
            "config": self.config.pack().hex(),
            "samples": len(samples),
            "x_crc32": zlib.crc32(samples.x.data),
            "y_crc32": zlib.crc32(samples.y.data),
        }

    def order(self, epoch: int, n: int) -> npt.NDArray[np.uint32]:
        """The samples of an epoch, in the order in which they are trained on."""
        if not self.shuffle:
            return np.arange(n, dtype=np.uint32)
        return permutation(n, self.config.seed, epoch)

    def rates(self, epoch: int, first: int, n: int, samples: int) -> npt.NDArray[np.uint32]:
        """Learning rates of n samples of an epoch, in the unit of rate_q24."""
        total = self.epochs * samples
        progress = Progress(epoch * samples + first, n, total, samples)
        rates = np.ascontiguousarray(self.schedule.rates(self.rate_q24, progress))
        if rates.dtype != np.uint32 or rates.shape != (n,):
            raise ArgumentError(
                f"schedule: expected rates uint32 ({n},), got {rates.dtype} {rates.shape}"
            )
        return rates


def settings_of(model: TrainingTarget, samples: Samples, options: TrainOptions) -> Settings:
    """The options, checked and in integers. ArgumentError names the one that is wrong."""
    if options.rounding not in _ROUNDINGS:
        names = " or ".join(_ROUNDINGS)
        raise ArgumentError(f"rounding: expected {names}, got {options.rounding!r}")
    window = model.default_window if options.window is None else options.window
    frozen, convs = masks_of(model, options)
    config = _raw_train.Config(
        seed=integer("seed", options.seed, 0, MAX_SEED),
        frozen=frozen,
        convs=convs,
        batch=integer("batch_size", options.batch_size, 1, 65535),
        window=integer("window", window, 0, 65535),
        nearest=options.rounding == "nearest",
        residual=bool(options.residual),
        momentum_shift=_momentum_shift(options.momentum),
        autoencoder=options.autoencoder,
    )
    check_trainable(model.graph, model.opened, config)
    given = options.learning_rate
    rate, shift = rate_of(default_rate(model, samples, config) if given is None else given)
    config = replace(config, rate_shift=shift)
    return Settings(
        epochs=integer("epochs", options.epochs, 1, 1 << 20),
        rate_q24=rate,
        schedule=schedule_of(options.schedule),
        shuffle=bool(options.shuffle),
        config=config,
    )


def default_rate(model: TrainingTarget, samples: Samples, config: _raw_train.Config) -> float:
    """For classes it grows with the batch up to one of 32; momentum, which adds up steps, divides
    it."""
    if has_classes(model.graph):
        rate = _rate_of_classes(model, samples, config) * min(config.batch, _LARGEST_BATCH_COUNTED)
    else:
        rate = _rate_of_reals(model, samples, config)
    return rate / (1 << config.momentum_shift)


def _rate_of_classes(model: TrainingTarget, samples: Samples, config: _raw_train.Config) -> float:
    """A fixed rate, or less where features are so large that a step would overshoot, by their mean
    square in a sample. Features are what the first layer that is trained reads; a convolution, one
    window of it. A single layer behind frozen ones takes larger steps. A network that has learned
    before takes no larger ones than its last layer alone would, and larger ones than a network that
    begins with random weights, whose features are still to be found."""
    tensor, x = _learned_from(model, samples, config)
    mean = max(_mean_square(tensor, x) * _share_of_window(model, config), 1e-9)
    if _layers_behind(model, config) == 1 and x is not samples.x:
        return min(_RATE_HEAD if model.is_new else _RATE_TUNED, _STEP_HEAD / mean)
    if model.is_new:
        return min(model.class_rate, _STEP_CLASSES / mean)
    is_convolution = isinstance(model.graph.ops[first_trained(model.graph, config)], Convolution)
    step = _STEP_TUNED_CONVOLUTION if is_convolution else _STEP_TUNED
    head = max(_mean_square(*_last_features(model, samples)), 1e-9)
    return min(_RATE_TUNED, _STEP_HEAD / head, step / mean)


def _rate_of_reals(model: TrainingTarget, samples: Samples, config: _raw_train.Config) -> float:
    """A fixed rate, or less by the largest square of features. A single layer takes steps that are
    larger by the number of its outputs, because the loss is their mean. In a network that has
    learned before, a first large error in common kills the units of its hidden layers, the sooner
    the more of them there are."""
    tensor, x = _learned_from(model, samples, config)
    squares = _sums_of_squares(x.view(tensor.dtype.numpy), tensor.zero_point)
    scale = float(tensor.scale) ** 2 * _share_of_window(model, config)
    below = _layers_behind(model, config) - 1
    most = _RATE_REALS if model.is_new or not below else _RATE_TUNED_REALS / below
    rate = min(most, _STEP_REALS / (1 + int(squares.max()) * scale))
    return rate * (1 if below else n_outputs(model.graph))


def _layers_behind(model: TrainingTarget, config: _raw_train.Config) -> int:
    """Layers with weights from the first one on that is trained."""
    return len(weighted_layers(model.graph)) - first_layer(model.graph, config)


def _mean_square(tensor: Tensor, x: npt.NDArray[np.uint8]) -> float:
    """Of the values of a sample together."""
    squares = _sums_of_squares(x.view(tensor.dtype.numpy), tensor.zero_point)
    return int(squares.sum()) * float(tensor.scale) ** 2 / len(squares)


def _share_of_window(model: TrainingTarget, config: _raw_train.Config) -> float:
    """The part of an image that one output sees of the first layer that is trained."""
    op = model.graph.ops[first_trained(model.graph, config)]
    if not isinstance(op, Convolution):
        return 1.0
    return op.weights.size / len(op.bias) / model.graph.tensors[op.input].elems


def _last_features(model: TrainingTarget, samples: Samples) -> tuple[Tensor, npt.NDArray[np.uint8]]:
    """What the last layer with weights reads, of the first samples."""
    graph = model.graph
    last = max(i for i, op in enumerate(graph.ops) if isinstance(op, Weighted))
    x = model.opened.run_until(last, samples.x[:_FEATURES_COUNTED])
    return graph.tensors[graph.ops[last].input], x


def _learned_from(
    model: TrainingTarget, samples: Samples, config: _raw_train.Config
) -> tuple[Tensor, npt.NDArray[np.uint8]]:
    """What the first layer that is trained reads, of the first samples; the samples themselves
    where the frozen part has no weights."""
    graph = model.graph
    first = first_trained(graph, config)
    if all(isinstance(op, (Rescale, Reshape)) for op in graph.ops[:first]):
        return graph.tensors[graph.inputs[0]], samples.x
    x = model.opened.run_until(first, samples.x[:_FEATURES_COUNTED])
    return graph.tensors[graph.ops[first].input], x


def _sums_of_squares(x: npt.NDArray[Any], zero_point: int) -> npt.NDArray[np.int64]:
    """Of each row of 8-bit integers, less the zero point. In pieces that the cache holds, and
    exact in float64."""
    sums = np.empty(len(x), np.int64)
    rows = max(1, _ELEMENTS_AT_ONCE // x.shape[1])
    for i in range(0, len(x), rows):
        values = x[i : i + rows].astype(np.float64)
        values -= zero_point
        sums[i : i + rows] = np.einsum("ij,ij->i", values, values)
    return sums


def masks_of(model: TrainingTarget, options: TrainOptions) -> tuple[int, int]:
    """`frozen` and `convs` of a configuration. Layers are named by index in model.layers, or by
    name. Convolutions are trained where they are named, or where the network was made to be."""
    order = [i for i, op in enumerate(model.graph.ops) if isinstance(op, Weighted)]
    if options.trained_layers is None:
        left_out = _chosen(model, order, "freeze", options.frozen_layers)
        trained = {
            i for i in order
            if isinstance(model.graph.ops[i], Dense) or model.trains_convolutions
        } - left_out  # fmt: skip
        if not trained:
            raise ArgumentError("freeze: all layers are frozen, nothing is left to train")
    else:
        if options.frozen_layers:
            raise ArgumentError("train, freeze: expected one of the two, got both")
        trained = _chosen(model, order, "train", options.trained_layers)
        if not trained:
            raise ArgumentError("train: expected at least one layer, got none")
    dense = [i for i in order if isinstance(model.graph.ops[i], Dense)]
    convs = [i for i in order if i not in dense]
    frozen = sum(1 << n for n, i in enumerate(dense) if i not in trained)
    chosen = [i for i in convs if i in trained]
    if chosen != convs[len(convs) - len(chosen) :]:
        raise ArgumentError(
            "train, freeze: expected of convolutions the last ones to be trained, all of them "
            f"behind {model.layers[chosen[0]].name!r}"
        )
    if len(chosen) > _raw_train.MAX_LAYERS:
        raise ArgumentError(f"train: expected {_raw_train.MAX_LAYERS} convolutions at most")
    return frozen, len(chosen)


def _chosen(
    model: TrainingTarget, order: list[int], word: str, chosen: Sequence[int | str]
) -> set[int]:
    """Indices of layers with weights."""
    names = {model.layers[i].name: i for i in order}
    found: set[int] = set()
    for item in chosen:
        if word == "train" and isinstance(item, str) and re.fullmatch(r"last(:[0-9]{1,2})?", item):
            found |= _last_layers(order, item)
            continue
        index = names.get(item, -1) if isinstance(item, str) else item
        if index not in order:
            known = ", ".join(f"{i} {model.layers[i].name!r}" for i in order)
            raise ArgumentError(f"{word}: expected layers with weights ({known}), got {item!r}")
        found.add(index)
    return found


def _last_layers(order: list[int], words: str) -> set[int]:
    """The layers of "last" or "last:2"."""
    n = int(words.partition(":")[2] or 1)
    if not 1 <= n <= len(order):
        raise ArgumentError(f"train: expected last:1 .. last:{len(order)}, got {words}")
    return set(order[-n:])


def _momentum_shift(momentum: float) -> int:
    if momentum == 0:
        return 0
    is_share = isinstance(momentum, (float, np.floating)) and 0 < momentum < 1
    shift = -math.log2(1 - momentum) if is_share else 0.0
    if shift != int(shift) or not 1 <= shift <= 15:
        raise ArgumentError(
            f"momentum: expected 1 - 2^-k, as 0, 0.5, 0.75, 0.875 or 0.9375, got {momentum}"
        )
    return int(shift)


# -------------------------------------------------------------------------------------------- data


def split_indices(
    n: int, fraction: float, *, seed: int, shuffle: bool
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Which of n samples are for training and for validation, in the order in which they were
    given. Drawn by seed; without shuffle the last ones are for validation."""
    if not isinstance(fraction, (int, float, np.number)) or not 0 <= fraction < 1:
        raise ArgumentError(f"validation_split: expected 0 <= split < 1, got {fraction!r}")
    order = np.arange(n, dtype=np.uint32)
    if fraction == 0:
        return order, order[:0]
    held = math.floor(n * fraction + 0.5)
    if not 1 <= held < n:
        raise ArgumentError(f"validation_split: {fraction} of {n} samples leaves one part empty")
    if shuffle:
        order = permutation(n, seed, 0, SPLIT_STREAM)
    return np.sort(order[: n - held]), np.sort(order[n - held :])


# --------------------------------------------------------------------------------------------- fit


class StepTrainer(Protocol):
    """Makes the steps of a run: `_raw_train.Trainer`, alone or in lockstep with a board."""

    @property
    def image(self) -> bytes: ...
    @property
    def state(self) -> bytes: ...
    @property
    def counters(self) -> _raw_train.Counters: ...
    def run(
        self,
        x: npt.NDArray[np.uint8],
        y: npt.NDArray[Any],
        *,
        order: npt.NDArray[np.uint32] | None = None,
        lr_q24: npt.NDArray[np.uint32] | None = None,
    ) -> npt.NDArray[Any]: ...
    def flush(self) -> None: ...


T = TypeVar("T", bound=StepTrainer)


class StopRequested(Exception):
    """should_stop said so. The run can be stored in a checkpoint, and resumed."""


class Run(Generic[T]):
    """One training, from its first sample to its last.

    resume: a checkpoint to continue from. ArgumentError when it is of another network, other data
    or other settings; ModelError when the file is damaged. make_trainer: what makes the steps, from
    the trainer of this computer. should_stop: asked several times per second; True ends the run
    with StopRequested.
    """

    def __init__(
        self,
        model: TrainingTarget,
        settings: Settings,
        samples: Samples,
        held: Samples | None,
        *,
        resume: PathLike | None,
        make_trainer: Callable[[_raw_train.Trainer], T],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.model = model
        self.settings = settings
        self.samples = samples
        self.held = held
        self.epoch = 0
        self.sample = 0
        self.callbacks: list[Callback] = []
        self._should_stop = should_stop
        self._adopted: _raw_train.Counters | None = None  # when the model was last updated
        self._graph = model.graph
        self._loss = 0
        self._correct = 0
        self._unit = loss_unit(model)
        self._classes = has_classes(model.graph)
        self._chunk = _FIRST_CHUNK
        self.history = History(
            task=_task(model.graph, samples, held), sizes=_sizes(model.graph, settings.config)
        )
        host = begun(model, settings.config) if resume is None else self._resumed(resume)
        self.trainer = make_trainer(host)

    # Checkpoints.

    def checkpoint(self) -> checkpoints.Checkpoint:
        """All that is needed to resume from here."""
        return checkpoints.Checkpoint(
            settings=self.settings.describe(self.samples),
            epoch=self.epoch,
            sample=self.sample,
            loss=self._loss,
            correct=self._correct,
            seconds=self.history.seconds,
            history=self.history.history,
            image=self.trainer.image,
            state=self.trainer.state,
        )

    def _resumed(self, path: PathLike) -> _raw_train.Trainer:
        found = checkpoints.load(path)
        try:
            graph = image.decode(found.image)
        except ModelError as error:
            raise ModelError(f"{path}: image: {error}") from None
        self._check_same_training(path, found, graph)
        try:
            trainer = _raw_train.Trainer(found.image, self.settings.config, state=found.state)
        except (ArgumentError, TrainingError) as error:
            raise ModelError(f"{path}: state: {error}") from None
        self.epoch, self.sample = found.epoch, found.sample
        self._loss, self._correct = found.loss, found.correct
        self.history.history = dict(found.history)
        self.history.seconds = found.seconds
        return trainer

    def _check_same_training(
        self, path: PathLike, found: checkpoints.Checkpoint, graph: Graph
    ) -> None:
        moves = self.settings.config.window > 0
        network = difference(graph, self.model.graph, scales_move=moves)
        if network:
            raise ArgumentError(f"resume: {path} is of another network: {network}")
        expected = self.settings.describe(self.samples)
        different = [name for name in expected if found.settings.get(name) != expected[name]]
        if different:
            name = different[0]
            raise ArgumentError(
                f"resume: {path} is of another training: {', '.join(different)} differ "
                f"({name}: {found.settings.get(name)} there, {expected[name]} here)"
            )
        figures = self._figures if found.epoch else []
        if list(found.history) != figures:
            raise ArgumentError(
                f"resume: {path} is of another training: its epochs have the figures "
                f"{', '.join(found.history) or 'none'}, here they have {', '.join(figures)}"
            )
        n = len(self.samples)
        if found.epoch > self.settings.epochs or found.sample > n or found.correct > found.sample:
            raise ModelError(
                f"{path}: epoch, sample, correct: expected at most {self.settings.epochs} epochs "
                f"of {n} samples, got {found.epoch}, {found.sample}, {found.correct}"
            )

    @property
    def _figures(self) -> list[str]:
        """Names of the figures of an epoch, in order."""
        measures = ["loss", "accuracy" if self._classes else "rmse"]
        training = measures if self._classes else measures[:1]
        validation = [] if self.held is None else [f"val_{name}" for name in measures]
        return [*training, *validation, "learning_rate"]

    # Training.

    def check(self) -> None:
        """Asks the schedule and the callbacks what would end the training later. ArgumentError."""
        self.settings.rates(0, 0, 1, len(self.samples))
        for callback in self.callbacks:
            if isinstance(callback, EarlyStopping):
                callback.check(self._figures)

    def run(self, path: PathLike | None, every: int | None) -> History:
        """Trains to the end, or until a callback stops. The model is brought up to date whatever
        happens, also by an interrupt from the keyboard; unless no sample was trained."""
        before = self.trainer.counters.samples
        try:
            for callback in self.callbacks:
                callback.on_train_begin()
                if isinstance(callback, EarlyStopping):
                    callback.recall(self.history.history)
            while self.epoch < self.settings.epochs and not self.model.stop_training:
                self._train_epoch(path, every)
        finally:
            if self.trainer.counters.samples > before or self.epoch == self.settings.epochs:
                self.adopt()
        self.history.stopped_early = self.epoch < self.settings.epochs
        for callback in self.callbacks:
            callback.on_train_end()
        return self.history

    def _train_epoch(self, path: PathLike | None, every: int | None) -> None:
        if self.sample == 0:
            for callback in self.callbacks:
                callback.on_epoch_begin(self.epoch)
        order = self.settings.order(self.epoch, len(self.samples))
        while self.sample < len(order):
            n = min(self._chunk, len(order) - self.sample)
            if every is not None:
                n = min(n, every - self.sample % every)
            self._train(order[self.sample : self.sample + n])
            due = every is not None and self.sample % every == 0 and self.sample < len(order)
            if path is not None and due:
                checkpoints.save(path, self.checkpoint())
            self._stop_if_asked()
        self.trainer.flush()
        self._end_epoch()
        if path is not None:
            checkpoints.save(path, self.checkpoint())

    def _train(self, order: npt.NDArray[np.uint32]) -> None:
        n = len(order)
        begin = time.perf_counter()
        results = self.trainer.run(
            self.samples.x,
            self.samples.y,
            order=order,
            lr_q24=self.settings.rates(self.epoch, self.sample, n, len(self.samples)),
        )
        seconds = time.perf_counter() - begin
        self._loss += loss_sum(results)
        self._correct += int(results["correct"].sum())
        self.sample += n
        self.history.seconds += seconds
        self._resize_chunks(seconds)
        if self.callbacks:
            self._tell_progress()

    def _resize_chunks(self, seconds: float) -> None:
        """How many samples a chunk has changes no bit; it decides how often callbacks are called
        and the run can stop."""
        if seconds < _CHUNK_SECONDS:
            self._chunk = min(2 * self._chunk, 1 << 16)
        elif seconds > 4 * _CHUNK_SECONDS:
            self._chunk = max(self._chunk // 2, 1)

    def _stop_if_asked(self) -> None:
        if self._should_stop():
            raise StopRequested

    def _tell_progress(self) -> None:
        position = Position(
            self.epoch, self.settings.epochs, self.sample, len(self.samples), self.history.seconds
        )
        logs = self._logs()
        for callback in self.callbacks:
            callback.on_progress(position, logs)

    def _logs(self) -> dict[str, float]:
        logs = {"loss": self._loss * self._unit / self.sample}
        if self._classes:
            logs["accuracy"] = self._correct / self.sample
        return logs

    def _end_epoch(self) -> None:
        logs = self._logs()
        if self.callbacks or self.held is not None:
            self.adopt()
        if self.held is not None:
            logs |= self._validate(self.held)
        last = self.settings.rates(self.epoch, self.sample - 1, 1, len(self.samples))
        logs["learning_rate"] = self.settings.rate(int(last[0]))
        was_diverged = self.history.diverged
        self.history.append(logs)
        self.history.counters = vars(self.trainer.counters)
        self.epoch, self.sample = self.epoch + 1, 0
        self._loss = self._correct = 0
        if self.history.diverged and not was_diverged:
            warn(self.history.verdict)
        for callback in self.callbacks:
            callback.on_epoch_end(self.epoch - 1, logs)

    def _validate(self, held: Samples) -> dict[str, float]:
        """The loss as in training; accuracy and rmse of what inference answers."""
        loss = at = 0
        while at < len(held):
            end = at + self._chunk
            begin = time.perf_counter()
            loss += loss_sum(self.trainer.run(held.x[at:end], held.y[at:end]))
            self._resize_chunks(time.perf_counter() - begin)
            self._stop_if_asked()
            at = end
        logs = {"val_loss": loss * self._unit / len(held)}
        found = quality(self.model.reals_of_bytes(held.x), answers_of(self.model.graph, held))
        return logs | {f"val_{name}": value for name, value in found.items()}

    def adopt(self) -> None:
        """The model becomes what training has made of it so far."""
        counters = self.trainer.counters
        if self._adopted == counters and self.model.graph is self._graph:
            return
        trained = self.trainer.image
        opened = _raw.Engine(trained)
        self._adopted, self._graph = counters, image.decode(opened)
        masters = read_masters(
            self._graph, self.settings.config, self.trainer.state, self.model.masters
        )
        self.model.adopt(self._graph, trained, masters, opened=opened)
        self.history.counters = vars(counters)


def _task(graph: Graph, samples: Samples, held: Samples | None) -> Task:
    classes = has_classes(graph)
    return Task(
        n_train=len(samples),
        n_validation=0 if held is None else len(held),
        baseline=baseline(graph, samples),
        chance=math.log(n_outputs(graph)) if classes else None,
        limit=_divergence_limit(graph),
        step=0.0 if classes else float(graph.tensors[graph.outputs[0]].scale),
    )


def _divergence_limit(graph: Graph) -> float:
    """Half as much again as guessing has; errors as large as the whole range of the output."""
    if has_classes(graph):
        return 1.5 * math.log(max(2, n_outputs(graph)))
    return (128 * float(scores(graph).scale)) ** 2


def _sizes(graph: Graph, config: _raw_train.Config) -> Sizes:
    layers = weighted_layers(graph)
    trained = [op for op, is_on in zip(layers, are_trained(graph, config), strict=True) if is_on]
    behind = layers[first_layer(graph, config) :]
    return Sizes(
        hidden_units=sum(graph.tensors[op.output].elems for op in behind[:-1]),
        outputs=len(behind[-1].bias),
        rows=sum(len(op.bias) for op in trained),
        weights=sum(op.weights.size for op in trained),
        window=config.window,
    )


def fit(
    model: TrainingTarget,
    x: Any,
    y: Any,
    options: TrainOptions,
    *,
    checkpoint_path: PathLike | None,
    checkpoint_every: int | None,
    **arguments: Any,
) -> History:
    """Model.fit; see there. A call that is refused leaves the model as it was."""
    before = dict(vars(model))
    try:
        run = _prepared(model, x, y, options, **arguments)
        if checkpoint_every is not None:
            integer("checkpoint_every", checkpoint_every, 1, 1 << 31)
        if checkpoint_path is not None:
            _check_checkpoint(checkpoint_path)
    except BaseException:
        model.__dict__ = before
        raise
    for callback in run.callbacks:
        callback.model = model
    model.stop_training = False
    model.run_in_progress = run
    return run.run(checkpoint_path, checkpoint_every)


def _prepared(
    model: TrainingTarget,
    x: Any,
    y: Any,
    options: TrainOptions,
    *,
    validation_data: tuple[Any, Any] | None,
    validation_split: float,
    callbacks: Sequence[Callback] | Callback | None,
    early_stopping: int | EarlyStopping | None,
    verbose: bool,
    resume: PathLike | None,
) -> Run[_raw_train.Trainer]:
    """The run of these arguments, all of them checked."""
    seed = integer("seed", options.seed, 0, MAX_SEED)
    if not model.runs_here:
        raise TrainingError("fit: this model runs on a board; train a separate copy of it here")
    x = np.asarray(x)
    options = replace(options, autoencoder=y is None)
    y = y if y is None else np.asarray(y)
    n = len(x) if x.ndim else 0
    training, validation = split_indices(n, validation_split, seed=seed, shuffle=options.shuffle)
    # What is measured on samples is measured on those that are trained on.
    cut = validation.size and (y is None or y.shape[:1] == (n,))
    measured = (x[training], y if y is None else y[training]) if cut else (x, y)
    model.before_fit(*measured, seed)
    check_trainable(model.graph, model.opened, _raw_train.Config(seed=0))
    samples = encode(model, x, y)
    if has_classes(model.graph):
        check_labels(model.graph, samples.y)
    held = None
    if validation_data is not None:
        if validation_split:
            raise ArgumentError("validation_split: expected no validation_data with it")
        held = encode(model, *_pair(validation_data), names=("validation x", "validation y"))
    elif validation.size:
        samples, held = samples.take(training), samples.take(validation)
    settings = settings_of(model, samples, options)
    run = Run(model, settings, samples, held, resume=resume, make_trainer=lambda host: host)
    run.callbacks = checked(callbacks)
    if early_stopping is not None:
        run.callbacks.append(early_stopping_of(early_stopping, held is not None))
    if verbose:
        run.callbacks.append(Lines())
    run.check()
    return run


def _check_checkpoint(path: PathLike) -> None:
    try:
        check_writable(path)
    except OSError as error:
        raise ArgumentError(f"checkpoint: {error.filename!r} {error.strerror}") from None


def _pair(given: Any) -> tuple[Any, Any]:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ArgumentError(f"validation_data: expected (x, y), got {type(given).__name__}")
    return given[0], given[1]


def weights_of(
    model: TrainingTarget,
) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Real weights and biases [n_out] of every layer with weights, at the resolution that training
    keeps. Weights of a dense layer are [n_in, n_out]; of a convolution [height, width, n_in,
    n_out], of a depthwise one [height, width, n_out]."""
    masters = fresh_masters(model.graph) if model.masters is None else model.masters
    found = []
    for op, layer in zip(weighted_layers(model.graph), masters, strict=True):
        w_scale = op.weight_scales.astype(np.float64)
        x_scale = float(model.graph.tensors[op.input].scale)
        wide = 256 * op.weights.astype(np.int64) + layer.residual
        weights = by_output(op, wide) * (w_scale / 256)
        found.append((np.ascontiguousarray(weights), layer.bias * (w_scale * x_scale / 256)))
    constants = model.graph.tensors[model.graph.inputs[0]].normalization
    if found and constants is not None and isinstance(weighted_layers(model.graph)[0], Dense):
        found[0] = of_units(constants, *found[0])
    return found
