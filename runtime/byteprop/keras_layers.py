"""Networks of Keras: their layers in the words of byteprop, with weights and biases. Keras need not
be installed to read a model that exists already."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from byteprop.errors import ArgumentError, ModelError
from byteprop.float_layers import FloatNetwork
from byteprop.layers import (
    Add,
    AveragePooling2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Filter,
    Flatten,
    GlobalAveragePooling2D,
    LayerWord,
    MaxPooling2D,
    output_shape,
)
from byteprop.training.given import Floats, GivenLayer

PathLike = str | os.PathLike[str]

_ACTIVATIONS = ("linear", "relu", "softmax")
_INSTALL = 'pip install "byteprop[keras]"'
_REMEDY = (
    "Sequential.from_keras takes Dense, Conv2D, DepthwiseConv2D, MaxPooling2D, AveragePooling2D, "
    "GlobalAveragePooling2D, Add and Flatten, with Dropout, Rescaling, Normalization and layers of "
    "relu or softmax; byteprop.quantize takes all that byteprop runs"
)
_TRIALS = 4  # samples on which the layers are compared with the model


def network_of(model: Any) -> FloatNetwork:
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
    reader = _Reader(shape[1:])
    for layer in layers:
        reader.read(layer)
    network = reader.finished()
    _check_computes_the_same(network, model)
    return network


@dataclass
class _Reader:
    """Reads layer by layer. by, plus: what is done to each value of an input before the first
    layer. tensors: of Keras, with the layer that computes each."""

    sample_shape: tuple[int, ...]
    words: list[LayerWord] = field(default_factory=list)
    given: list[GivenLayer | None] = field(default_factory=list)
    tensors: list[tuple[Any, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by, self.plus = np.ones(self.sample_shape), np.zeros(self.sample_shape)
        self.shape: tuple[int, ...] = self.sample_shape

    def read(self, layer: Any) -> None:
        kind = type(layer).__name__
        what = f"keras_model: layer {layer.name!r} ({kind})"
        if kind not in _READERS:
            raise ArgumentError(f"{what} is not supported; {_REMEDY}")
        _READERS[kind](self, layer, what)
        self.tensors.append((_attribute(layer, "output"), len(self.words) - 1))

    def finished(self) -> FloatNetwork:
        if not any(isinstance(word, Dense) for word in self.words):
            raise ArgumentError("keras_model: expected at least one Dense, got none")
        by, plus = self.by.reshape(-1), self.plus.reshape(-1)
        if not isinstance(self.words[0], Dense):
            by, plus = (self.per_channel(constants) for constants in (self.by, self.plus))
        return FloatNetwork(self.sample_shape, tuple(self.words), tuple(self.given), by, plus)

    def append(self, word: LayerWord, what: str, given: GivenLayer | None = None) -> None:
        self.shape = output_shape(word, self.shape, what)
        self.words.append(word)
        self.given.append(given)

    # Layers with weights.

    def weights(self, layer: Any, what: str, rank: int) -> list[Floats]:
        """Weights of so many axes, and the bias where there is one."""
        weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
        if len(weights) != (2 if layer.use_bias else 1) or weights[0].ndim != rank:
            shapes = [w.shape for w in weights]
            raise ArgumentError(f"{what}: expected weights and a bias, got arrays of {shapes}")
        if not all(np.isfinite(w).all() for w in weights):
            raise ArgumentError(f"{what}: expected finite weights, got NaN or infinity")
        return weights

    def dense(self, layer: Any, what: str) -> None:
        weights = self.weights(layer, what, 2)
        n_in, n_out = weights[0].shape
        before = math.prod(self.shape)
        if n_in != before or (self.words and len(self.shape) > 1):
            raise ArgumentError(
                f"{what}: expected {before} inputs, got {n_in}; a Flatten before it joins all axes"
            )
        word = Dense(n_out, None, str(layer.name))
        self.append(word, what, _given(weights[0], weights[1:]))
        self.activate(layer.activation, what)

    def conv(self, layer: Any, what: str) -> None:
        kernel, *bias = self.weights(layer, what, 4)
        self.check_image(layer, what)
        n_out = kernel.shape[3]
        if getattr(layer, "groups", 1) != 1:
            raise ArgumentError(f"{what}: groups of channels are not supported; {_REMEDY}")
        word = Conv2D(
            n_out, kernel.shape[:2], _pair(layer.strides), layer.padding, name=str(layer.name)
        )
        self.append(word, what, _given(kernel.reshape(-1, n_out), bias))
        self.activate(layer.activation, what)

    def depthwise(self, layer: Any, what: str) -> None:
        kernel, *bias = self.weights(layer, what, 4)
        self.check_image(layer, what)
        times, n_out = kernel.shape[3], kernel.shape[2] * kernel.shape[3]
        word = DepthwiseConv2D(
            kernel.shape[:2], _pair(layer.strides), layer.padding, times, name=str(layer.name)
        )
        self.append(word, what, _given(kernel.reshape(-1, n_out), bias))
        self.activate(layer.activation, what)

    def check_image(self, layer: Any, what: str) -> None:
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise ArgumentError(f'{what}: expected data_format="channels_last"')
        dilation = getattr(layer, "dilation_rate", 1)
        if max(np.atleast_1d(dilation)) != 1:
            raise ArgumentError(f"{what}: a dilation is not supported; {_REMEDY}")

    # Layers without.

    def pool(self, layer: Any, what: str) -> None:
        self.check_image(layer, what)
        kind = MaxPooling2D if type(layer).__name__ == "MaxPooling2D" else AveragePooling2D
        strides = layer.pool_size if layer.strides is None else layer.strides
        self.append(
            kind(_pair(layer.pool_size), _pair(strides), layer.padding, name=str(layer.name)), what
        )

    def mean(self, layer: Any, what: str) -> None:
        self.check_image(layer, what)
        if getattr(layer, "keepdims", False):
            raise ArgumentError(f"{what}: expected keepdims=False")
        self.append(GlobalAveragePooling2D(name=str(layer.name)), what)

    def flatten(self, layer: Any, what: str) -> None:
        if self.words and len(self.shape) > 1:
            self.check_image(layer, what)
            self.append(Flatten(name=str(layer.name)), what)

    def add(self, layer: Any, what: str) -> None:
        """Of the layer before it and of an earlier one, as byteprop.Add."""
        inputs = _attribute(layer, "input")
        sources = [self.source(t) for t in inputs] if isinstance(inputs, (list, tuple)) else []
        last = len(self.words) - 1
        others = [s for s in sources if s != last]
        if len(sources) != 2 or len(others) != 1 or others[0] < 0:
            raise ArgumentError(
                f"{what}: expected the outputs of the layer right before it and of one earlier "
                "layer with relu; byteprop.quantize takes other branches"
            )
        earlier = self.words[others[0]]
        self.append(Add(str(earlier.name), name=str(layer.name)), what)

    def source(self, tensor: Any) -> int:
        """The layer that computes it; -1 for an input of the model, or what is not known."""
        return next((index for t, index in self.tensors if t is tensor), -1)

    def activate(self, function: Any, what: str) -> None:
        name = function if isinstance(function, str) else getattr(function, "__name__", "linear")
        if name not in _ACTIVATIONS:
            hint = "; two outputs with softmax give the same" if name == "sigmoid" else ""
            raise ArgumentError(f"{what}: expected {', '.join(_ACTIVATIONS)}, got {name}{hint}")
        if name == "linear":
            return
        last = self.words[-1] if self.words else None
        if isinstance(last, Add) and name == "relu":
            return  # it has one
        if not isinstance(last, (Dense, Filter)) or last.kind != "linear":
            raise ArgumentError(f"{what}: expected a linear Dense or convolution before it")
        if isinstance(last, Filter) and name != "relu":
            raise ArgumentError(f"{what}: expected relu in a convolution, got {name}")
        self.words[-1] = replace(last, activation=name)

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
        if self.words:
            raise ArgumentError(f"{what}: expected before the first Dense or convolution")
        by, plus = (self.per_value(c) for c in (by, plus))
        self.by, self.plus = self.by * by, self.plus * by + plus

    def per_value(self, constants: Any) -> Floats:
        """Constants of the last axes, for each value of a sample."""
        array = np.asarray(constants, np.float64)
        array = array.reshape(array.shape[-len(self.sample_shape) :])
        return np.broadcast_to(array, self.sample_shape)

    def per_channel(self, constants: Floats) -> Floats:
        rows = constants.reshape(-1, self.sample_shape[-1])
        if np.ptp(rows, axis=0).any() or (self.by <= 0).any():
            raise ArgumentError(
                "keras_model: expected Rescaling and Normalization in front of images to be alike "
                "at all positions, with scales above 0"
            )
        first: Floats = rows[0]
        return first

    def nothing(self, layer: Any, what: str) -> None:
        """Of layers that change no value where a network is run."""


_READERS: dict[str, Callable[[_Reader, Any, str], None]] = {
    "Activation": _Reader.activation,
    "Add": _Reader.add,
    "AveragePooling2D": _Reader.pool,
    "Conv2D": _Reader.conv,
    "Dense": _Reader.dense,
    "DepthwiseConv2D": _Reader.depthwise,
    "Dropout": _Reader.nothing,
    "Flatten": _Reader.flatten,
    "GlobalAveragePooling2D": _Reader.mean,
    "InputLayer": _Reader.nothing,
    "MaxPooling2D": _Reader.pool,
    "Normalization": _Reader.normalization,
    "ReLU": _Reader.relu,
    "Rescaling": _Reader.rescaling,
    "Softmax": _Reader.softmax,
    "SpatialDropout2D": _Reader.nothing,
}


def _given(weights: Floats, bias: list[Floats]) -> GivenLayer:
    """weights: [n_in, n_out]; without a bias it is 0."""
    return GivenLayer(weights, bias[0] if bias else np.zeros(weights.shape[1]))


def _attribute(layer: Any, name: str) -> Any:
    """A tensor of a layer; None where it has none, or one for each use."""
    try:
        return getattr(layer, name)
    except (AttributeError, ValueError, RuntimeError):
        return None


def _pair(size: Any) -> tuple[int, int]:
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return int(height), int(width)


def _check_computes_the_same(network: FloatNetwork, model: Any) -> None:
    """Refuses what a list of layers does not show: branches, layers that are used twice, classes of
    the same name."""
    x = np.random.default_rng(1).uniform(-1, 1, (_TRIALS, *network.shape))
    expected = np.asarray(model.predict(x.astype(np.float32), verbose=0))
    got = network.answers(x.astype(np.float32).astype(np.float64))
    largest = max(1.0, float(np.abs(got).max()))
    if expected.shape != got.shape or not np.allclose(expected, got, rtol=0, atol=1e-3 * largest):
        raise ArgumentError(
            "keras_model: expected a chain of layers, with sums of the layer before and an earlier "
            "one, got a model that computes something else than its layers one after the other"
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
