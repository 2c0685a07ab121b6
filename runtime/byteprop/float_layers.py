"""What layers with given weights compute, in floating point: how large activations get with them,
and inputs in which integers pad a convolution with the same zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.float_ops import float_ops
from byteprop.graph import Normalization
from byteprop.graph.float_graph import Node
from byteprop.layers import (
    Add,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Filter,
    Flatten,
    GlobalAveragePooling2D,
    LayerWord,
    MaxPooling2D,
    Pooling,
    earlier,
    shapes_of,
)
from byteprop.training.given import Floats, GivenLayer
from byteprop.training.initial import input_scale, power_of_two
from byteprop.training.normalization import Inputs, inputs_of_samples

_PIXELS = 256.0  # uint8 stand for 0 .. 255/256
_VALUES_AT_ONCE = 1 << 20
_PADDINGS = {"same": 0, "valid": 1}
# What is left of a shift of inputs by rounding to float32.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class FloatNetwork:
    """Layers whose weights are given. by, plus: of inputs x, which the first layer reads as
    x * by + plus; one for each value of a sample, or for each channel where it is of images.
    given: for each layer, None for those without weights."""

    shape: tuple[int, ...]
    words: tuple[LayerWord, ...]
    given: tuple[GivenLayer | None, ...]
    by: Floats
    plus: Floats

    @property
    def is_of_images(self) -> bool:
        """Whether the first layer reads images as such."""
        return not isinstance(self.words[0], Dense)

    @property
    def pads(self) -> bool:
        """Whether a window over the inputs has zeros beyond their edges."""
        shapes = shapes_of(self.words, self.shape)
        for word, shape in zip(self.words, shapes, strict=False):
            if isinstance(word, Filter):
                window, size = word.window(shape)
                return any(
                    (n - 1) * axis.stride + axis.kernel > extent
                    for n, axis, extent in zip(size, window.axes, shape, strict=False)
                )
            if not isinstance(word, Pooling):
                break
        return False

    def answers(self, x: Floats) -> Floats:
        """What the last layer computes of x [N, *shape]."""
        x = x * self._at(self.by) + self._at(self.plus)
        *_, (_, y) = _outputs(self.words, self.given, x)
        last = self.words[-1]
        if isinstance(last, Dense) and last.kind == "softmax":
            y = np.exp(y - y.max(axis=1, keepdims=True))
            y = y / y.sum(axis=1, keepdims=True)
        return y

    def _at(self, constants: Floats) -> Floats:
        return constants if self.is_of_images else constants.reshape(self.shape)

    def inputs_of(self, x: npt.NDArray[Any], normalize: bool | None) -> Inputs:
        """As inputs_of_samples, but where a window pads: integers pad with what stands for 0 behind
        a normalization, so that is then the network's own."""
        found = inputs_of_samples(x, self.shape, normalize=normalize, by_channel=self.is_of_images)
        if normalize is not None or self.fits(found):
            return found
        if not self.plus.any():
            return inputs_of_samples(x, self.shape, normalize=False)
        sub = (-self.plus / self.by).astype(np.float32)
        mul = np.array([power_of_two(abs(b)) for b in self.by.tolist()], np.float32)
        if not (np.ptp(sub) or np.ptp(mul)):
            sub, mul = sub[:1], mul[:1]
        rows = x.reshape(-1, x.shape[-1]).astype(np.float32)
        largest = max(float(abs((end - sub) * mul).max()) for end in (rows.min(0), rows.max(0)))
        return Inputs(
            power_of_two(largest / 128), 0, Normalization(sub, mul), False,
            "normalised as the layers that were given have it",
        )  # fmt: skip

    def fits(self, inputs: Inputs) -> bool:
        """Whether padding with zeros is the same with these inputs."""
        if not self.pads:
            return True
        _, plus = self.scaled(inputs, pixels=False)
        largest = max(1.0, float(abs(self.plus).max()))
        return bool((abs(plus) <= _ROUNDING * largest).all())

    def scaled(self, inputs: Inputs, *, pixels: bool) -> tuple[Floats, Floats]:
        """by and plus for inputs as `inputs` makes them of samples."""
        if inputs.normalization is None:
            return self.by * (_PIXELS if pixels else 1.0), self.plus
        sub, mul = _constants(inputs, len(self.by))
        # A feature that is always the same has a multiplier of 0: all it gives is a bias.
        by = np.divide(self.by, mul, out=np.zeros(len(mul)), where=mul != 0)
        return by, self.plus + self.by * sub


@dataclass(frozen=True)
class GivenNetwork:
    """The same layers for inputs as `inputs` makes them of samples."""

    network: FloatNetwork
    layers: tuple[GivenLayer | None, ...]
    inputs: Inputs
    pixels: bool

    @staticmethod
    def of(network: FloatNetwork, inputs: Inputs, x: npt.NDArray[Any]) -> GivenNetwork:
        """Where `inputs` takes uint8 as shares of 256, weights of the first layer grow by as
        much."""
        if not network.fits(inputs):
            raise ArgumentError(
                "normalization: the first layer pads with zeros, so inputs cannot be shifted in "
                "another way than the model that was given does; leave normalization and "
                "input_range out"
            )
        is_pixel_range = (inputs.scale, inputs.zero_point) == input_scale(0.0, 1.0)
        pixels = x.dtype == np.uint8 and inputs.normalization is None and is_pixel_range
        by, plus = network.scaled(inputs, pixels=pixels)
        layers = list(network.given)
        for index, (word, layer) in enumerate(zip(network.words, layers, strict=True)):
            if layer is not None:
                layers[index] = _with_scaled_inputs(word, layer, by, plus)
                break
        return GivenNetwork(network, tuple(layers), inputs, pixels)

    def limits(self, x: npt.NDArray[Any]) -> list[tuple[float, float]]:
        """The least and the greatest output of each layer for x, 0 included, before a softmax."""
        found = np.zeros((len(self.layers), 2))
        with np.errstate(over="ignore", invalid="ignore"):
            for values in self._normalized(x):
                for index, y in _outputs(self.network.words, self.layers, values):
                    found[index, 0] = np.minimum(found[index, 0], y.min())
                    found[index, 1] = np.maximum(found[index, 1], y.max())
        if not np.isfinite(found).all():
            raise ArgumentError("x: with the weights that were given, outputs are not finite")
        return [(float(low), float(high)) for low, high in found]

    def _normalized(self, x: npt.NDArray[Any]) -> Iterator[Floats]:
        rows = x.reshape(len(x), -1)
        shapes = shapes_of(self.network.words, self.network.shape)
        step = max(1, _VALUES_AT_ONCE // max(int(np.prod(shape)) for shape in shapes))
        for at in range(0, len(rows), step):
            values = rows[at : at + step].astype(np.float64)
            if self.inputs.normalization is not None:
                sub, mul = _constants(self.inputs, rows.shape[1])
                values = (values - sub) * mul
            values = values.reshape(-1, *self.network.shape)
            yield values / _PIXELS if self.pixels else values


def _constants(inputs: Inputs, n: int) -> tuple[Floats, Floats]:
    assert inputs.normalization is not None
    at = np.arange(n) % len(inputs.normalization.sub)
    sub, mul = inputs.normalization.sub[at], inputs.normalization.mul[at]
    return sub.astype(np.float64), mul.astype(np.float64)


def _with_scaled_inputs(word: LayerWord, layer: GivenLayer, by: Floats, plus: Floats) -> GivenLayer:
    """The same layer for inputs x, where it was for x * by + plus."""
    weights = layer.weights
    if isinstance(word, DepthwiseConv2D):
        by, plus = (np.repeat(c, word.depth_multiplier) for c in (by, plus))
        return GivenLayer(weights * by, layer.bias + plus * weights.sum(axis=0))
    by, plus = (np.tile(c, len(weights) // len(c)) for c in (by, plus))
    return GivenLayer(weights * by[:, np.newaxis], layer.bias + plus @ weights)


# --- layer by layer ---


def _outputs(
    words: Sequence[LayerWord], given: Sequence[GivenLayer | None], x: Floats
) -> Iterator[tuple[int, Floats]]:
    found: list[Floats] = []
    left = [earlier(words, i) for i, word in enumerate(words) if isinstance(word, Add)]
    for index, (word, layer) in enumerate(zip(words, given, strict=True)):
        if isinstance(word, Add):
            x = np.maximum(x + found[left.pop(0)], 0.0)
        else:
            x = _output(word, layer, x)
        found.append(x if index in left else x[:0])
        yield index, x


def _output(word: LayerWord, layer: GivenLayer | None, x: Floats) -> Floats:
    if isinstance(word, Flatten):
        return x.reshape(len(x), -1)
    if isinstance(word, GlobalAveragePooling2D):
        mean: Floats = x.mean(axis=(1, 2))
        return mean
    if isinstance(word, Dense):
        assert layer is not None
        y = x.reshape(len(x), -1) @ layer.weights + layer.bias
    else:
        assert not isinstance(word, Add)
        y = _windowed(word, layer, x)
    is_relu = isinstance(word, (Dense, Filter)) and word.kind == "relu"
    return np.maximum(y, 0.0) if is_relu else y


def _windowed(word: Filter | Pooling, layer: GivenLayer | None, x: Floats) -> Floats:
    """By the ops in floating point, whose operands have an axis of samples in front."""
    height, width = word.window(x.shape[1:])[0].axes
    options = {
        "Padding": _PADDINGS[word.padding], "StrideH": height.stride, "StrideW": width.stride,
        "FilterHeight": height.kernel, "FilterWidth": width.kernel,
    }  # fmt: skip
    operands = [x[:, np.newaxis]]
    if isinstance(word, Filter):
        assert layer is not None
        taps, n_out = (height.kernel, width.kernel), len(layer.bias)
        if isinstance(word, Conv2D):
            name, weights = "CONV_2D", layer.weights.T.reshape(n_out, *taps, -1)
        else:
            name, weights = "DEPTHWISE_CONV_2D", layer.weights.reshape(1, *taps, n_out)
        operands += [weights[np.newaxis], layer.bias[np.newaxis]]
    else:
        name = "MAX_POOL_2D" if isinstance(word, MaxPooling2D) else "AVERAGE_POOL_2D"
    y: Floats = float_ops()[name].run(Node(name, (), (), options), operands)[0][:, 0]
    return y
