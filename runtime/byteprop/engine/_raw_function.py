"""The checked way into the C helper that makes tables of float32 functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from byteprop._kernels import ffi, lib

_INT8S = ffi.typeof("int8_t[]")


class FunctionTable(NamedTuple):
    """int8 [256] each, by the input as an unsigned byte. low, high: bounds of values where another
    C library's function differs by a few steps of float32."""

    values: npt.NDArray[np.int8]
    low: npt.NDArray[np.int8]
    high: npt.NDArray[np.int8]


def function_table(
    function: int, x_scale: float, x_zero_point: int, y_scale: float, y_zero_point: int
) -> FunctionTable:
    """function: BP_FUNCTION_LOGISTIC, BP_FUNCTION_TANH or BP_FUNCTION_ELU."""
    values, low, high = (np.empty(256, np.int8) for _ in range(3))
    lib.bp_function_table(
        ffi.from_buffer(_INT8S, values),
        ffi.from_buffer(_INT8S, low),
        ffi.from_buffer(_INT8S, high),
        function,
        ffi.new("bp_function_t *", (x_scale, y_scale, x_zero_point, y_zero_point)),
    )
    return FunctionTable(values, low, high)
