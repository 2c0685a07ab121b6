"""The rows of an image, one after the other, on their way into a model that is fed row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import Tensor
from byteprop.graph.boundary import Boundary

Array = npt.NDArray[Any]


class Feeder(Protocol):
    """Takes an input as bytes, part by part; its answer to the last part are the outputs."""

    def feed(self, x: Array) -> Array | None: ...


class RowFeed:
    """Checks rows and makes bytes of them. rows: how many of the image have come."""

    def __init__(self, tensor: Tensor, feeder: Feeder) -> None:
        self._tensor = tensor
        self._feeder = feeder
        self._dtype = np.dtype(np.float32) if tensor.float_border else tensor.dtype.numpy
        self.rows = 0

    def feed(self, rows: Any) -> Array | None:
        """The outputs as bytes once the image is complete; the row after that begins another."""
        given = self._checked(rows)
        answer = self._feeder.feed(self._bytes(given))
        self.rows = 0 if answer is not None else self.rows + len(given)
        return answer

    def _checked(self, rows: Any) -> Array:
        _, height, *row = self._tensor.shape
        width, channels = row
        if not isinstance(rows, np.ndarray) or rows.dtype != self._dtype:
            got = f"dtype {rows.dtype}" if isinstance(rows, np.ndarray) else type(rows).__name__
            raise ArgumentError(f"rows: expected an array of {self._dtype}, got {got}")
        given = rows[np.newaxis] if rows.shape == (width, channels) else rows
        if given.shape[1:] != (width, channels):
            raise ArgumentError(
                f"rows: expected shape (N, {width}, {channels}), or ({width}, {channels}) for one "
                f"row, got {rows.shape}"
            )
        if len(given) > height - self.rows:
            raise ArgumentError(
                f"rows: expected at most {height - self.rows}, as the image has {height} and "
                f"{self.rows} were fed, got {len(given)}"
            )
        return given

    def _bytes(self, rows: Array) -> Array:
        if self._tensor.float_border:
            rows = self._boundary(len(rows)).quantize(rows, "rows").integers
        return np.ascontiguousarray(rows).view(np.uint8).reshape(-1)

    def _boundary(self, n: int) -> Boundary:
        """Of the next n rows. A normalization may have constants for every position."""
        tensor = self._tensor
        constants = tensor.normalization
        row = tensor.elems // tensor.shape[1]
        if constants is not None and len(constants.sub) > row:
            here = slice(self.rows * row, (self.rows + n) * row)
            constants = replace(constants, sub=constants.sub[here], mul=constants.mul[here])
        return Boundary(replace(tensor, shape=(1, n, *tensor.shape[2:]), normalization=constants))
