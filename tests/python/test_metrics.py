"""evaluate and confusion_matrix against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

import byteprop
from byteprop import Dense, Sequential
from byteprop.engine import _raw_train
from byteprop.errors import ArgumentError
from byteprop.training.metrics import loss_sum
from training_data import MODELS, blobs, fashion_test_images, line


def fashion() -> tuple[byteprop.Model, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    x, y = fashion_test_images()
    return byteprop.load(MODELS / "fashion_mlp_perchannel.tflite"), x.reshape(-1, 28, 28), y


def test_accuracy_and_loss_of_classes() -> None:
    model, x, y = fashion()
    answers = model.predict(x)
    figures = model.evaluate(x, y)
    assert figures["accuracy"] == np.mean(answers.argmax(1) == y)
    # Probabilities of a finer grid than 1/256, so close to those of the output but not equal.
    rough = -np.log(np.maximum(answers[np.arange(len(y)), y], 1 / 512)).mean()
    assert abs(figures["loss"] - rough) < 0.1


def test_loss_of_classes_is_the_cross_entropy_of_the_logits() -> None:
    model, x, y = fashion()
    dense, last = (op for op in model.graph.ops if hasattr(op, "weights"))
    t = model.graph.tensors
    hidden = byteprop.Model(
        type(model.graph)(
            t[: dense.output + 1], model.graph.ops[: model.graph.ops.index(dense) + 1],
            model.graph.inputs, (dense.output,),
        )
    ).predict(x)  # fmt: skip
    weights = last.weights * last.weight_scales[:, None].astype(np.float64)
    bias = last.bias * last.weight_scales.astype(np.float64) * float(t[last.input].scale)
    logits = hidden @ weights.T + bias
    logits -= logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]
    assert abs(model.evaluate(x, y)["loss"] - losses.mean()) < 0.005


def test_mean_squared_error_is_that_of_predict() -> None:
    x, y = line()
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-8, 8), output_range=(-8, 8))
    errors = net.predict(x)[:, 0].astype(np.float64) - y
    figures = net.evaluate(x, y)
    assert figures["loss"] == np.mean(errors**2)
    assert figures["rmse"] == math.sqrt(np.mean(errors**2))


def test_confusion_matrix_counts_labels_against_answers() -> None:
    model, x, y = fashion()
    answers = model.predict(x).argmax(1)
    counts = model.confusion_matrix(x, y)
    wanted = np.zeros((10, 10), int)
    for label, answer in zip(y, answers, strict=True):
        wanted[label, answer] += 1
    assert np.array_equal(counts, wanted)
    assert np.trace(counts) / counts.sum() == model.evaluate(x, y)["accuracy"]


def test_loss_sums_are_exact() -> None:
    results = np.zeros(3, _raw_train.RESULT)
    results["loss"] = [2**64 - 1, 2**64 - 1, 5]
    assert loss_sum(results) == 2 * (2**64 - 1) + 5


def test_what_does_not_fit() -> None:
    x, y = blobs(10)
    net = Sequential([Dense(3, "softmax")], input_shape=(12,), input_range=(0, 1))
    with pytest.raises(ArgumentError, match="one per sample, 10, got 9"):
        net.evaluate(x, y[:9])
    with pytest.raises(ArgumentError, match="in 0..2, got 3"):
        net.confusion_matrix(x, y + 1)
    reals = Sequential([Dense(1)], input_shape=(1,), input_range=(0, 1), output_range=(0, 1))
    with pytest.raises(ArgumentError, match="ends in a softmax"):
        reals.confusion_matrix(np.zeros((1, 1)), [0])
