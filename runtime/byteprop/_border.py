"""Between real values and the integers of a model's inputs and outputs, vectorised.

Quantising divides in float32, rounds half away from zero, adds the zero point and saturates;
dequantising multiplies in float32. This is what TensorFlow Lite's QUANTIZE and DEQUANTIZE do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import DType, Tensor
from byteprop.quantization import limits

# Beyond every 8-bit value, whatever the zero point, and small enough for float32 to round exactly.
_SATURATED = np.float32(512)
# The largest float32 below 0.5. Adding 0.5 itself would round 0.49999997 up to 1.
_ALMOST_HALF = np.float32(0.49999997)


class Border:
    """Converts one tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._scale = np.float32(tensor.scale)
        self._zero_point = np.float32(tensor.zero_point)
        self._dtype = tensor.dtype.numpy
        self._low, self._high = (np.float32(limit) for limit in limits(tensor.dtype))
        self._reals = _reals(tensor.dtype, self._scale, tensor.zero_point)
        self.takes_pixels = _takes_pixels(tensor)

    def quantize(self, x: npt.NDArray[np.float32], argument: str) -> npt.NDArray[np.generic]:
        """ArgumentError names the first position that is NaN or infinite."""
        finite = np.isfinite(x)
        if not finite.all():
            position = tuple(int(i) for i in np.unravel_index(int(finite.argmin()), x.shape))
            raise ArgumentError(
                f"{argument}: wanted finite numbers, given {x[position]} at position {position}"
            )
        with np.errstate(over="ignore"):  # infinite is saturated
            steps = x / self._scale
        np.clip(steps, -_SATURATED, _SATURATED, out=steps)
        steps += np.copysign(_ALMOST_HALF, steps)
        np.trunc(steps, out=steps)
        steps += self._zero_point
        np.clip(steps, self._low, self._high, out=steps)
        return steps.astype(self._dtype)

    def pixels(self, x: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic]:
        """Bytes 0..255 for the whole range of an input that takes pixels."""
        signed = np.uint8(0x80 if self._dtype == np.int8 else 0)
        return (x ^ signed).view(self._dtype)

    def outside(self, x: npt.NDArray[Any]) -> int:
        """How many real values lie beyond the range by more than a step, where they saturate."""
        low = (float(self._low - self._zero_point) - 1) * float(self._scale)
        high = (float(self._high - self._zero_point) + 1) * float(self._scale)
        return int(np.count_nonzero((x < low) | (x > high)))

    @property
    def real_range(self) -> tuple[float, float]:
        """The smallest and the largest real value."""
        low, high = self._low - self._zero_point, self._high - self._zero_point
        return float(low * self._scale), float(high * self._scale)

    def dequantize(self, y: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        return self._reals[y.view(np.uint8)]


def _takes_pixels(tensor: Tensor) -> bool:
    """Whether the range is 0 to about 1, so that all bytes of an image fit: scale 1/255 or 1/256,
    and zero at the lowest integer."""
    if tensor.zero_point != limits(tensor.dtype).y_min:
        return False
    return abs(256 * float(tensor.scale) - 1) < 0.01


def _reals(dtype: DType, scale: np.float32, zero_point: int) -> npt.NDArray[np.float32]:
    """The real value of each of the 256 bytes."""
    integers = np.arange(256, dtype=np.uint8).view(dtype.numpy).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        reals: npt.NDArray[np.float32] = (integers - np.float32(zero_point)) * scale
    return reals
