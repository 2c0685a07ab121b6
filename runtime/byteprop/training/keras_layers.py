"""Dense networks of Keras: their layers, weights and biases. Keras need not be installed to read a
model that exists already."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from byteprop.errors import ArgumentError, ModelError
from byteprop.training.given import Floats, GivenLayer, with_scaled_inputs

PathLike = str | os.PathLike[str]

_ACTIVATIONS = ("linear", "relu", "softmax")
_INSTALL = 'pip install "byteprop[keras]"'
_REMEDY = (
    "Sequential.from_keras takes Dense, with Flatten, Dropout, Rescaling, Normalization and layers "
    "of relu or softmax; byteprop.quantize takes all that byteprop runs"
)
_TRIALS = 4  # samples on which the layers are compared with the model


@dataclass
class KerasNetwork:
    """sample_shape: of one input. layers, activations, names: one per dense layer."""

    sample_shape: tuple[int, ...]
    layers: list[GivenLayer] = field(default_factory=list)
    activations: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def outputs(self, x: Floats) -> Floats:
        """What the layers compute of x [N, values]."""
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = x @ layer.weights + layer.bias
            if activation == "relu":
                x = np.maximum(x, 0.0)
            elif activation == "softmax":
                powers = np.exp(x - x.max(axis=1, keepdims=True))
                x = powers / powers.sum(axis=1, keepdims=True)
        return x


def network_of(model: Any) -> KerasNetwork:
    """model: of Keras, or the path of its file. ArgumentError names a layer that is not taken,
    ModelError says why a file cannot be read."""
    if isinstance(model, (str, os.PathLike)):
        model = _loaded(Path(model))
    layers, shape = getattr(model, "layers", None), getattr(model, "input_shape", None)
    if layers is None:
        raise ArgumentError(
            f"keras_model: expected a model of Keras or its file, got {type(model).__name__}"
        )
    if not isinstance(shape, tuple) or not all(isinstance(d, int) for d in shape[1:]):
        raise ArgumentError(
            f"keras_model: expected one input of a fixed shape, got {shape}; "
            "give the model an Input, or call it with a sample first"
        )
    reader = _Reader(KerasNetwork(shape[1:]))
    for layer in layers:
        reader.read(layer)
    network = reader.finished()
    _check_computes_the_same(network, model)
    return network


class _Reader:
    """Reads layer by layer. by, plus: what is done to inputs before the first dense layer."""

    def __init__(self, network: KerasNetwork) -> None:
        self.network = network
        n_in = math.prod(network.sample_shape)
        self.by, self.plus = np.ones(n_in), np.zeros(n_in)

    def read(self, layer: Any) -> None:
        kind = type(layer).__name__
        what = f"keras_model: layer {layer.name!r} ({kind})"
        if kind not in _READERS:
            raise ArgumentError(f"{what} is not supported; {_REMEDY}")
        _READERS[kind](self, layer, what)

    def finished(self) -> KerasNetwork:
        if not self.network.layers:
            raise ArgumentError("keras_model: expected at least one Dense, got none")
        self.network.layers = with_scaled_inputs(self.network.layers, self.by, self.plus)
        return self.network

    def dense(self, layer: Any, what: str) -> None:
        weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
        expected = 2 if layer.use_bias else 1
        if len(weights) != expected or weights[0].ndim != 2:
            shapes = [w.shape for w in weights]
            raise ArgumentError(f"{what}: expected weights and a bias, got arrays of {shapes}")
        n_in, n_out = weights[0].shape
        before = self.network.layers[-1].bias.size if self.network.layers else self.by.size
        if n_in != before:
            raise ArgumentError(
                f"{what}: expected {before} inputs, got {n_in}; a Flatten before it joins all axes"
            )
        bias = weights[1] if layer.use_bias else np.zeros(n_out)
        if not all(np.isfinite(w).all() for w in weights):
            raise ArgumentError(f"{what}: expected finite weights, got NaN or infinity")
        self.network.layers.append(GivenLayer(weights[0], bias))
        self.network.activations.append("linear")
        self.network.names.append(str(layer.name))
        self.activate(layer.activation, what)

    def activate(self, function: Any, what: str) -> None:
        name = function if isinstance(function, str) else getattr(function, "__name__", "linear")
        if name not in _ACTIVATIONS:
            hint = "; two outputs with softmax give the same" if name == "sigmoid" else ""
            raise ArgumentError(f"{what}: expected {', '.join(_ACTIVATIONS)}, got {name}{hint}")
        if name == "linear":
            return
        if not self.network.layers or self.network.activations[-1] != "linear":
            raise ArgumentError(f"{what}: expected a linear Dense before it")
        self.network.activations[-1] = name

    def activation(self, layer: Any, what: str) -> None:
        self.activate(layer.activation, what)

    def relu(self, layer: Any, what: str) -> None:
        if layer.max_value is not None or layer.negative_slope or layer.threshold:
            raise ArgumentError(f"{what}: expected a relu without limits and slopes")
        self.activate("relu", what)

    def softmax(self, layer: Any, what: str) -> None:
        self.activate("softmax", what)

    def rescaling(self, layer: Any, what: str) -> None:
        self.scale_inputs(layer.scale, layer.offset, what)

    def normalization(self, layer: Any, what: str) -> None:
        mean, variance = (np.asarray(a, np.float64) for a in (layer.mean, layer.variance))
        by = 1 / np.maximum(np.sqrt(variance), 1e-7)  # Keras's least deviation
        self.scale_inputs(by, -mean * by, what)

    def scale_inputs(self, by: Any, plus: Any, what: str) -> None:
        if self.network.layers:
            raise ArgumentError(f"{what}: expected before the first Dense")
        by, plus = (self.per_value(c) for c in (by, plus))
        self.by, self.plus = self.by * by, self.plus * by + plus

    def per_value(self, constants: Any) -> Floats:
        """Constants of the last axes, for each value of a sample."""
        array = np.asarray(constants, np.float64)
        array = array.reshape(array.shape[-len(self.network.sample_shape) :])
        return np.broadcast_to(array, self.network.sample_shape).reshape(-1)

    def nothing(self, layer: Any, what: str) -> None:
        """Of layers that change no value where a network is run."""


_READERS: dict[str, Callable[[_Reader, Any, str], None]] = {
    "Activation": _Reader.activation,
    "Dense": _Reader.dense,
    "Dropout": _Reader.nothing,
    "Flatten": _Reader.nothing,
    "InputLayer": _Reader.nothing,
    "Normalization": _Reader.normalization,
    "ReLU": _Reader.relu,
    "Rescaling": _Reader.rescaling,
    "Softmax": _Reader.softmax,
}


def _check_computes_the_same(network: KerasNetwork, model: Any) -> None:
    """Refuses what a list of layers does not show: branches, layers that are used twice, classes of
    the same name."""
    x = np.random.default_rng(1).uniform(-1, 1, (_TRIALS, *network.sample_shape))
    expected = np.asarray(model.predict(x.astype(np.float32), verbose=0))
    got = network.outputs(x.astype(np.float32).astype(np.float64).reshape(_TRIALS, -1))
    largest = max(1.0, float(np.abs(got).max()))
    if expected.shape != got.shape or not np.allclose(expected, got, rtol=0, atol=1e-3 * largest):
        raise ArgumentError(
            "keras_model: expected a chain of layers, got a model that computes something else "
            "than its layers one after the other"
        )


def _loaded(path: Path) -> Any:
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
    except ImportError:
        raise ModelError(
            f"{path}: needs Keras to be read: {_INSTALL}, or pip install keras with a backend"
        ) from None
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ModelError(f"{path}: Keras cannot read it: {error}") from error
