"""One input or output of a model: checks of arrays, and conversion from and to bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import DType, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.inference.info import TensorInfo

Array = npt.NDArray[Any]


class Port:
    """One input or output: checks, and conversion from and to bytes [n, elems]."""

    def __init__(self, tensor: Tensor, argument: str) -> None:
        self.argument = argument
        self.elems = tensor.elems
        self._is_wide = tensor.dtype is DType.INT16
        self._integer = tensor.dtype.value_numpy
        self.info = TensorInfo(
            name=tensor.name,
            shape=tensor.value_shape,
            dtype=np.dtype(np.float32) if tensor.float_border else self._integer,
            scale=float(tensor.scale),
            zero_point=tensor.zero_point,
            normalization=tensor.normalization,
        )
        self._float_border = tensor.float_border
        self._boundary = Boundary(tensor)

    def from_file_dtype(self, x: Any) -> Array:
        if not isinstance(x, np.ndarray):
            expected = self._expected(self.info.dtype)
            raise ArgumentError(f"{self.argument}: expected {expected}, got {type(x).__name__}")
        if x.dtype != self.info.dtype:
            raise ArgumentError(
                f"{self.argument}: expected {self._expected(self.info.dtype)}, got dtype {x.dtype}"
                + self._dtype_hint()
            )
        self._check_shape(x)
        if self._float_border:
            x = self._boundary.quantize(x, self.argument).integers
        return self._bytes(x)

    def from_reals(self, x: Any) -> tuple[Array, int]:
        """Rows of bytes, and how many values saturate."""
        if self._is_wide:
            raise ArgumentError(
                f"{self.argument}: expected a model with inputs of 8 bits or float32, got one with "
                f"{self.info.name!r} of int16; Model.run takes its integers"
            )
        try:
            given = np.asarray(x)
        except ValueError:
            expected = self._expected()
            raise ArgumentError(
                f"{self.argument}: expected {expected}, got rows of different lengths"
            ) from None
        if given.dtype.kind not in "fiub":
            raise ArgumentError(f"{self.argument}: expected real numbers, got dtype {given.dtype}")
        if given.ndim == 1 and self.info.shape == (1, 1):
            given = given[:, np.newaxis]  # samples of one number each
        self._check_shape(given)
        quantized = self._boundary.quantize(given, self.argument)
        return self._bytes(quantized.integers), quantized.outside

    def to_file_dtype(self, y: Array) -> Array:
        if self._float_border:
            return self.to_reals(y)
        return y.view(self._integer).reshape(self._batch(y))

    def to_reals(self, y: Array) -> Array:
        if self._is_wide:
            reals: Array = y.view(np.int16).astype(np.float32) * np.float32(self.info.scale)
            return reals.reshape(self._batch(y))
        return self._boundary.dequantize(y).reshape(self._batch(y))

    def _bytes(self, x: Array) -> Array:
        flat = np.ascontiguousarray(x).view(np.uint8)
        return flat.reshape(flat.size // self.elems, self.elems)

    def _batch(self, y: Array) -> tuple[int, ...]:
        shape = self.info.shape or (1,)
        return (len(y) * shape[0], *shape[1:])

    def _check_shape(self, x: Array) -> None:
        shape = self.info.shape or (1,)
        if x.ndim == len(shape) and x.shape[1:] == shape[1:] and x.shape[0] % shape[0] == 0:
            return
        hint = ""
        if x.shape in (shape[1:], self.info.shape[1:]):
            hint = "; one sample needs a batch axis: x[np.newaxis]"
        raise ArgumentError(
            f"{self.argument}: expected {self._expected()}, got shape {x.shape}{hint}"
        )

    def _expected(self, dtype: np.dtype[Any] | None = None) -> str:
        shape = self.info.shape or (1,)
        batch = "N" if shape[0] == 1 else f"N * {shape[0]}"
        text = ", ".join([batch, *map(str, shape[1:])]) + ("," if len(shape) == 1 else "")
        return f"shape ({text})" if dtype is None else f"an array of {dtype}, shape ({text})"

    def _dtype_hint(self) -> str:
        if self._float_border:
            return ""
        return "; Model.predict takes real numbers"
