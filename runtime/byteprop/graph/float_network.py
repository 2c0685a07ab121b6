"""A network in floating point, before it is quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FloatLayer:
    """weights [n_in, n_out] as Keras keeps them; activation: linear, relu, relu6, and softmax at
    the end."""

    weights: Floats
    bias: Floats
    activation: str = "linear"
    name: str = ""


@dataclass(frozen=True)
class FloatNetwork:
    """A chain of dense layers. input_shape: of one sample."""

    layers: tuple[FloatLayer, ...]
    input_shape: tuple[int, ...]
    input_name: str = "input"

    def run(self, x: Any) -> Floats:
        """The outputs [n, n_out] in double."""
        rows = np.asarray(x, np.float64).reshape(len(x), -1)
        for layer in self.layers:
            rows = activate(rows @ layer.weights + layer.bias, layer.activation)
        return rows


def activate(rows: Floats, activation: str) -> Floats:
    if activation == "softmax":
        e = np.exp(rows - rows.max(axis=1, keepdims=True))
        answers: Floats = e / e.sum(axis=1, keepdims=True)
        return answers
    if activation == "linear":
        return rows
    clipped: Floats = np.clip(rows, 0.0, 6.0 if activation == "relu6" else np.inf)
    return clipped
