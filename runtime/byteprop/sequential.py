"""Networks that begin from nothing: a chain of dense layers, described as Keras describes them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine import _raw, _raw_train
from byteprop.errors import ArgumentError, ModelError, TrainingError
from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.graph.boundary import real_range
from byteprop.image.check import MAX_CLASSES, MAX_N_IN, MAX_WEIGHTS
from byteprop.inference.base_model import Arrays
from byteprop.model import Model
from byteprop.ops import Dense as DenseOp
from byteprop.ops import Reshape, Softmax
from byteprop.support.arguments import MAX_SEED, integer
from byteprop.support.warn import warn
from byteprop.training import keras_layers
from byteprop.training.given import GivenLayer, GivenNetwork, quantized
from byteprop.training.initial import initial_weights, input_scale, output_scale
from byteprop.training.masters import Masters
from byteprop.training.normalization import (
    Declared,
    Inputs,
    check_samples,
    inputs_declared,
    inputs_of_declared_range,
    inputs_of_samples,
)
from byteprop.training.samples import labels_of, reals_of, warn_outside

Range = tuple[float, float]

_MAX_UNITS = 32767
_HIDDEN = {"linear": Activation.NONE, "relu": Activation.RELU}
_ACTIVATIONS = (*_HIDDEN, "softmax")
# Updates between two revisions of the scales.
DEFAULT_WINDOW = 200
# The default rate for classes where inputs have a deviation of 1.
UNIT_CLASS_RATE = 0.02
# Where the windows of training begin: outputs up to 4 and logits up to 16 in size.
_HIDDEN_SCALE = np.float32(2.0**-6)
_LOGIT_SCALE = np.float32(2.0**-3)
# What a Model has and a network without scales has not.
_WHEN_BUILT = frozenset(
    "graph image inputs outputs layers macs _engine _ports _fast _fast_predict".split()
)


@dataclass(frozen=True)
class Dense:
    """A fully connected layer to be made. activation: "relu", "softmax" (last layer only), or
    None or "linear" for none."""

    units: int
    activation: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        integer("Dense.units", self.units, 1, _MAX_UNITS)
        if self.kind not in _ACTIVATIONS:
            raise ArgumentError(
                f"Dense.activation: expected {', '.join(_ACTIVATIONS)} or None, "
                f"got {self.activation!r}"
            )

    @property
    def kind(self) -> str:
        return "linear" if self.activation is None else self.activation


class Sequential(Model):
    """A network with random weights, a Model as soon as the ranges of its values are known.

    layers: `add` appends further ones. input_shape: of one sample; by default that of the data of
    the first fit. input_range and output_range say which real values to expect; 0 is always among
    them. What is not given is taken from the data of the first fit; until then the network cannot
    be run. A network that ends in a softmax needs no output_range. Data of dtype uint8 are
    pixels: 0..255 stand for 0 .. 255/256. seed: of the initial weights; by default that of the
    first fit.

    normalization: what is done to inputs in float32 before they become integers. None: without an
    input_range, the first fit normalises each feature of other data than images by its mean and
    deviation; an input_range far from that of 1 is normalised as a whole. True: of images too.
    False: never. (mean, deviation), each a number or one per feature, or a graph.Normalization:
    declared, in place of an input_range.
    """

    def __init__(
        self,
        layers: Sequence[Dense] = (),
        input_shape: int | Sequence[int] | None = None,
        *,
        input_range: Range | None = None,
        output_range: Range | None = None,
        normalization: Declared | bool | None = None,
        seed: int | None = None,
    ) -> None:
        if isinstance(layers, Dense):
            raise ArgumentError(f"layers: expected a list of byteprop.Dense, got {layers!r}")
        self.specification: tuple[Dense, ...] = ()
        self._sample_shape = None if input_shape is None else _checked_shape(input_shape)
        self._declared = (input_range, normalization)
        self._normalize: bool | None = None
        self._inputs: Inputs | None = None
        self._output_range = _checked_range("output_range", output_range)
        self._seed = None if seed is None else integer("seed", seed, 0, MAX_SEED)
        self._limits: Range | None = None
        self._trained = False
        self._warned = False
        self._given: tuple[GivenLayer, ...] = ()
        if layers:
            _check_last(layers)
        self._specify(tuple(layers))

    @classmethod
    def from_keras(
        cls,
        keras_model: Any,
        *,
        input_range: Range | None = None,
        output_range: Range | None = None,
        normalization: Declared | bool | None = None,
    ) -> Sequential:
        """A network that begins with the weights of a Keras model, to be trained further.

        keras_model: a model of dense layers, or its .keras or .h5 file, which needs Keras to be
        read. relu inside, softmax or nothing at the end; Flatten, Dropout, Rescaling and
        Normalization may be there. The first fit or calibrate gets samples as the Keras model
        takes them, and builds the network: scales are those of its activations on these samples.
        Weights keep 16 bits. input_range, output_range, normalization: as in the class.

        ArgumentError names a layer that cannot be taken; ModelError says why a file cannot be read.
        """
        network = keras_layers.network_of(keras_model)
        layers = [
            Dense(len(layer.bias), activation, name)
            for layer, activation, name in zip(
                network.layers, network.activations, network.names, strict=True
            )
        ]
        made = cls(input_range=input_range, output_range=output_range, normalization=normalization)
        _check_last(layers)
        made._given = tuple(network.layers)
        made._sample_shape = _checked_shape(network.sample_shape)
        made._specify(tuple(layers))
        return made

    def add(self, layer: Dense) -> None:
        """Appends a layer to a network that was not trained, and builds it again."""
        if self._trained or self._given:
            raise ArgumentError("add: expected a network that was not trained, of random weights")
        self._specify((*self.specification, layer))

    def _specify(self, layers: tuple[Dense, ...]) -> None:
        """Becomes a network of these layers, and is built if its ranges are known already."""
        if layers:
            _check_layers(layers)
        self.specification = layers
        for name in _WHEN_BUILT & self.__dict__.keys():
            del self.__dict__[name]
        shape = self._sample_shape
        if shape is None:
            _check_alone(*self._declared)
            return
        self._normalize, self._inputs = _checked_inputs(*self._declared, shape)
        if not layers:
            return
        _check_size([math.prod(shape), *(layer.units for layer in layers)])
        is_whole = self._classifies or self._output_range is not None
        if self._given:  # their activations are measured on samples
            return
        if self._inputs is not None and is_whole and layers[-1].kind != "relu":
            self._build(self._inputs, self._output_range, _Random(self._seed or 0))

    def __getattr__(self, name: str) -> Any:
        if name not in _WHEN_BUILT:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise NotBuiltError(
            "this network has no scales yet; fit or calibrate takes them from the data, "
            "input_range= or normalization= (and output_range= without a softmax) declares them"
        )

    def predict(self, x: Arrays, *, steps: bool = False) -> Any:
        """As Model.predict; the first time that values saturate, a TrainingWarning counts them:
        inputs outside the range of the network, or answers of a regression at its limits."""
        answers, outside = self._predict(x, steps)
        if not self._warned:
            self._warned = self._warn_of_saturation(x, outside, answers)
        return answers

    def _warn_of_saturation(self, x: Any, outside: int, answers: npt.NDArray[Any]) -> bool:
        if outside and warn_outside(
            "x", outside, np.size(x), self.graph.tensors[self.graph.inputs[0]]
        ):
            return True
        if self._classifies:
            return False
        if self._limits is None:
            self._limits = real_range(self.graph.tensors[self.graph.outputs[0]])
        low, high = self._limits
        if not answers.size or (answers.min() > low and answers.max() < high):
            return False
        at_limit = int(np.count_nonzero((answers <= low) | (answers >= high)))
        warn(
            f"{at_limit} of {answers.size} answers are at the limits of the output, "
            f"{low:g} and {high:g}; output_range= declares wider ones"
        )
        return True

    def __repr__(self) -> str:
        if self.built:
            return super().__repr__()
        units = "-".join(str(layer.units) for layer in self.specification)
        shape = "?" if self._sample_shape is None else self._sample_shape
        return f"<byteprop.Sequential {shape} -> {units or '?'}, not built>"

    @property
    def built(self) -> bool:
        """Whether the ranges are known, so that the network can be run."""
        return "graph" in self.__dict__

    def calibrate(self, x: Any, y: Any = None, *, seed: int = 0) -> None:
        """Builds the network if it is not built, with the ranges that were not declared taken from
        these data. fit does it by itself. A network that was never trained gets weights by seed,
        unless it has a seed of its own."""
        if self._trained:
            return
        if not self.specification:
            raise ArgumentError("layers: expected at least one Dense, got none; add appends one")
        _check_last(self.specification)
        if self._sample_shape is None:
            self._sample_shape = _checked_shape(np.asarray(x).shape[1:] or 1)
            self._specify(self.specification)
        inputs, output_range = self._inputs, self._output_range
        if inputs is None:
            inputs = inputs_of_samples(np.asarray(x), self._sample_shape, normalize=self._normalize)
        given = self._given_for(np.asarray(x), inputs) if self._given else None
        if output_range is None and not self._classifies:
            output_range = self._range_of_answers(y, given, inputs)
        if self._classifies and y is not None:
            labels_of(y, self.specification[-1].units)
        seed = seed if self._seed is None else self._seed
        self._build(inputs, output_range, given or _Random(seed))

    def _given_for(self, x: npt.NDArray[Any], inputs: Inputs) -> _Given:
        assert self._sample_shape is not None
        check_samples(x, self._sample_shape)
        network = GivenNetwork.of(self._given, inputs, x)
        return _Given(network.layers, network.limits(x))

    def _range_of_answers(self, y: Any, given: _Given | None, inputs: Inputs) -> Range:
        if y is None and given is not None:
            return given.limits[-1]
        if y is None and math.prod(self._sample_shape or ()) == self.specification[-1].units:
            return _range_of_echo(inputs)
        if y is None:
            raise ArgumentError("y: expected target values, to take the range of outputs from")
        reals = reals_of(y, self.specification[-1].units)
        return float(reals.min()), float(reals.max())

    default_window = DEFAULT_WINDOW

    def before_fit(self, x: Any, y: Any, seed: int) -> None:
        self.calibrate(x, y, seed=seed)

    def adopt(
        self,
        graph: Graph,
        image_bytes: bytes,
        masters: tuple[Masters, ...] | None = None,
        *,
        opened: _raw.Engine | None = None,
    ) -> None:
        self._trained = True
        self._limits = None
        super().adopt(graph, image_bytes, masters, opened=opened)

    @property
    def _classifies(self) -> bool:
        return self.specification[-1].kind == "softmax"

    @property
    def class_rate(self) -> float:
        unit = self._inputs is not None and self._inputs.has_unit_deviation
        return UNIT_CLASS_RATE if unit else super().class_rate

    @property
    def inputs_reason(self) -> str:
        """Why inputs are taken as they are, or normalised; empty until that is known."""
        return "" if self._inputs is None else self._inputs.reason

    def _build(self, inputs: Inputs, output_range: Range | None, initial: _Initial) -> None:
        """Changes the network only when all of it is well."""
        assert self._sample_shape is not None
        made, masters = _graph(
            self.specification, self._sample_shape, inputs, output_range, initial
        )
        try:
            encoded = image.encode(made)
            opened = _raw.Engine(encoded)
            _raw_train.plan(opened, _raw_train.Config(seed=0))
        except (ModelError, TrainingError) as error:
            outputs = "" if output_range is None else f", output_range {_words(output_range)}"
            raise ArgumentError(
                f"inputs ({inputs.reason}){outputs}: cannot be trained: {error}"
            ) from error
        self._inputs, self._output_range, self._limits = inputs, output_range, None
        self._adopt(made, encoded, opened)
        self.masters = masters


def _range_of_echo(inputs: Inputs) -> Range:
    """Outputs of an autoencoder: the inputs' range, less one step where it is not even."""
    steps = 254 if inputs.zero_point < -1 or inputs.zero_point > 0 else 127
    return -steps * float(inputs.scale), steps * float(inputs.scale)


@dataclass(frozen=True)
class _Random:
    """Random initial weights, and scales for activations that are not known."""

    seed: int

    def layer(self, index: int, n_in: int, units: int, input_step: float, name: str) -> _Layer:
        weights, scale = initial_weights(n_in, units, seed=self.seed, layer=index)
        return weights, scale, np.zeros(units, np.int32), None

    def hidden_scale(self, index: int) -> np.float32:
        return _HIDDEN_SCALE

    def logit_scale(self) -> np.float32:
        return _LOGIT_SCALE


@dataclass(frozen=True)
class _Given:
    """Weights that were given, and what their layers give for the samples."""

    layers: tuple[GivenLayer, ...]
    limits: list[Range]

    def layer(self, index: int, n_in: int, units: int, input_step: float, name: str) -> _Layer:
        made = quantized(self.layers[index], input_step, f"layer {name!r}")
        return made.weights, made.scale, made.bias, made.masters

    def hidden_scale(self, index: int) -> np.float32:
        return input_scale(0.0, self.limits[index][1])[0]

    def logit_scale(self) -> np.float32:
        return output_scale(*self.limits[-1])


_Initial = _Random | _Given
# int8 weights, their scale, int32 bias, and what training keeps of them in addition.
_Layer = tuple[npt.NDArray[np.int8], np.float32, npt.NDArray[np.int32], Masters | None]


class NotBuiltError(ArgumentError, AttributeError):
    """The network cannot be run yet: the ranges of its values are not known."""


def _checked_range(name: str, given: Range | None) -> Range | None:
    if given is None:
        return None
    try:
        low, high = (float(v) for v in given)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}: expected (low, high), got {given!r}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ArgumentError(f"{name}: expected (low, high) with low below high, got {given}")
    return low, high


def _checked_inputs(
    input_range: Range | None, normalization: Declared | bool | None, shape: tuple[int, ...]
) -> tuple[bool | None, Inputs | None]:
    """Whether to normalise, None for where it is needed; and what was declared."""
    limits = _check_alone(input_range, normalization)
    if normalization is None or isinstance(normalization, bool):
        if limits is None:
            return normalization, None
        return normalization, inputs_of_declared_range(limits, shape, normalize=normalization)
    return True, inputs_declared(normalization, shape)


def _check_alone(input_range: Range | None, normalization: Declared | bool | None) -> Range | None:
    """The range, which cannot be declared together with a normalization."""
    limits = _checked_range("input_range", input_range)
    if limits is not None and normalization not in (None, False):
        raise ArgumentError("input_range: expected alone, or normalization without it")
    return limits


def _words(limits: Range) -> str:
    return f"{limits[0]:g} .. {limits[1]:g}"


def _checked_shape(given: int | Sequence[int]) -> tuple[int, ...]:
    try:
        shape = tuple(np.atleast_1d(np.asarray(given)).tolist())
    except ValueError:
        shape = ()
    if not 1 <= len(shape) <= 3 or any(type(d) is not int or d < 1 for d in shape):
        raise ArgumentError(f"input_shape: expected 1 to 3 positive integers, got {given}")
    return shape


def _check_layers(layers: Sequence[Dense]) -> None:
    if len(layers) > _raw_train.MAX_LAYERS:
        raise ArgumentError(f"layers: expected {_raw_train.MAX_LAYERS} at most, got {len(layers)}")
    for index, layer in enumerate(layers):
        if not isinstance(layer, Dense):
            raise ArgumentError(f"layers[{index}]: expected byteprop.Dense, got {layer!r}")
        if layer.kind == "softmax" and index != len(layers) - 1:
            raise ArgumentError(f"layers[{index}]: softmax is for the last layer only")
    if any(layer.kind == "linear" for layer in layers[:-1]):
        raise ArgumentError("layers: expected relu in hidden layers, got none, which adds nothing")


def _check_last(layers: Sequence[Dense]) -> None:
    last = layers[-1]
    if not isinstance(last, Dense):
        raise ArgumentError(f"layers[{len(layers) - 1}]: expected byteprop.Dense, got {last!r}")
    if last.kind == "relu":
        raise ArgumentError(
            f"layers[{len(layers) - 1}]: expected a linear or softmax last layer, got relu"
        )
    if last.kind == "softmax" and last.units > MAX_CLASSES:
        raise ArgumentError(f"softmax: {last.units} classes; {MAX_CLASSES} are supported")


def _check_size(widths: Sequence[int]) -> None:
    for n_in in widths[:-1]:
        if n_in > MAX_N_IN:
            raise ArgumentError(f"layers: {n_in} inputs of a layer; {MAX_N_IN} are supported")
    weights = sum(n_in * n_out for n_in, n_out in itertools.pairwise(widths))
    if weights > MAX_WEIGHTS:
        raise ArgumentError(f"layers: {weights} weights; {MAX_WEIGHTS} are supported")


def _graph(
    layers: Sequence[Dense],
    shape: tuple[int, ...],
    inputs: Inputs,
    output_range: Range | None,
    initial: _Initial,
) -> tuple[Graph, tuple[Masters, ...] | None]:
    scale, zero_point = inputs.scale, inputs.zero_point
    tensors = [
        Tensor(
            "input", (1, *shape), DType.INT8, scale, zero_point,
            float_border=inputs.normalization is not None, normalization=inputs.normalization,
        )
    ]  # fmt: skip
    ops: list[Op] = []
    kept: list[Masters] = []
    if len(shape) > 1:
        flat = (1, math.prod(shape))
        tensors.append(Tensor("flatten", flat, DType.INT8, scale, zero_point))
        ops.append(Reshape(0, 1))
    for index, layer in enumerate(layers):
        last = index == len(layers) - 1
        before = tensors[-1]
        tensors.append(_output_tensor(layer, index, last, output_range, initial))
        weights, weight_scale, bias, masters = initial.layer(
            index, before.elems, layer.units, float(before.scale), tensors[-1].name
        )
        kept += [] if masters is None else [masters]
        ops.append(
            DenseOp(
                input=len(tensors) - 2,
                output=len(tensors) - 1,
                weights=weights,
                bias=bias,
                weight_scales=np.array([weight_scale], np.float32),
                activation=Activation.NONE if last else _HIDDEN[layer.kind],
            )
        )
    if layers[-1].kind == "softmax":
        probabilities = Tensor(
            "softmax", (1, layers[-1].units), DType.INT8, np.float32(1 / 256), -128
        )
        tensors.append(probabilities)
        ops.append(Softmax(len(tensors) - 2, len(tensors) - 1))
    return Graph(tuple(tensors), tuple(ops), (0,), (len(tensors) - 1,)), tuple(kept) or None


def _output_tensor(
    layer: Dense, index: int, last: bool, output_range: Range | None, initial: _Initial
) -> Tensor:
    name = layer.name or ("dense" if index == 0 else f"dense_{index}")
    shape = (1, layer.units)
    if not last:
        return Tensor(name, shape, DType.INT8, initial.hidden_scale(index), -128)
    if layer.kind == "softmax":
        return Tensor(name, shape, DType.INT8, initial.logit_scale(), 0)
    assert output_range is not None
    return Tensor(name, shape, DType.INT8, output_scale(*output_range), 0)
