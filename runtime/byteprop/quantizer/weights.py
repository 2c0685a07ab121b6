"""Weights and biases in integers, with one scale per output channel, and the correction of what
rounding the weights does to the mean of an output."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError, UnsupportedOpError
from byteprop.float_ops import float_ops
from byteprop.float_ops.spec import FUSED
from byteprop.graph.float_graph import NO_TENSOR, Array, FloatGraph, Node

_LARGEST = 127
_LARGEST_SUM = 2**31 - 1
# Below these, layers take the fast requantisation of every CPU.
_FAST_SUM = 2**28
_LEAST_MULTIPLIER = 2.0**-22
_BLOCK = 1 << 16


class Rounded(NamedTuple):
    """Weights int8 in the order of the file, their scales, and the bias int32."""

    weights: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    bias: npt.NDArray[np.int32]

    def rows(self, first: int, end: int) -> Rounded:
        """Of some of the channels, where they are the first axis."""
        at = slice(first, end)
        return Rounded(self.weights[at], self.scales[at], self.bias[at])


def weights_and_bias(graph: FloatGraph, node: Node) -> tuple[Array, Array, int]:
    """Of an op with weights; the last is their axis of channels. Zeros for a bias left out."""
    roles = float_ops()[node.name].weights
    assert roles is not None
    weights = _constant(graph, node, roles.weights)
    if weights is None:
        _refuse(graph, node, "has no weights")
    bias = _constant(graph, node, roles.bias)
    n_out = weights.shape[roles.axis] if weights.ndim > roles.axis else 1
    return weights, np.zeros(n_out) if bias is None else bias.reshape(-1), roles.axis


def _constant(graph: FloatGraph, node: Node, operand: int) -> Array | None:
    """None for an operand that is left out."""
    if len(node.inputs) <= operand or node.inputs[operand] == NO_TENSOR:
        return None
    tensor = graph.tensors[node.inputs[operand]]
    if tensor.data is None or tensor.is_index:
        _refuse(graph, node, f"takes {tensor.name!r}, which is no constant with real numbers")
    return tensor.data


def _refuse(graph: FloatGraph, node: Node, what: str) -> NoReturn:
    name = graph.tensors[node.outputs[0]].name
    raise UnsupportedOpError(
        f"{node.name} with output {name!r} {what}; quantize takes constant weights and biases"
    )


def round_weights(
    weights: Array, bias: Array, axis: int, x_scale: float, y_scale: float
) -> Rounded:
    """The largest weight of a channel in 127 steps, or wider: see _scales."""
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    scales = _scales(rows, bias.astype(np.float64), x_scale, y_scale)
    steps = np.empty(rows.shape, np.int8)
    n = max(1, _BLOCK // rows.shape[1])
    for i in range(0, len(rows), n):  # a copy in double takes eight times as much
        block = _nearest(rows[i : i + n] / scales[i : i + n, np.newaxis].astype(np.float64))
        steps[i : i + n] = np.clip(block, -_LARGEST, _LARGEST)
    moved = (weights.shape[axis], *np.delete(weights.shape, axis))
    ordered = np.moveaxis(steps.reshape(moved), 0, axis)
    return Rounded(ordered, scales, round_bias(bias, scales, x_scale))


def round_bias(
    bias: Array, scales: npt.NDArray[np.float32], x_scale: float
) -> npt.NDArray[np.int32]:
    return _nearest(bias / (scales.astype(np.float64) * x_scale)).astype(np.int32)


def _scales(rows: Array, bias: Array, x_scale: float, y_scale: float) -> npt.NDArray[np.float32]:
    """One per channel: the largest weight in 127 steps, or wider where the bias, which counts in
    steps of the input times the weights, would not fit, or where the multiplier to the output
    would be too small. What is lost of the weights then is far below a step of the output."""
    largest = np.maximum(rows.max(axis=1), -rows.min(axis=1)).astype(np.float64)
    # A channel without weights takes the scale of the others: its bias is all there is of it.
    largest[largest == 0] = largest.max() if largest.max() > 0 else 1.0
    sums = 255 * _LARGEST * rows.shape[1]
    most = _FAST_SUM - 2 * sums
    if most < 1:
        most = max(_LARGEST_SUM - sums, 1)
    with np.errstate(over="ignore"):
        least = np.abs(bias) / (most * x_scale)
        wide = np.maximum(least, _LEAST_MULTIPLIER * y_scale / x_scale)
        scales = np.maximum(largest / _LARGEST, wide).astype(np.float32)
    too_large = np.flatnonzero(~np.isfinite(scales))
    if too_large.size:
        at = int(too_large[0])
        raise ArgumentError(
            f"output {at}: expected weights and bias in the range of float32, got weights up to "
            f"{largest[at]:g}, bias {bias[at]:g} for inputs in steps of {x_scale:g}"
        )
    return np.maximum(scales, np.finfo(np.float32).tiny)


def mean_error(
    graph: FloatGraph, node: Node, mean_x: Array, rounded: Rounded
) -> npt.NDArray[np.float64]:
    """What rounding the weights adds to each channel, on average over positions and samples. The
    op is linear, so it is the op of the mean input and the change of the weights."""
    weights, _, axis = weights_and_bias(graph, node)
    roles = float_ops()[node.name].weights
    assert roles is not None
    indices = [t != NO_TENSOR and graph.tensors[t].is_index for t in node.inputs]
    operands = [
        graph.tensors[t].data if is_index else None
        for t, is_index in zip(node.inputs, indices, strict=True)
    ]
    operands += [None] * (roles.bias + 1 - len(operands))
    operands[input_operand(node)] = mean_x[np.newaxis]
    linear = Node(node.name, node.inputs, node.outputs, {**node.options, FUSED: 0})
    # Dense layers may be large: some rows of theirs at a time.
    n = len(weights) if node.name != "FULLY_CONNECTED" else max(1, _BLOCK // weights.shape[1])
    errors = []
    for i in range(0, len(weights), n):
        part = rounded if n == len(weights) else rounded.rows(i, i + n)
        along = [-1 if a == axis else 1 for a in range(weights.ndim)]
        scales = part.scales.astype(np.float64).reshape(along)
        operands[roles.weights] = (part.weights * scales - weights[i : i + n])[np.newaxis]
        (y,) = float_ops()[node.name].run(linear, operands)
        errors.append(y.reshape(-1, y.shape[-1]).mean(axis=0))
    return np.concatenate(errors)


def input_operand(node: Node) -> int:
    """Of an op with weights, where its activation is."""
    return 2 if node.name == "TRANSPOSE_CONV" else 0


def _nearest(x: Array) -> Array:
    return np.asarray(np.floor(x + 0.5))
