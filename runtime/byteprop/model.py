"""A model as its users have it: load it, run it, train it, save it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine._raw import Engine
from byteprop.errors import ArgumentError, ModelError
from byteprop.image.rows import with_rows
from byteprop.importer import formats, load_tflite
from byteprop.inference import class_names
from byteprop.inference.base_model import PathLike
from byteprop.training import checkpoint as checkpoints
from byteprop.training import head as heads
from byteprop.training import metrics
from byteprop.training.callbacks import Callback, EarlyStopping
from byteprop.training.fit import fit, weights_of
from byteprop.training.history import History
from byteprop.training.options import TrainOptions
from byteprop.training.schedules import Schedule
from byteprop.training.target import TrainingTarget


class Model(TrainingTarget):
    """A loaded model. Calls from several threads at once are allowed."""

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int = 1,
        learning_rate: float | None = None,
        schedule: str | Schedule = "linear",
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.0,
        seed: int = 0,
        shuffle: bool = True,
        callbacks: Sequence[Callback] | Callback | None = (),
        early_stopping: int | EarlyStopping | None = None,
        train: Sequence[int | str] | int | str | None = None,
        freeze: Sequence[int | str] | int | str | None = (),
        rounding: str = "stochastic",
        residual: bool = True,
        momentum: float = 0.0,
        window: int | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
        resume: PathLike | None = None,
        verbose: bool = False,
    ) -> History:
        """Trains the network in integers; the model becomes the trained one. The same data and
        arguments give the same bits on every machine.

        x: real numbers as predict takes them. y: labels for a network that ends in a softmax
        (integers, whole floats, booleans, one-hot rows, or words, which get numbers in sorted
        order), else target values; None for an autoencoder, whose targets are its inputs (after
        normalization). learning_rate: of the first sample, see `schedule` for what
        follows ("linear", "constant", "cosine", "step", or an object with rates()); by default
        0.005 for classes (0.02 in a Sequential that normalises its inputs or has convolutions, and
        for models from files), times the batch up to 32, and 0.01 for target values; less where
        features are large. A call that is refused changes nothing.
        validation_split: a share of the samples, drawn by seed, that is held out. train: the dense
        layers that learn, by index in `layers` or by name, "last", or "last:2" for the last two;
        by default all. All that is before the first of them stays as it is, of whatever ops it is,
        and takes no memory of training. freeze: instead of train, the dense layers that do not
        learn. rounding: "stochastic" or
        "nearest". residual: False trains the int8 weights alone, as the smallest boards do.
        momentum: 1 - 2^-k. window: updates between revisions of the scales; 0 keeps them, as is
        done with models from files. early_stopping: epochs without progress, or an EarlyStopping.

        checkpoint: a file that is renewed at the end of every epoch, and every checkpoint_every
        samples. resume: such a file; with the same data and arguments the training goes on from
        there to the same bits.

        Calls of run and predict from other threads see the model of the last finished epoch or of
        before; two trainings of one model at a time are not for threads.
        """
        options = TrainOptions(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, schedule=schedule,
            seed=seed, shuffle=shuffle, train=train, freeze=freeze, rounding=rounding,
            residual=residual, momentum=momentum, window=window,
        )  # fmt: skip
        return fit(
            self, x, y, options,
            validation_data=validation_data, validation_split=validation_split,
            callbacks=callbacks, early_stopping=early_stopping, checkpoint_path=checkpoint,
            checkpoint_every=checkpoint_every, resume=resume, verbose=verbose,
        )  # fmt: skip

    def evaluate(self, x: Any, y: Any) -> dict[str, float]:
        """loss and accuracy for labels, loss and rmse for target values, of what inference
        answers."""
        return metrics.evaluate(self, x, y)

    def confusion_matrix(self, x: Any, y: Any) -> npt.NDArray[np.int64]:
        """How often each label got each answer: counts[label, answer]."""
        return metrics.confusion_matrix(self, x, y)

    def get_weights(self) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """Real weights and biases [n_out] of dense layers and convolutions. Weights are [n_in,
        n_out], of a convolution [height, width, n_in, n_out], of a depthwise one [height, width,
        n_out]. After training at the 16 bits that it keeps, else those of the int8 weights. Those
        of a dense first layer are for inputs in the user's units, also where the model normalises
        them."""
        return weights_of(self)

    def set_weights(self, weights: Sequence[tuple[Any, Any]]) -> None:
        """Replaces weights and biases, given as get_weights returns them. They are rounded to the
        16 bits that training keeps, at the layers' scales; a warning counts those that are too
        large for their scale and saturate."""
        self._check_runs_here("set_weights")
        heads.set_weights(self, weights)

    @property
    def classes(self) -> list[int]:
        """The classes in use: rows of the last layer. The others are in reserve, see
        with_capacity."""
        return heads.classes_in_use(self.graph)

    def with_capacity(self, classes: int) -> Model:
        """A copy that has room for so many classes. Rows in reserve have the least logit, so they
        never win. For a board, which cannot make room by itself."""
        self._check_runs_here("with_capacity")
        graph = heads.with_capacity(self.graph, classes)
        grown = Model(graph)
        more = heads.rows(graph) - heads.rows(self.graph)
        grown.masters = heads.grown_masters(self.masters, more)
        grown.class_names = dict(self.class_names)
        return grown

    def add_class(
        self,
        samples: Any,
        name: str | None = None,
        *,
        known: tuple[Any, Any] | None = None,
        rehearsals: int | None = None,
        learning_rate: float = heads.RATE,
        seed: int = 0,
    ) -> int:
        """Teaches one more class from a few samples, as predict takes them; returns its label: the
        first row in reserve, or one more row where there is none. All before the last layer stays
        as it is.

        The row of the class is made from the mean of its features, without training. known: (x, y)
        with samples of the classes in use, of which 20 per class are taken. With them the row
        becomes better, as it points away from their mean, and then the last layer learns from
        samples of all classes, all classes alike often: `rehearsals` of them (20 per sample by
        default; 0 with known=None, because training on a new class alone forgets the others), at
        learning_rate, falling to 0. name: for remove_class, and in class_names."""
        self._check_runs_here("add_class")
        if name is not None and name in self.class_names.values():
            raise ArgumentError(f"name: there is a class {name!r} already")
        before = dict(vars(self))
        try:
            plan = heads.plan_class(self, samples, known, rehearsals, learning_rate, seed)
            heads.learn_class(self, plan, heads.begun(self, plan.config))
        except BaseException:
            self.__dict__ = before
            raise
        if name is not None:
            self.class_names = {**self.class_names, plan.label: name}
        return plan.label

    def remove_class(self, which: int | str) -> None:
        """Takes a class out of use, by its label or the name that it was given. The labels of the
        others stay, and the row is in reserve again."""
        self._check_runs_here("remove_class")
        label = self._label_of(which)
        heads.remove_class(self, label)
        self.class_names = {j: name for j, name in self.class_names.items() if j != label}

    def _label_of(self, which: int | str) -> int:
        if not isinstance(which, str):
            return which
        found = [label for label, name in self.class_names.items() if name == which]
        if not found:
            raise ArgumentError(f"which: there is no class {which!r}")
        return found[0]

    def _check_runs_here(self, call: str) -> None:
        if not self.runs_here:
            raise ArgumentError(f"{call}: this model runs on a board; change a copy of it here")

    def with_rows(self) -> Model:
        """A copy that is fed row by row: its first layers, of convolutions and pools, work while
        the rows of the image come, so the image is never in RAM as a whole. The answers stay the
        same. ModelError says what is in the way, if the first layer does not work so."""
        self._check_runs_here("with_rows")
        return Model(with_rows(self.graph))

    def save_checkpoint(self, path: PathLike) -> None:
        """The training in progress, or the last one, as a file for fit(resume=...)."""
        if self.run_in_progress is None:
            raise ArgumentError("save_checkpoint: this model has not been trained")
        checkpoints.save(path, self.run_in_progress.checkpoint())


def load(
    source: PathLike | bytes | bytearray | memoryview,
    *,
    keep_dead_channels: bool = False,
    rows: bool = False,
) -> Model:
    """A model from a file or from its bytes: .tflite, or byteprop's own .bpm; the content decides
    which. ModelError for anything that is not a model byteprop can run; for a file of another kind
    it says what the file is and how to come from it to a model.

    Channels of a .tflite file that are constant, or that no op reads, are left out, which changes
    no output; keep_dead_channels keeps them. rows: as Model.with_rows."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, origin = bytes(source), "the given bytes"
    elif isinstance(source, (str, os.PathLike)):
        data = formats.read_model(Path(source), formats.TFLITE, formats.IMAGE)
        origin = str(source)
    else:
        raise ArgumentError(f"source: expected a path or bytes, got {type(source).__name__}")
    try:
        model = _load_bytes(data, keep_dead_channels)
        return model.with_rows() if rows else model
    except ModelError as error:
        raise type(error)(f"{origin}: {error}") from error


def _load_alone(data: bytes, is_image: bool, keep_dead_channels: bool) -> Model:
    if not is_image:
        return Model(load_tflite(data, keep_dead_channels=keep_dead_channels))
    opened = Engine(data)
    return Model(image.decode(opened), data, engine=opened)


def _load_bytes(data: bytes, keep_dead_channels: bool) -> Model:
    kind = formats.model_kind(data)
    if kind in (formats.IMAGE, formats.TFLITE):
        alone, names = class_names.detach(data)
        model = _load_alone(alone, kind == formats.IMAGE, keep_dead_channels)
        n = model.graph.tensors[model.graph.outputs[0]].elems
        model.class_names = class_names.named(names, n)
        return model
    raise ModelError(formats.not_a_model(data[: formats.HEAD_BYTES], len(data)))
