"""Table, in NumPy; docs/numerics.md, section Table.

The float32 functions are those of the C library, as in TensorFlow Lite: NumPy's differ in their
last bits.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import Tensor
from byteprop.ops.table import Function, Table
from byteprop.reference.fixed import Ints, multiplier, requant, round_half_away, round_shift

Floats = npt.NDArray[np.float32]
_INT16_MIN, _INT16_MAX = -(2**15), 2**15 - 1


def run(op: Table, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """LOGISTIC, TANH, LEAKY_RELU, HARD_SWISH and ELU."""
    source, target = inputs[0], outputs[0]
    if op.function is Function.LEAKY_RELU:
        steps = _leaky_relu(op, x[0], source, target)
    elif op.function is Function.HARD_SWISH:
        steps = _hard_swish(x[0], source, target)
    else:
        steps = _float32(op.function, x[0], source, target)
    return [np.clip(steps + target.zero_point, -128, 127)]


def _float32(function: Function, x: Ints, source: Tensor, target: Tensor) -> Ints:
    with np.errstate(over="ignore", under="ignore"):
        real = np.float32(source.scale) * (x - source.zero_point).astype(np.float32)
        result = _FUNCTIONS[function](real)
        steps = (result * (np.float32(1) / np.float32(target.scale))).astype(np.float64)
    return round_half_away(np.clip(steps, -512, 512))


def _libm(name: str, x: Floats) -> Floats:
    """A float32 function of the C library, value by value."""
    path = ctypes.util.find_library("m")
    function = getattr(ctypes.CDLL(path), f"{name}f") if path else getattr(np, name)
    if path:
        function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float
    unique, index = np.unique(x, return_inverse=True)
    values = np.array([function(v) for v in unique], np.float32)
    return np.asarray(values[index].reshape(x.shape))


def _logistic(x: Floats) -> Floats:
    return np.asarray(np.float32(1) / (np.float32(1) + _libm("exp", -x)))


def _tanh(x: Floats) -> Floats:
    return _libm("tanh", x)


def _elu(x: Floats) -> Floats:
    return np.where(x < 0, _libm("expm1", np.minimum(x, np.float32(0))), x)


_FUNCTIONS: dict[Function, Callable[[Floats], Floats]] = {
    Function.LOGISTIC: _logistic,
    Function.TANH: _tanh,
    Function.ELU: _elu,
}


def _leaky_relu(op: Table, x: Ints, source: Tensor, target: Tensor) -> Ints:
    v = x - source.zero_point
    s_x, s_y = np.float32(source.scale), np.float32(target.scale)
    with np.errstate(under="ignore"):
        above, below = multiplier(float(s_x / s_y)), multiplier(float((s_x * op.alpha) / s_y))
    return np.where(v >= 0, requant(v, *above), requant(v, *below))


def _hard_swish(x: Ints, source: Tensor, target: Tensor) -> Ints:
    v = (x - source.zero_point) * 128
    s = np.float32(source.scale) / np.float32(128)
    (m_y, k_y), (m_r, k_r) = (
        multiplier(float(s / np.float32(other)))
        for other in (target.scale, np.float32(3) / np.float32(32768))
    )
    r = v
    if k_r > 0:
        r = _saturated(r * 2 ** (k_r - 1))
    r = _high_mul_16(r, _upper_half(m_r))
    r = _saturated(2 * r) if k_r > 0 else round_shift(r, -k_r)
    product = ((r + 2**15) // 2) * _high_mul_16(v, _upper_half(m_y))
    truncated = np.where(product >= 0, product // 2**15, -(-product // 2**15))
    return round_shift(truncated, -k_y)


def _saturated(x: Ints) -> Ints:
    return np.clip(x, _INT16_MIN, _INT16_MAX)


def _upper_half(mult_q31: int) -> int:
    """Rounded to 16 bits, saturated."""
    return min((mult_q31 + 2**15) // 2**16, _INT16_MAX)


def _high_mul_16(a: Ints, b: int) -> Ints:
    """a * b / 2^15, halves up."""
    return np.asarray((a * b + 2**14) // 2**15)
