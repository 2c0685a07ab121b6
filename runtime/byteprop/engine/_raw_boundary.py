"""The checked way into the float boundary in C: what `_raw` is for inference."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from byteprop._kernels import ffi, lib
from byteprop.engine import _raw
from byteprop.engine._raw import Engine, UInt8s
from byteprop.errors import ArgumentError

_BYTES = ffi.typeof("uint8_t[]")
_FLOATS = ffi.typeof("float[]")
_ROWS = _raw.const("BP_BOUNDARY_ROWS")
# Constants are repeated up to here, so that few features do not make short loops.
_PERIOD = 512
_from_buffer = ffi.from_buffer
_predict = lib.bp_boundary_predict
_empty = np.empty
_SOURCES = {
    np.dtype(np.float32): _raw.const("BP_BOUNDARY_FLOAT32"),
    np.dtype(np.float64): _raw.const("BP_BOUNDARY_FLOAT64"),
}
_PIXELS = {np.dtype(np.uint8): _raw.const("BP_BOUNDARY_PIXELS")}
_float32 = np.dtype(np.float32)

Floats = npt.NDArray[np.float32]


class Encoded(NamedTuple):
    """integers: bytes [n]. finite: how many values come before the first that is NaN or infinite,
    n when all are finite; later integers mean nothing. outside: how many of those values exceed
    the range by more than a step."""

    integers: UInt8s
    finite: int
    outside: int


class Encoder:
    """From real numbers to the 8-bit integers of one tensor. Threads may share it."""

    def __init__(
        self,
        scale: float,
        zero_point: int,
        lowest: int,
        sub: Floats,
        mul: Floats,
        *,
        takes_pixels: bool,
    ) -> None:
        """lowest: of the integers, -128 or 0. sub, mul: as in graph.Normalization; empty for none.
        takes_pixels: uint8 may be encoded too, and stands for all of the range."""
        self.sources = _SOURCES | (_PIXELS if takes_pixels else {})
        self._sub, self._mul = _repeated(sub), _repeated(mul)
        self._boundary = ffi.new(
            "bp_boundary_t *",
            {
                "scale": scale,
                "zero_point": zero_point,
                "lowest": lowest,
                "period": len(self._sub),
                "sub": _from_buffer(_FLOATS, self._sub),
                "mul": _from_buffer(_FLOATS, self._mul),
            },
        )

    def encode(self, x: npt.NDArray[Any]) -> Encoded:
        """Of values of a dtype in `sources`, in any shape; copied only where they are not
        C-contiguous."""
        if x.dtype not in self.sources:
            names = " or ".join(map(str, self.sources))
            raise ArgumentError(f"x: expected {names}, got {x.dtype}")
        values = np.ascontiguousarray(x)
        integers = np.empty(values.size, np.uint8)
        found = ffi.new("bp_encoded_t *")
        lib.bp_boundary_encode(
            _from_buffer(_BYTES, integers),
            _from_buffer(_BYTES, values),
            values.size,
            self.sources[values.dtype],
            self._boundary,
            found,
        )
        return Encoded(integers, found.finite, found.outside)

    def predictor(
        self,
        engine: Engine,
        y_dtype: np.dtype[Any],
        reals: Floats | None,
        x_tail: tuple[int, ...],
        y_tail: tuple[int, ...],
    ) -> Callable[[Any], tuple[npt.NDArray[Any], int] | None]:
        """A function from real x [n, *x_tail] to y [n, *y_tail] and the number of values outside
        the range, for a model with one input and one output. reals: what each of the 256 bytes of
        the output stands for, y_dtype is float32 then; None for the bytes themselves. It answers
        None when x is not a C-contiguous array of that shape and a dtype that can be encoded, or
        has a value that is not finite."""
        if prod(x_tail) != engine.input_bytes or prod(y_tail) != engine.output_bytes:
            raise ArgumentError("x_tail, y_tail: expected the sizes of the input and of the output")
        if reals is not None and (reals.shape != (256,) or reals.dtype != np.float32):
            raise ArgumentError(f"reals: expected float32 [256], got {reals.dtype} {reals.shape}")
        if y_dtype.itemsize != (1 if reals is None else _float32.itemsize):
            raise ArgumentError(f"y_dtype: expected 8 bits, or float32 with reals, got {y_dtype}")
        arenas = engine._arenas
        table = ffi.NULL if reals is None else _from_buffer(_FLOATS, reals)
        scratches = _Scratches(_ROWS * (engine.input_bytes + engine.output_bytes))
        boundary, sources = self._boundary, self.sources
        n_in = engine.input_bytes

        # As in Engine.runner: what a call looks up is in local variables, and what C points into
        # lives as long as the function.
        def predict(
            x: Any, engine: Engine = engine, _kept: Any = (self, reals)
        ) -> tuple[npt.NDArray[Any], int] | None:
            if type(x) is not np.ndarray:
                return None
            shape, source = x.shape, sources.get(x.dtype)
            if source is None or shape[1:] != x_tail or not shape or not x.flags.c_contiguous:
                return None
            n = shape[0]
            y = _empty((n, *y_tail), y_dtype)
            found = scratches.found
            _predict(
                _from_buffer(_BYTES, y),
                _from_buffer(_BYTES, x),
                n,
                source,
                boundary,
                table,
                engine._model,
                engine._prepared,
                arenas.arena,
                scratches.scratch,
                found,
            )
            return (y, found.outside) if found.finite == n * n_in else None

        return predict


class _Scratches(threading.local):
    """Room for some samples, once per thread."""

    def __init__(self, n_bytes: int) -> None:
        self.scratch = _from_buffer(_BYTES, np.empty(n_bytes, np.uint8))
        self.found = ffi.new("bp_encoded_t *")


def _repeated(constants: Floats) -> Floats:
    kept = np.ascontiguousarray(constants, np.float32)
    return kept if not 0 < len(kept) < _PERIOD else np.tile(kept, -(-_PERIOD // len(kept)))
