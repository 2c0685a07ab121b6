"""Inference in NumPy, written from docs/numerics.md alone: a second opinion on what the C kernels
and the model image compute, and the reference where tflite-runtime cannot be installed.

It shares no arithmetic with the rest of the package. Values are int64 throughout, so nothing wraps
but where the definition says modulo 2^32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import (
    Activation,
    Dense,
    DType,
    Graph,
    Normalization,
    Op,
    Rescale,
    Softmax,
    Tensor,
)

__all__ = ["dequantize", "normalize", "quantize", "run", "run_layers"]

Ints = npt.NDArray[np.int64]

_ONE = 1 << 31
_INT32_MAX = _ONE - 1
_LIMITS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}
_BOUNDS: dict[Activation, tuple[float, float]] = {
    Activation.NONE: (-math.inf, math.inf),
    Activation.RELU: (0.0, math.inf),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU_0_TO_1: (0.0, 1.0),
}

# Softmax: exp(-1/8), 1/3, exp(-2^k) for k = -2 .. 4 in Q0.31; 48/17 and -32/17 in Q2.29.
_EXP_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
_EXP_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_48_17THS_Q2_29 = 1515870810
_MINUS_32_17THS_Q2_29 = -1010580540
_DIFF_FRACTION_BITS = 26
_MIN_INT8 = -128


def run(graph: Graph, inputs: Sequence[npt.NDArray[np.generic]]) -> list[npt.NDArray[np.generic]]:
    """The model's outputs for n samples: integers of the graph's dtypes in and out, batch first.

    A tensor's first dimension is the batch: arrays have the shape (n * shape[0], *shape[1:]).
    """
    values = _evaluate(graph, inputs)
    return [_as_output(graph.tensors[index], values[index]) for index in graph.outputs]


def run_layers(
    graph: Graph, inputs: Sequence[npt.NDArray[np.generic]]
) -> list[npt.NDArray[np.generic]]:
    """The output of every op, in the graph's order, as run gives the model's outputs."""
    values = _evaluate(graph, inputs)
    return [_as_output(graph.tensors[op.output], values[op.output]) for op in graph.ops]


def normalize(x: npt.ArrayLike, constants: Normalization | None) -> npt.NDArray[np.float32]:
    """float32 in the user's units to float32 as the input is quantised from."""
    real = np.asarray(x, np.float32)
    if constants is None:
        return real
    position = np.arange(real.size) % len(constants.sub)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        differences = (real.reshape(-1) - constants.sub[position]).astype(np.float32)
        products: npt.NDArray[np.float32] = (differences * constants.mul[position]).astype(
            np.float32
        )
    return products.reshape(real.shape)


def quantize(
    x: npt.ArrayLike, scale: np.float32, zero_point: int, dtype: DType
) -> npt.NDArray[np.generic]:
    """float32 to integers at the model's border: rounded half away from zero, saturated."""
    real = np.asarray(x, np.float32)
    if not bool(np.isfinite(real).all()):
        raise ArgumentError("x: finite numbers are wanted, NaN or infinity given")
    low, high = _LIMITS[dtype]
    with np.errstate(over="ignore"):
        steps = (real / np.float32(scale)).astype(np.float64)
    rounded = _round_half_away(np.clip(steps, low - zero_point - 1, high - zero_point + 1))
    return np.clip(rounded + zero_point, low, high).astype(dtype.numpy)


def dequantize(
    q: npt.NDArray[np.generic], scale: np.float32, zero_point: int
) -> npt.NDArray[np.float32]:
    """Integers to float32 at the model's border."""
    steps = np.asarray(q).astype(np.int64) - zero_point
    return (np.float64(np.float32(scale)) * steps).astype(np.float32)


# The walk over the graph.


def _evaluate(graph: Graph, inputs: Sequence[npt.NDArray[np.generic]]) -> dict[int, Ints]:
    """Every tensor's values as int64 [n, elems]."""
    if len(inputs) != len(graph.inputs):
        raise ArgumentError(f"inputs: {len(graph.inputs)} arrays are wanted, {len(inputs)} given")
    values = {
        index: _as_input(graph.tensors[index], array, position)
        for position, (index, array) in enumerate(zip(graph.inputs, inputs, strict=True))
    }
    if len({len(array) for array in values.values()}) > 1:
        counts = [len(array) for array in values.values()]
        raise ArgumentError(f"inputs: as many samples in each are wanted, {counts} given")
    for op in graph.ops:
        values[op.output] = _run_op(op, graph.tensors, values[op.input])
    return values


def _run_op(op: Op, tensors: Sequence[Tensor], x: Ints) -> Ints:
    source, target = tensors[op.input], tensors[op.output]
    if isinstance(op, Dense):
        return _dense(op, x, source, target)
    if isinstance(op, Rescale):
        return _rescale(op, x, source, target)
    if isinstance(op, Softmax):
        return _softmax(op, x, source)
    return x


def _as_input(tensor: Tensor, array: npt.NDArray[np.generic], position: int) -> Ints:
    batch, *rest = tensor.shape or (1,)
    if array.dtype != tensor.dtype.numpy:
        raise ArgumentError(
            f"inputs[{position}]: dtype {tensor.dtype.numpy} is wanted, {array.dtype} given"
        )
    if not array.ndim or array.shape[1:] != tuple(rest) or len(array) % batch:
        wanted = ", ".join(map(str, [f"n * {batch}", *rest]))
        raise ArgumentError(f"inputs[{position}]: shape ({wanted}) is wanted, {array.shape} given")
    return array.reshape(len(array) // batch, tensor.elems).astype(np.int64)


def _as_output(tensor: Tensor, values: Ints) -> npt.NDArray[np.generic]:
    batch, *rest = tensor.shape or (1,)
    return values.reshape(len(values) * batch, *rest).astype(tensor.dtype.numpy)


# Fixed point.


def _round_half_away(x: npt.NDArray[np.float64]) -> Ints:
    rounded: Ints = (np.sign(x) * np.floor(np.abs(x) + 0.5)).astype(np.int64)
    return rounded


def _multiplier(scale: float) -> tuple[int, int]:
    """(mult_q31, lshift) of a real scale."""
    fraction, exponent = math.frexp(scale)
    mult_q31 = math.floor(fraction * _ONE + 0.5)
    if mult_q31 == _ONE:
        mult_q31, exponent = _ONE // 2, exponent + 1
    return (0, 0) if exponent < -31 else (mult_q31, exponent)


def _wrap_int32(x: Ints) -> Ints:
    return ((x + _ONE) & (2 * _ONE - 1)) - _ONE


def _high_mul(a: Ints, b: Ints | int) -> Ints:
    """a * b / 2^31 with the rounding of docs/numerics.md; |a * b| < 2^62, so nothing saturates."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))


def _round_shift(x: Ints, rshift: Ints | int) -> Ints:
    """x / 2^rshift, rounded half away from zero."""
    half = (np.int64(1) << np.asarray(rshift, np.int64)) >> 1
    return np.asarray(np.sign(x) * ((np.abs(x) + half) >> rshift))


def _requant(x: Ints, mult_q31: Ints | int, lshift: Ints | int) -> Ints:
    """x * mult_q31 * 2^(lshift - 31) in two roundings."""
    left, right = np.maximum(lshift, 0), np.maximum(np.negative(lshift), 0)
    return _round_shift(_high_mul(_wrap_int32(x << left), mult_q31), right)


def _range(activation: Activation, target: Tensor) -> tuple[int, int]:
    """What an op's output is clamped to."""
    low, high = _LIMITS[target.dtype]
    real_low, real_high = _BOUNDS[activation]
    if math.isfinite(real_low):
        low = max(low, _quantized_bound(real_low, target))
    if math.isfinite(real_high):
        high = min(high, _quantized_bound(real_high, target))
    return low, high


def _quantized_bound(real: float, target: Tensor) -> int:
    steps = np.float64(np.float32(real) / np.float32(target.scale))
    return target.zero_point + int(_round_half_away(np.asarray(steps)))


# The ops.


def _dense(op: Dense, x: Ints, source: Tensor, target: Tensor) -> Ints:
    n_in = op.weights.shape[1]
    rows = x.reshape(-1, n_in) - source.zero_point
    sums = _wrap_int32(_matmul(rows, op.weights) + op.bias.astype(np.int64))
    multipliers = [_multiplier(scale) for scale in _dense_scales(op, source, target)]
    mult_q31 = np.array([mult for mult, _ in multipliers], np.int64)
    lshift = np.array([shift for _, shift in multipliers], np.int64)
    y = _requant(sums, mult_q31, lshift) + target.zero_point
    return np.clip(y, *_range(op.activation, target)).reshape(len(x), target.elems)


def _matmul(rows: Ints, weights: npt.NDArray[np.int8]) -> Ints:
    """Exact: every partial sum is an integer below 65,532 * 255 * 128 < 2^53. In double because
    NumPy's integer product does without the fast library."""
    product = rows.astype(np.float64) @ weights.T.astype(np.float64)
    return product.astype(np.int64)


def _dense_scales(op: Dense, source: Tensor, target: Tensor) -> list[float]:
    """One product of scales is rounded to float32, several are not."""
    if len(op.weight_scales) == 1:
        product = np.float32(source.scale) * np.float32(op.weight_scales[0])
        return [float(product) / float(target.scale)]
    return [float(source.scale) * float(w) / float(target.scale) for w in op.weight_scales]


def _rescale(op: Rescale, x: Ints, source: Tensor, target: Tensor) -> Ints:
    if op.activation is Activation.NONE:
        scale = float(source.scale) / float(target.scale)
    else:
        scale = float(np.float32(source.scale) / np.float32(target.scale))
    y = _requant(x - source.zero_point, *_multiplier(scale)) + target.zero_point
    low, high = _range(op.activation, target)
    return np.minimum(np.maximum(y, low), high)


def _softmax(op: Softmax, x: Ints, source: Tensor) -> Ints:
    n = source.shape[-1]
    rows = x.reshape(-1, n)
    diff = rows - rows.max(axis=1, keepdims=True)
    mult_q31, lshift = _multiplier(
        min(float(op.beta) * float(source.scale) * 2.0**_DIFF_FRACTION_BITS, _ONE - 1.0)
    )
    diff_min = -math.floor(31.0 * 2.0**_DIFF_FRACTION_BITS / 2.0**lshift)
    counts = diff >= diff_min
    scaled = _high_mul(np.where(counts, diff, 0) << lshift, mult_q31)
    exps = _exp_of_negative(scaled)
    sums = np.where(counts, _round_shift(exps, 12), 0).sum(axis=1, keepdims=True)
    headroom = 32 - np.frexp(sums.astype(np.float64))[1].astype(np.int64)
    reciprocal = _reciprocal_of_one_plus((sums << headroom) - _ONE)
    y = _round_shift(_high_mul(exps, reciprocal), 12 - headroom + 31 - 8) + _MIN_INT8
    return np.where(counts, np.clip(y, -128, 127), _MIN_INT8).reshape(len(x), source.elems)


def _exp_of_negative(a: Ints) -> Ints:
    """exp of a <= 0 in Q5.26, as Q0.31."""
    quarter = 1 << (_DIFF_FRACTION_BITS - 2)
    remainder = (a & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(remainder << 5)
    powers = remainder - a
    for bit, factor in enumerate(_EXP_MINUS_POWERS, _DIFF_FRACTION_BITS - 2):
        result = np.where(powers & (1 << bit), _high_mul(result, factor), result)
    return np.where(a == 0, _INT32_MAX, result)


def _exp_near_minus_eighth(a: Ints) -> Ints:
    """exp of -1/4 <= a < 0 in Q0.31: the Taylor polynomial of degree 4 around -1/8."""
    x = a + (1 << 28)
    x2 = _high_mul(x, x)
    x3 = _high_mul(x2, x)
    x4 = _high_mul(x2, x2)
    tail = _high_mul(_round_shift(x4, 2) + x3, _THIRD) + x2
    return _EXP_MINUS_EIGHTH + _high_mul(x + _round_shift(tail, 1), _EXP_MINUS_EIGHTH)


def _reciprocal_of_one_plus(a: Ints) -> Ints:
    """1 / (1 + a) for 0 <= a < 1 in Q0.31: three Newton steps."""
    total = a + _INT32_MAX
    half_denominator = (total + 1) >> 1
    x = _48_17THS_Q2_29 + _high_mul(half_denominator, _MINUS_32_17THS_Q2_29)
    for _ in range(3):
        error = (1 << 29) - _high_mul(half_denominator, x)
        x = x + _saturate(_high_mul(x, error) << 2)
    return _saturate(x << 1)


def _saturate(x: Ints) -> Ints:
    return np.clip(x, -_ONE, _INT32_MAX)
