"""Between real values and the integers of a model's inputs and outputs.

Normalising subtracts and multiplies in float32. Quantising divides in float32, rounds half away
from zero, adds the zero point and saturates; dequantising multiplies in float32. This is what
TensorFlow Lite's SUB, MUL, QUANTIZE and DEQUANTIZE do; the first three are in C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw import Engine
from byteprop.engine._raw_boundary import Encoder, Floats
from byteprop.errors import ArgumentError
from byteprop.graph import DType, Tensor
from byteprop.graph.quantization import limits

_NOTHING = np.empty(0, np.float32)


class Quantized(NamedTuple):
    """integers: in the shape of the reals. outside: how many reals exceed the range by more
    than a step, where they saturate."""

    integers: npt.NDArray[Any]
    outside: int


class Boundary:
    """Converts one tensor. Threads may share it."""

    def __init__(self, tensor: Tensor) -> None:
        self._scale = np.float32(tensor.scale)
        self._tensor = tensor
        self._dtype = tensor.dtype.numpy
        self._real_range = real_range(tensor)
        self._reals = _reals(tensor.dtype, self._scale, tensor.zero_point)
        self.normalization = tensor.normalization
        sub, mul = (
            (_NOTHING, _NOTHING)
            if self.normalization is None
            else (self.normalization.sub, self.normalization.mul)
        )
        self.takes_pixels = self.normalization is None and is_pixel_scale(tensor)
        self._encoder = Encoder(
            float(self._scale),
            tensor.zero_point,
            limits(tensor.dtype).y_min,
            sub,
            mul,
            takes_pixels=self.takes_pixels,
        )

    def quantize(self, x: npt.NDArray[Any], argument: str) -> Quantized:
        """x: real numbers of any dtype, computed with in float32; uint8 stands for all of the range
        where the tensor takes pixels. ArgumentError names the first position that is NaN or
        infinite, or too large for float32."""
        if x.dtype not in self._encoder.sources:
            with np.errstate(over="ignore"):
                encoded = self._encoder.encode(x.astype(np.float32))
        else:
            encoded = self._encoder.encode(x)
        if encoded.finite < x.size:
            position = tuple(int(i) for i in np.unravel_index(encoded.finite, x.shape))
            raise ArgumentError(
                f"{argument}: expected finite numbers, got {x[position]} at position {position}"
            )
        return Quantized(encoded.integers.view(self._dtype).reshape(x.shape), encoded.outside)

    @property
    def real_range(self) -> tuple[float, float]:
        """As the function."""
        return self._real_range

    def dequantize(self, y: npt.NDArray[Any]) -> Floats:
        return self._reals[y.view(np.uint8)]

    def predictor(
        self, engine: Engine, output: Tensor, *, to_reals: bool
    ) -> Callable[[Any], tuple[npt.NDArray[Any], int] | None]:
        """As Encoder.predictor, from this input to that output, in reals or in integers."""
        reals = Boundary(output)._reals if to_reals else None
        dtype = np.dtype(np.float32) if to_reals else output.dtype.numpy
        return self._encoder.predictor(
            engine, dtype, reals, self._tensor.shape[1:], output.shape[1:]
        )


def real_range(tensor: Tensor) -> tuple[float, float]:
    """The smallest and the largest real value, of normalised ones where there is a
    normalization."""
    low, high = (np.float32(limit - tensor.zero_point) for limit in limits(tensor.dtype))
    return float(low * np.float32(tensor.scale)), float(high * np.float32(tensor.scale))


def is_pixel_scale(tensor: Tensor) -> bool:
    """Whether the range is 0 to about 1, so that all bytes of an image fit: scale 1/255 or 1/256,
    and zero at the lowest integer."""
    if tensor.zero_point != limits(tensor.dtype).y_min:
        return False
    return abs(256 * float(tensor.scale) - 1) < 0.01


def _reals(dtype: DType, scale: np.float32, zero_point: int) -> Floats:
    """The real value of each of the 256 bytes."""
    integers = np.arange(256, dtype=np.uint8).view(dtype.numpy).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        reals: Floats = (integers - np.float32(zero_point)) * scale
    return reals
