"""A model as an object of Python: copies, pickles, counts; a Sequential that grows."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop import Dense, Sequential
from byteprop.errors import ArgumentError

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"


def test_a_model_pickles_and_copies() -> None:
    model = byteprop.load(MODELS / "fashion_mlp_perchannel.tflite")
    x = np.random.default_rng(1).integers(-128, 128, (5, 28, 28), dtype=np.int8)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert again.image == model.image
        assert np.array_equal(again.run(x), model.run(x))


def test_a_copy_is_trained_alone() -> None:
    x, y = np.eye(4, dtype=np.float32), np.arange(4)
    network = Sequential([Dense(4, "softmax")], input_shape=4, input_range=(-1, 1), seed=3)
    before = network.image
    other = copy.deepcopy(network)
    other.fit(x, y, epochs=3)
    assert network.image == before != other.image
    # And training goes on in a copy as in the original.
    third = pickle.loads(pickle.dumps(other))
    other.fit(x, y, epochs=2)
    third.fit(x, y, epochs=2)
    assert third.image == other.image


def test_a_network_without_scales_pickles() -> None:
    network = pickle.loads(pickle.dumps(Sequential([Dense(2, "softmax")], input_shape=3)))
    assert not network.built
    network.fit(np.eye(3, dtype=np.float32), [0, 1, 1])
    assert network.built


def test_parameters_are_counted_as_keras_counts() -> None:
    network = Sequential([Dense(20, "relu"), Dense(10, "softmax")], 784, input_range=(0, 1))
    assert network.count_params() == 784 * 20 + 20 + 20 * 10 + 10


def test_lists_are_inputs() -> None:
    network = Sequential([Dense(2, "softmax")], 3, input_range=(-1, 1), seed=1)
    rows = [[0.5, -0.25, 1.0], [0.0, 0.0, 0.125]]
    assert np.array_equal(network.predict(rows), network.predict(np.array(rows)))
    with pytest.raises(ArgumentError, match="x: expected .*, got rows of different lengths"):
        network.predict([[0.5, 1.0], [0.0]])


def test_layers_are_added_and_the_shape_comes_from_the_data() -> None:
    x = np.random.default_rng(1).random((40, 5, 2)).astype(np.float32)
    y = np.arange(40) % 3
    grown = Sequential(seed=2)
    grown.add(Dense(8, "relu"))
    grown.add(Dense(3, "softmax"))
    whole = Sequential([Dense(8, "relu"), Dense(3, "softmax")], input_shape=(5, 2), seed=2)
    for network in (grown, whole):
        network.fit(x, y, epochs=2)
    assert grown.image == whole.image
    with pytest.raises(ArgumentError, match="add: expected a network that was not trained"):
        grown.add(Dense(2))


def test_what_cannot_be_added_is_refused_and_changes_nothing() -> None:
    network = Sequential([Dense(3, "softmax")], input_shape=4)
    with pytest.raises(ArgumentError, match="softmax is for the last layer only"):
        network.add(Dense(2))
    assert len(network.specification) == 1
    with pytest.raises(ArgumentError, match="expected at least one Dense, got none"):
        Sequential().fit(np.zeros((2, 3)), [0, 1])
