"""Float weights that a layer begins with instead of random ones, and what they become in integers.
docs/numerics.md states the rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.training.masters import Masters

Floats = npt.NDArray[np.float64]

# Of 16-bit weights and of biases, which count in 1/256 of the steps that inference has.
_LEAST_WEIGHT, _LARGEST_WEIGHT = -127 * 256 - 128, 127 * 256 + 127
_LARGEST_BIAS = (1 << 31) - 256
# Exponents of a scale that float32 holds with room for products of two.
_EXPONENTS = (-60, 60)


@dataclass(frozen=True)
class GivenLayer:
    """Of one layer. weights: [n_in, n_out]; a convolution has rows, columns and channels of its
    window as n_in, a depthwise one the rows and columns. bias: [n_out]; both finite."""

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
