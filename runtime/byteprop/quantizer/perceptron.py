"""Layers of scikit-learn's MLPClassifier and MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.errors import ArgumentError
from byteprop.quantizer.layers import FloatLayer

_ACTIVATIONS = {"identity": "linear", "relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


def is_perceptron(network: Any) -> bool:
    """Whether an object is one of scikit-learn's, which need not be installed to ask."""
    return type(network).__name__ in ("MLPClassifier", "MLPRegressor")


def layers_of_perceptron(network: Any) -> list[FloatLayer]:
    """Its fitted layers. Two classes, for which scikit-learn has one output, become two outputs
    with a softmax: the same probabilities."""
    if not hasattr(network, "coefs_"):
        raise ArgumentError(f"network: expected a fitted {type(network).__name__}; call fit first")
    weights, biases = list(network.coefs_), list(network.intercepts_)
    last = network.out_activation_
    if last == "logistic":
        if weights[-1].shape[1] != 1:
            raise ArgumentError("network: several labels per sample are not supported")
        weights[-1] = np.concatenate([np.zeros_like(weights[-1]), weights[-1]], axis=1)
        biases[-1] = np.concatenate([np.zeros_like(biases[-1]), biases[-1]])
        last = "softmax"
    hidden = _ACTIVATIONS[network.activation]
    activations = [hidden] * (len(weights) - 1) + [_ACTIVATIONS.get(last, last)]
    return [
        FloatLayer(w.astype(np.float32), b.astype(np.float32), a)
        for w, b, a in zip(weights, biases, activations, strict=True)
    ]
