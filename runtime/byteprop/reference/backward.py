"""Errors and gradients of convolutions and pools, in NumPy; docs/numerics.md, section Convolutions
and pools. Images are [height, width, channels]; every error is stored, none left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import Activation, Op, Tensor
from byteprop.ops.add import Add
from byteprop.ops.concatenate import Concatenate
from byteprop.ops.conv import Conv
from byteprop.ops.convolution import Convolution
from byteprop.ops.dense import Dense
from byteprop.ops.depthwise import Depthwise
from byteprop.ops.mean import Mean
from byteprop.ops.pad import Pad
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import HEIGHT, WIDTH, Axis
from byteprop.reference.conv import taps_of
from byteprop.reference.reals import (
    Ints,
    Real,
    div,
    mul,
    mulsat,
    real_of_float32,
    real_of_integer,
)
from byteprop.reference.window import taps

_WIDEST_SUM, _MOST_POSITIONS = 511, 257
_MOST_TAPS = 256
_ONE = real_of_integer(1)


def rows_of(op: Dense | Convolution) -> npt.NDArray[Any]:
    """Weights [rows, weights of a row]: of each output, in the order of kernel row, column, input
    channel."""
    if isinstance(op, Depthwise):
        return op.weights.reshape(-1, op.weights.shape[3]).T
    return op.weights.reshape(len(op.weights), -1)


def weights_of(op: Dense | Convolution, rows: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """As the op has them."""
    if isinstance(op, Depthwise):
        return np.ascontiguousarray(rows.T).reshape(op.weights.shape)
    return rows.reshape(op.weights.shape)


def is_plain_maximum(op: Op) -> bool:
    return isinstance(op, Pool) and op.pool is PoolKind.MAX and op.activation is Activation.NONE


def problem(op: Op, inputs: list[Tensor], y: Tensor) -> str:
    """Why errors cannot go through this op; "" if they can."""
    x = inputs[0]
    if isinstance(op, Add) and any(t.elems != y.elems for t in inputs):
        return "inputs of as many values as the output can be trained"
    if isinstance(op, (Add, Pad, Concatenate)):
        channels = y.shape[-1] if y.shape else 1
        if channels > 32767 or y.elems > 65535 * channels:
            return "at most 65535 rows of 32767 values can be trained"
    if isinstance(op, (Conv, Depthwise, Pool)) and (
        x.shape[0] != 1 or y.elems > 65535 * y.shape[3]
    ):
        return "one image of at most 65535 outputs per channel can be trained"
    if isinstance(op, (Conv, Depthwise)):
        if any(axis.dilation != 1 for axis in op.window.axes):
            return "dilation cannot be trained"
        if isinstance(op, Conv) and op.weights.shape[3] != x.shape[3]:
            return "groups cannot be trained"
        scales = (x.scale, y.scale, *op.weight_scales)
        if not all(np.float32(scale) >= np.finfo(np.float32).tiny for scale in scales):
            return "a scale is not normal"
    if getattr(op, "activation", Activation.NONE) is Activation.RELU_0_TO_1:
        return "RELU_0_TO_1 cannot be trained"
    if isinstance(op, Pool) and op.window.height.kernel * op.window.width.kernel > _MOST_TAPS:
        return f"windows of at most {_MOST_TAPS} values can be trained"
    if isinstance(op, Mean) and (len(x.shape) != 4 or op.axes != (HEIGHT, WIDTH)):
        return "a mean over height and width can be trained"
    return ""


def gradient(op: Op, delta: Ints, u: Ints) -> tuple[Ints, Ints, int]:
    """g [rows, weights of a row], gb [rows] and the shift n of the errors in g."""
    assert isinstance(op, Convolution)
    positions, n = delta.shape[0] * delta.shape[1], _least_shift(delta.shape[:2], _MOST_POSITIONS)
    D = _shifted(delta, n).reshape(positions, -1)
    g = []
    for _, _, values in _taps(op, u, delta.shape):
        if isinstance(op, Depthwise):
            values = values[..., _inputs_of(op, u)]
            g.append((D * values.reshape(positions, -1)).sum(axis=0)[:, None])
        else:
            g.append(_product(D.T, values.reshape(positions, -1)))
    assert all((np.abs(part) < 1 << 31).all() for part in g)
    return np.concatenate(g, axis=1), delta.sum(axis=(0, 1)), n


def down(
    op: Op, delta: Ints, unit: Real, q: Ints, Wh: Ints, weight_scales: npt.NDArray[np.float32]
) -> tuple[Ints, Real]:
    """h at the op's input, whose values are q, and what 1 in it stands for."""
    if isinstance(op, Convolution):
        return _through_convolution(op, delta, unit, q.shape, Wh, weight_scales)
    if isinstance(op, Mean):
        n = q.shape[0] * q.shape[1]
        return np.broadcast_to(delta, q.shape), div(unit, real_of_integer(n))
    assert isinstance(op, Pool)
    if op.pool is PoolKind.MAX:
        return _through_maximum(op, delta, q), unit
    return _through_average(op, delta, unit, q.shape)


def split(op: Op, delta: Ints, shapes: list[tuple[int, ...]]) -> list[Ints]:
    """The errors of each input."""
    if isinstance(op, Add):
        return [delta, -delta if op.subtracts else delta]
    if isinstance(op, Pad):
        inside = [slice(b, b + n) for b, n in zip(op.before, shapes[0], strict=True)]
        return [delta[tuple(inside)]]
    assert isinstance(op, Concatenate)
    ends = np.cumsum([shape[op.axis] for shape in shapes])
    return list(np.split(delta, ends[:-1], axis=op.axis))


def _through_convolution(
    op: Convolution,
    delta: Ints,
    unit: Real,
    x_shape: tuple[int, ...],
    Wh: Ints,
    weight_scales: npt.NDArray[np.float32],
) -> tuple[Ints, Real]:
    s_max = real_of_float32(weight_scales.max())
    d = mulsat(delta, div(real_of_float32(weight_scales), s_max), 32768)
    per_input = delta.shape[2] // x_shape[2] if isinstance(op, Depthwise) else delta.shape[2]
    windows = [-(-axis.kernel // axis.stride) for axis in op.window.axes]
    k = _least_shift((per_input, *windows), _WIDEST_SUM)
    d = _shifted(d, k)
    h = np.zeros(x_shape, np.int64)
    at = np.arange(h.size).reshape(h.shape) + 1  # 0 stands for what is outside
    flat = np.zeros(h.size + 1, np.int64)
    # A float64 holds every sum exactly.
    taps = _taps(op, at, delta.shape)
    for (_, _, places), rows in zip(taps, _taps_of_rows(op, Wh), strict=True):
        if isinstance(op, Depthwise):
            np.add.at(flat, places[..., _inputs_of(op, h)], d * rows)
        else:
            np.add.at(flat, places, _product(d, rows))
    assert (np.abs(flat) < 1 << 31).all()
    return flat[1:].reshape(h.shape), mul(unit, s_max).scaled(k)


def _through_maximum(op: Pool, delta: Ints, q: Ints) -> Ints:
    h = np.zeros(q.shape, np.int64)
    channels = np.arange(q.shape[2])
    for v, u, rows, columns in _windows(op, delta.shape, q.shape):
        places = [(row, column) for row in rows for column in columns]
        values = np.array([q[place] for place in places])
        first = np.array(places)[values.argmax(axis=0)]
        h[first[:, 0], first[:, 1], channels] += delta[v, u]
    return h


def _through_average(
    op: Pool, delta: Ints, unit: Real, x_shape: tuple[int, ...]
) -> tuple[Ints, Real]:
    h = np.zeros(x_shape, np.int64)
    sizes = zip(op.window.axes, x_shape, delta.shape, strict=False)
    are_alike = all(
        axis.stride >= axis.kernel and axis.pad == 0
        and (n_out - 1) * axis.stride + axis.kernel <= n_in
        for axis, n_in, n_out in sizes
    )  # fmt: skip
    for v, u, rows, columns in _windows(op, delta.shape, x_shape):
        n = real_of_integer(len(rows) * len(columns))
        share = delta[v, u] if are_alike else mulsat(delta[v, u], div(_ONE, n), 32768)
        h[np.ix_(rows, columns)] += share
    if are_alike:
        unit = div(unit, real_of_integer(op.window.height.kernel * op.window.width.kernel))
    return h, unit


def _windows(op: Pool, y: tuple[int, ...], x: tuple[int, ...]) -> list[tuple[int, int, Any, Any]]:
    """Row, column, and input rows and columns of each output."""

    def inside(axis: Axis, position: int, n: int) -> list[int]:
        return [at for _, at in taps(axis, position, n)]

    return [
        (v, u, inside(op.window.height, v, x[0]), inside(op.window.width, u, x[1]))
        for v in range(y[0])
        for u in range(y[1])
    ]


def _taps(op: Convolution, image: Ints, y_shape: tuple[int, ...]) -> list[tuple[int, int, Ints]]:
    taps = taps_of(op, image[None], (1, *y_shape))
    return [(ky, kx, values[0]) for ky, kx, values in taps]


def _taps_of_rows(op: Convolution, Wh: Ints) -> list[Ints]:
    """Of each tap: [rows, input channels], of a depthwise convolution [rows]."""
    n = op.window.height.kernel * op.window.width.kernel
    by_tap = np.moveaxis(Wh.reshape(len(Wh), n, -1), 1, 0)
    return [tap[:, 0] if isinstance(op, Depthwise) else tap for tap in by_tap]


def _inputs_of(op: Convolution, image: Ints) -> Ints:
    """Of each output channel of a depthwise convolution, the input channel."""
    n_out = op.weights.shape[3]
    return np.arange(n_out) // (n_out // image.shape[2])


def _least_shift(factors: tuple[int, ...], most: int) -> int:
    """The least k with most * 2^k >= the product."""
    k, n = 0, int(np.prod(factors))
    while most << k < n:
        k += 1
    return k


def _shifted(x: Ints, k: int) -> Ints:
    return (x + (1 << (k - 1))) >> k if k else x


def _product(a: Ints, b: Ints) -> Ints:
    """a @ b, exact in double."""
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
