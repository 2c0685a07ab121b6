"""Float weights that a network begins with instead of random ones: what they become in integers,
and how large activations get with them. docs/numerics.md states the rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.training.initial import input_scale
from byteprop.training.masters import Masters
from byteprop.training.normalization import Inputs

Floats = npt.NDArray[np.float64]

# Of 16-bit weights and of biases, which count in 1/256 of the steps that inference has.
_LEAST_WEIGHT, _LARGEST_WEIGHT = -127 * 256 - 128, 127 * 256 + 127
_LARGEST_BIAS = (1 << 31) - 256
# Exponents of a scale that float32 holds with room for products of two.
_EXPONENTS = (-60, 60)
_PIXELS = 256.0  # uint8 stand for 0 .. 255/256
_VALUES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class GivenLayer:
    """One dense layer. weights: [n_in, n_out]; bias: [n_out]; both finite."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True)
class QuantizedLayer:
    """weights: int8 [n_out, n_in], with one scale; bias: int32 [n_out]; masters: the 16-bit
    weights and 32-bit biases that round to them."""

    weights: npt.NDArray[np.int8]
    scale: np.float32
    bias: npt.NDArray[np.int32]
    masters: Masters


@dataclass(frozen=True)
class GivenNetwork:
    """Layers with a relu between them, for inputs as `inputs` makes them of samples."""

    layers: tuple[GivenLayer, ...]
    inputs: Inputs
    pixels: bool

    @staticmethod
    def of(layers: Sequence[GivenLayer], inputs: Inputs, x: npt.NDArray[Any]) -> GivenNetwork:
        """The network whose weights are for the values of x. Where `inputs` takes uint8 as shares
        of 256, those of the first layer grow by as much."""
        is_pixel_range = (inputs.scale, inputs.zero_point) == input_scale(0.0, 1.0)
        pixels = x.dtype == np.uint8 and inputs.normalization is None and is_pixel_range
        n_in = len(layers[0].weights)
        by, plus = np.full(n_in, _PIXELS if pixels else 1.0), np.zeros(n_in)
        if inputs.normalization is not None:
            sub, mul = _constants(inputs, n_in)
            # A feature that is always the same has a multiplier of 0: all it gives is a bias.
            by, plus = np.divide(by, mul, out=np.zeros(n_in), where=mul != 0), sub
        return GivenNetwork(tuple(with_scaled_inputs(layers, by, plus)), inputs, pixels)

    def limits(self, x: npt.NDArray[Any]) -> list[tuple[float, float]]:
        """The least and the greatest output of each layer for x, 0 included, before a softmax."""
        found = np.zeros((len(self.layers), 2))
        with np.errstate(over="ignore", invalid="ignore"):
            for values in self._normalized(x):
                for index, layer in enumerate(self.layers):
                    values = values @ layer.weights + layer.bias
                    if index < len(self.layers) - 1:
                        values = np.maximum(values, 0.0)
                    found[index, 0] = np.minimum(found[index, 0], values.min())
                    found[index, 1] = np.maximum(found[index, 1], values.max())
        if not np.isfinite(found).all():
            raise ArgumentError("x: with the weights that were given, outputs are not finite")
        return [(float(low), float(high)) for low, high in found]

    def _normalized(self, x: npt.NDArray[Any]) -> Iterator[Floats]:
        rows = x.reshape(len(x), -1)
        step = max(1, _VALUES_AT_ONCE // max(rows.shape[1], *(len(v.bias) for v in self.layers)))
        for at in range(0, len(rows), step):
            values = rows[at : at + step].astype(np.float64)
            if self.inputs.normalization is not None:
                sub, mul = _constants(self.inputs, rows.shape[1])
                values = (values - sub) * mul
            yield values / _PIXELS if self.pixels else values


def with_scaled_inputs(layers: Sequence[GivenLayer], by: Floats, plus: Floats) -> list[GivenLayer]:
    """The same network for inputs x, where it was for x * by + plus. by, plus: [n_in]."""
    first = layers[0]
    bias = first.bias + plus @ first.weights
    return [GivenLayer(first.weights * by[:, np.newaxis], bias), *layers[1:]]


def quantized(layer: GivenLayer, input_step: float, name: str) -> QuantizedLayer:
    """input_step: the scale of its input. ArgumentError for weights that no scale suits."""
    at_least = max(
        float(np.abs(layer.weights).max()) * 256 / _LARGEST_WEIGHT,
        float(np.abs(layer.bias).max()) * 256 / (_LARGEST_BIAS * input_step),
    )
    exponent = math.ceil(math.log2(at_least)) if at_least > 0 else 0
    exponent = max(exponent, _EXPONENTS[0])
    if exponent > _EXPONENTS[1]:
        raise ArgumentError(f"{name}: expected weights and biases in the range of float32")
    scale = math.ldexp(1.0, exponent)
    wide = np.rint(layer.weights.T / (scale / 256)).clip(_LEAST_WEIGHT, _LARGEST_WEIGHT)
    bias = np.rint(layer.bias / (scale / 256 * input_step)).clip(-_LARGEST_BIAS, _LARGEST_BIAS)
    weights, residual = _rounded(wide.astype(np.int64))
    steps, _ = _rounded(bias.astype(np.int64))
    masters = Masters(residual.astype(np.int8), bias.astype(np.int32))
    return QuantizedLayer(
        weights.astype(np.int8), np.float32(scale), steps.astype(np.int32), masters
    )


def _rounded(wide: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """In steps of 256, and what is left of it, from -128 to 127."""
    steps = (wide + 128) >> 8
    return steps, wide - 256 * steps


def _constants(inputs: Inputs, n_in: int) -> tuple[Floats, Floats]:
    assert inputs.normalization is not None
    at = np.arange(n_in) % len(inputs.normalization.sub)
    sub, mul = inputs.normalization.sub[at], inputs.normalization.mul[at]
    return sub.astype(np.float64), mul.astype(np.float64)
