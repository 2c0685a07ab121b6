"""Networks that begin from nothing: a chain of layers, described as Keras describes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop import image, keras_layers
from byteprop.construction import Given, Initial, Random, graph_of
from byteprop.engine import _raw, _raw_train
from byteprop.errors import ArgumentError, ModelError, TrainingError
from byteprop.float_layers import FloatNetwork, GivenNetwork
from byteprop.graph import Graph
from byteprop.graph.boundary import real_range
from byteprop.image.check import MAX_CLASSES, MAX_N_IN, MAX_WEIGHTS
from byteprop.inference.base_model import Arrays
from byteprop.layers import (
    WORDS,
    Dense,
    Filter,
    LayerWord,
    Shape,
    names_of,
    shapes_of,
    weights_of,
)
from byteprop.model import Model
from byteprop.support.arguments import MAX_SEED, integer
from byteprop.support.warn import warn
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

# Updates between two revisions of the scales.
DEFAULT_WINDOW = 200
# The default rate for classes where inputs have a deviation of 1, or convolutions read them.
UNIT_CLASS_RATE = 0.02
# What a Model has and a network without scales has not.
_WHEN_BUILT = frozenset(
    "graph image inputs outputs layers macs _engine _ports _fast _fast_predict _feed".split()
)


class Sequential(Model):
    """A network with random weights, a Model as soon as the ranges of its values are known.

    layers: Dense, Conv2D, DepthwiseConv2D, MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D,
    Flatten and Add, with the arguments that Keras has; all but the last with relu where they have
    weights. `add` appends further ones. input_shape: of one sample; by default that of the data of
    the first fit. input_range and output_range say which real values to expect; 0 is always among
    them. What is not given is taken from the data of the first fit; until then the network cannot
    be run. A network that ends in a softmax needs no output_range. Data of dtype uint8 are
    pixels: 0..255 stand for 0 .. 255/256. seed: of the initial weights; by default that of the
    first fit.

    normalization: what is done to inputs in float32 before they become integers. None: without an
    input_range, the first fit normalises each feature of other data than images by its mean and
    deviation; an input_range far from that of 1 is normalised as a whole. Where there are
    convolutions, a feature is a channel. True: of images too.
    False: never. (mean, deviation), each a number or one per feature, or a graph.Normalization:
    declared, in place of an input_range.
    """

    def __init__(
        self,
        layers: Sequence[LayerWord] = (),
        input_shape: int | Sequence[int] | None = None,
        *,
        input_range: Range | None = None,
        output_range: Range | None = None,
        normalization: Declared | bool | None = None,
        seed: int | None = None,
    ) -> None:
        if isinstance(layers, WORDS):
            raise ArgumentError(f"layers: expected a list of layers, got {layers!r}")
        self.specification: tuple[LayerWord, ...] = ()
        self._sample_shape = None if input_shape is None else _checked_shape(input_shape)
        self._declared = (input_range, normalization)
        self._normalize: bool | None = None
        self._inputs: Inputs | None = None
        self._output_range = _checked_range("output_range", output_range)
        self._seed = None if seed is None else integer("seed", seed, 0, MAX_SEED)
        self._limits: Range | None = None
        self._trained = False
        self._warned = False
        self._given: FloatNetwork | None = None
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

        keras_model: a model of dense layers, convolutions, pools and sums of two branches, as the
        class has them, or its .keras or .h5 file, which needs Keras to be read. relu inside,
        softmax or nothing at the end; Dropout, Rescaling and Normalization may be there. The first
        fit or calibrate gets samples as the Keras model takes them, and builds the network: scales
        are those of its activations on these samples.
        Weights keep 16 bits. input_range, output_range, normalization: as in the class.

        ArgumentError names a layer that cannot be taken; ModelError says why a file cannot be read.
        """
        network = keras_layers.network_of(keras_model)
        made = cls(input_range=input_range, output_range=output_range, normalization=normalization)
        _check_last(network.words)
        made._given = network
        made._sample_shape = _checked_shape(network.shape)
        made._specify(network.words)
        return made

    def add(self, layer: LayerWord) -> None:
        """Appends a layer to a network that was not trained, and builds it again."""
        if self._trained or self._given:
            raise ArgumentError("add: expected a network that was not trained, of random weights")
        self._specify((*self.specification, layer))

    def _specify(self, layers: tuple[LayerWord, ...]) -> None:
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
        _check_shapes(layers, shape)
        last = layers[-1]
        is_whole = self._classifies or self._output_range is not None
        if self._given:  # their activations are measured on samples
            return
        is_answer = isinstance(last, Dense) and last.kind != "relu"
        if self._inputs is not None and is_whole and is_answer:
            self._build(self._inputs, self._output_range, Random(self._seed or 0))

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

    def count_params(self) -> int:
        """As Model.count_params. ArgumentError as long as the shape of inputs is not known."""
        if self.built:
            return super().count_params()
        return sum(rows * (n + 1) for rows, n in self._sizes())

    def summary(self) -> str:
        """As Model.summary; as long as there are no scales, the layers with their shapes."""
        if self.built:
            return super().summary()
        shapes = shapes_of(self.specification, self._known_shape("summary"))
        lines = [
            f"{name:28}{'x'.join(map(str, shape)):16}{rows * (n + 1):>12,}"
            for name, shape, (rows, n) in zip(
                names_of(self.specification), shapes[1:], self._sizes(), strict=True
            )
        ]
        title = f"{'layer':28}{'output shape':16}{'parameters':>12}"
        total = f"{'total':44}{self.count_params():>12,}"
        return "\n".join([title, *lines, total, "", "not built: fit or calibrate takes scales"])

    def _sizes(self) -> list[tuple[int, int]]:
        shapes = shapes_of(self.specification, self._known_shape("count_params"))
        return [weights_of(*pair) for pair in zip(self.specification, shapes, strict=False)]

    def _known_shape(self, call: str) -> Shape:
        if self._sample_shape is None:
            raise ArgumentError(
                f"{call}: the shape of a sample is not known yet; input_shape= declares it, fit "
                "takes it from the data"
            )
        return self._sample_shape

    def __repr__(self) -> str:
        if self.built:
            return super().__repr__()
        units = "-".join(
            str(layer.units) if isinstance(layer, Dense) else name
            for layer, name in zip(self.specification, names_of(self.specification), strict=True)
        )
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
            inputs = self._measured_inputs(np.asarray(x))
        given = self._given_for(np.asarray(x), inputs)
        if output_range is None and not self._classifies:
            output_range = self._range_of_answers(y, given, inputs)
        if self._classifies and y is not None:
            labels_of(y, self._last.units)
        seed = seed if self._seed is None else self._seed
        self._build(inputs, output_range, given or Random(seed))

    def _measured_inputs(self, x: npt.NDArray[Any]) -> Inputs:
        if self._given is not None:
            return self._given.inputs_of(x, self._normalize)
        assert self._sample_shape is not None
        return inputs_of_samples(
            x, self._sample_shape, normalize=self._normalize, by_channel=self.trains_convolutions
        )

    def _given_for(self, x: npt.NDArray[Any], inputs: Inputs) -> Given | None:
        if self._given is None:
            return None
        assert self._sample_shape is not None
        check_samples(x, self._sample_shape)
        network = GivenNetwork.of(self._given, inputs, x)
        return Given(network.layers, network.limits(x))

    def _range_of_answers(self, y: Any, given: Given | None, inputs: Inputs) -> Range:
        if y is None and given is not None:
            return given.limits[-1]
        if y is None and math.prod(self._sample_shape or ()) == self._last.units:
            return _range_of_echo(inputs)
        if y is None:
            raise ArgumentError("y: expected target values, to take the range of outputs from")
        reals = reals_of(y, self._last.units)
        return float(reals.min()), float(reals.max())

    default_window = DEFAULT_WINDOW
    is_new = True

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
    def _last(self) -> Dense:
        last = self.specification[-1]
        assert isinstance(last, Dense)
        return last

    @property
    def _classifies(self) -> bool:
        last = self.specification[-1]
        return isinstance(last, Dense) and last.kind == "softmax"

    @property
    def trains_convolutions(self) -> bool:  # type: ignore[override]
        return any(isinstance(layer, Filter) for layer in self.specification)

    @property
    def class_rate(self) -> float:
        unit = self._inputs is not None and self._inputs.has_unit_deviation
        return UNIT_CLASS_RATE if unit or self.trains_convolutions else super().class_rate

    @property
    def inputs_reason(self) -> str:
        """Why inputs are taken as they are, or normalised; empty until that is known."""
        return "" if self._inputs is None else self._inputs.reason

    def _build(self, inputs: Inputs, output_range: Range | None, initial: Initial) -> None:
        """Changes the network only when all of it is well."""
        assert self._sample_shape is not None
        made, masters = graph_of(
            self.specification, self._sample_shape, inputs, output_range, initial
        )
        convs = sum(isinstance(layer, Filter) for layer in self.specification)
        try:
            encoded = image.encode(made)
            opened = _raw.Engine(encoded)
            _raw_train.plan(opened, _raw_train.Config(seed=0, convs=convs))
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


def _check_layers(layers: Sequence[LayerWord]) -> None:
    for index, layer in enumerate(layers):
        if not isinstance(layer, WORDS):
            raise ArgumentError(
                f"layers[{index}]: expected byteprop.Dense or another layer of byteprop, "
                f"got {layer!r}"
            )
    weighted = sum(isinstance(layer, (Dense, Filter)) for layer in layers)
    if weighted > _raw_train.MAX_LAYERS:
        raise ArgumentError(
            f"layers: expected {_raw_train.MAX_LAYERS} at most, got {weighted} with weights"
        )
    for index, layer in enumerate(layers[:-1]):
        if not isinstance(layer, (Dense, Filter)):
            continue
        if layer.kind == "softmax":
            raise ArgumentError(f"layers[{index}]: softmax is for the last layer only")
        if layer.kind == "linear":
            adds = ", which adds nothing" if isinstance(layer, Dense) else ""
            raise ArgumentError(
                f"layers[{index}]: expected relu in hidden layers, got none{adds}; "
                'activation="relu"'
            )


def _check_last(layers: Sequence[LayerWord]) -> None:
    last, where = layers[-1], f"layers[{len(layers) - 1}]"
    if not isinstance(last, Dense):
        raise ArgumentError(f"{where}: expected byteprop.Dense as the last layer, got {last!r}")
    if last.kind == "relu":
        raise ArgumentError(f"{where}: expected a linear or softmax last layer, got relu")
    if last.kind == "softmax" and last.units > MAX_CLASSES:
        raise ArgumentError(f"softmax: {last.units} classes; {MAX_CLASSES} are supported")


def _check_shapes(layers: Sequence[LayerWord], shape: Shape) -> None:
    """Each layer can read what the one before it gives, and none is too large."""
    sizes = [weights_of(*pair) for pair in zip(layers, shapes_of(layers, shape), strict=False)]
    for _, n in sizes:
        if n > MAX_N_IN:
            raise ArgumentError(f"layers: {n} inputs of a layer; {MAX_N_IN} are supported")
    weights = sum(rows * n for rows, n in sizes)
    if weights > MAX_WEIGHTS:
        raise ArgumentError(f"layers: {weights} weights; {MAX_WEIGHTS} are supported")
