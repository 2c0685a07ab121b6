"""The estimators of scikit-learn: its own checks, pipelines, searches, frames of pandas."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import byteprop
from byteprop.estimators import BytepropClassifier, BytepropRegressor


@parametrize_with_checks([BytepropClassifier(epochs=10), BytepropRegressor(epochs=10)])
def test_checks_of_sklearn(estimator: Any, check: Any) -> None:
    check(estimator)


def test_digits_in_a_pipeline_and_a_search() -> None:
    x, y = load_digits(return_X_y=True)
    x, unseen, y, answers = train_test_split(x, y, random_state=1, stratify=y)
    pipeline = make_pipeline(StandardScaler(), BytepropClassifier(epochs=10, random_state=1))
    search = GridSearchCV(pipeline, {"bytepropclassifier__hidden_layer_sizes": [(8,), (32,)]}, cv=2)
    search.fit(x, y)
    assert search.best_params_ == {"bytepropclassifier__hidden_layer_sizes": (32,)}
    assert search.score(unseen, answers) > 0.93


def test_words_are_classes_and_probabilities_sum_to_one() -> None:
    x, y = load_digits(return_X_y=True)
    words = np.array(["even", "odd"])[y % 2]
    classifier = BytepropClassifier(epochs=10).fit(x, words)
    assert classifier.classes_.tolist() == ["even", "odd"]
    assert set(classifier.predict(x)) == {"even", "odd"}
    assert np.allclose(classifier.predict_proba(x).sum(axis=1), 1.0)
    assert classifier.score(x, words) > 0.9


def test_a_regression_of_several_targets_keeps_their_scale() -> None:
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, 1000 * y], axis=1)
    found = BytepropRegressor((16,), epochs=60).fit(x, both).predict(x)
    assert found.shape == both.shape
    error = np.sqrt(((found - both) ** 2).mean(axis=0)) / both.std(axis=0)
    assert (error < 0.9).all()


def test_frames_of_pandas_are_inputs() -> None:
    pandas = pytest.importorskip("pandas")
    x, y = load_digits(return_X_y=True)
    frame = pandas.DataFrame(x)
    classifier = BytepropClassifier(epochs=2).fit(frame, pandas.Series(y))
    network = byteprop.Sequential([byteprop.Dense(10, "softmax")])
    network.fit(frame, pandas.Series(y), epochs=1)
    assert np.array_equal(network.predict(frame), network.predict(x.astype(np.float32)))
    assert classifier.predict(frame).shape == y.shape


def test_a_fitted_estimator_pickles() -> None:
    x, y = load_digits(return_X_y=True)
    classifier = BytepropClassifier(epochs=2).fit(x, y)
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again.predict_proba(x), classifier.predict_proba(x))
