"""Networks as estimators of scikit-learn, for its pipelines and searches.

    from byteprop.estimators import BytepropClassifier

scikit-learn is needed for these alone: pip install scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.layers import Dense
from byteprop.model import Model
from byteprop.sequential import Sequential

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as missing:
    raise ImportError(
        "byteprop.estimators needs scikit-learn 1.6 or later: pip install -U scikit-learn"
    ) from missing

Array = npt.NDArray[Any]


class _Network(BaseEstimator):  # type: ignore[misc]
    """What both have in common.

    hidden_layer_sizes: units of the hidden layers, as of MLPClassifier. epochs, learning_rate,
    schedule, early_stopping: as of Model.fit. random_state: an integer, the seed. After fit,
    `model_` is the byteprop.Model, which can be saved and run on a board."""

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (32,),
        *,
        epochs: int = 20,
        learning_rate: float | None = None,
        schedule: str = "linear",
        early_stopping: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.random_state = random_state

    def _fit(self, x: Array, y: Array, last: Dense) -> None:
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes, int))
        hidden = [Dense(int(units), "relu") for units in sizes]
        network = Sequential([*hidden, last], input_shape=x.shape[1])
        self.history_ = network.fit(
            x,
            y,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            early_stopping=self.early_stopping,
            validation_split=0.1 if self.early_stopping is not None else 0.0,
            seed=0 if self.random_state is None else int(self.random_state),
        )
        self.model_: Model = network
        self.n_iter_ = len(self.history_.epoch)

    def _outputs(self, x: Any) -> Array:
        check_is_fitted(self, "model_")
        rows = validate_data(self, x, dtype=np.float32, reset=False)
        answers: Array = self.model_.predict(rows)
        return answers


class BytepropClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A classifier of dense layers that is trained in integers. Labels may be of any kind."""

    def fit(self, X: Any, y: Any) -> BytepropClassifier:
        rows, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ArgumentError(f"y: expected at least 2 classes, got {len(self.classes_)} class")
        self._fit(rows, numbers, Dense(len(self.classes_), "softmax"))
        return self

    def predict_proba(self, X: Any) -> Array:
        """[n, classes], in steps of 1/256; each row is scaled to a sum of 1."""
        answers = self._outputs(X).astype(np.float64)
        return np.asarray(answers / answers.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> Array:
        best = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[best])


class BytepropRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A regression by dense layers that is trained in integers; targets are scaled to -1 .. 1."""

    def fit(self, X: Any, y: Any) -> BytepropRegressor:
        rows, targets = validate_data(
            self, X, y, dtype=np.float32, y_numeric=True, multi_output=True
        )
        if np.ndim(targets) == 2 and np.shape(targets)[1] == 1:
            targets = column_or_1d(targets, warn=True)
        columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
        self._is_flat = np.ndim(targets) == 1
        self._middle = (columns.max(axis=0) + columns.min(axis=0)) / 2
        self._reach = np.maximum(np.ptp(columns, axis=0) / 2, np.finfo(np.float32).tiny)
        scaled = (columns - self._middle) / self._reach
        self._fit(rows, scaled.astype(np.float32), Dense(columns.shape[1]))
        return self

    def predict(self, X: Any) -> Array:
        answers = self._outputs(X).reshape(-1, len(self._middle)).astype(np.float64)
        found = answers * self._reach + self._middle
        return np.asarray(found[:, 0] if self._is_flat else found)
