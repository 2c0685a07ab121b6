"""Inference in NumPy, written from docs/numerics.md alone: a second opinion on what the C kernels
and the model image compute, and the reference where tflite-runtime cannot be installed.

It shares no arithmetic with the rest of the package. Each op has a file, named as that in
`byteprop.ops`, with a function `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import Graph, Normalization
from byteprop.graph.tensor import DType, Kind, Tensor
from byteprop.reference.fixed import LIMITS, Ints, round_half_away

__all__ = [
    "dequantize", "first_states", "normalize", "quantize", "run", "run_layers", "run_states",
]  # fmt: skip


def run(graph: Graph, inputs: Sequence[npt.NDArray[np.generic]]) -> list[npt.NDArray[np.generic]]:
    """The model's outputs for n samples: integers of the graph's dtypes in and out, batch first.

    A tensor's first dimension is the batch: arrays have the shape (n * shape[0], *shape[1:]).
    """
    values = _evaluate(graph, inputs)
    return [_as_output(graph.tensors[index], values[index]) for index in graph.outputs]


def run_layers(
    graph: Graph,
    inputs: Sequence[npt.NDArray[np.generic]],
    *,
    states: Mapping[int, npt.NDArray[np.generic]] | None = None,
) -> list[npt.NDArray[np.generic]]:
    """The first output of every op, in the graph's order, as run gives the model's outputs.
    states: what they begin with, as of first_states or run_states."""
    values = _evaluate(graph, inputs, states)
    results = (op.outputs[0] for op in graph.ops)
    return [_as_output(graph.tensors[t], values[t]) for t in results]


def first_states(graph: Graph) -> dict[int, npt.NDArray[np.generic]]:
    """The values of each state before the first sample, by tensor; flat."""
    return {
        t: _first_values(tensor)
        for t, tensor in enumerate(graph.tensors)
        if tensor.kind is Kind.STATE
    }


def _first_values(state: Tensor) -> npt.NDArray[np.generic]:
    if state.data:
        return np.frombuffer(state.data, state.dtype.numpy).copy()
    return np.full(state.elems, state.zero_point, state.dtype.numpy)


def run_states(
    graph: Graph,
    inputs: Sequence[npt.NDArray[np.generic]],
    states: Mapping[int, npt.NDArray[np.generic]],
) -> dict[int, npt.NDArray[np.generic]]:
    """The values of each state after these samples, which begin with these states."""
    values = _evaluate(graph, inputs, states)
    return {t: values[t][-1].astype(graph.tensors[t].dtype.numpy) for t in states}


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
    """float32 to integers at the model's boundary: rounded half away from zero, saturated."""
    real = np.asarray(x, np.float32)
    if not bool(np.isfinite(real).all()):
        raise ArgumentError("x: expected finite numbers, got NaN or infinity")
    low, high = LIMITS[dtype]
    with np.errstate(over="ignore"):
        steps = (real / np.float32(scale)).astype(np.float64)
    rounded = round_half_away(np.clip(steps, low - zero_point - 1, high - zero_point + 1))
    return np.clip(rounded + zero_point, low, high).astype(dtype.numpy)


def dequantize(
    q: npt.NDArray[np.generic], scale: np.float32, zero_point: int
) -> npt.NDArray[np.float32]:
    """Integers to float32 at the model's boundary."""
    steps = np.asarray(q).astype(np.int64) - zero_point
    return (np.float64(np.float32(scale)) * steps).astype(np.float32)


def _evaluate(
    graph: Graph,
    inputs: Sequence[npt.NDArray[np.generic]],
    states: Mapping[int, npt.NDArray[np.generic]] | None = None,
) -> dict[int, Ints]:
    """Every tensor's values as int64 [n, elems]."""
    if len(inputs) != len(graph.inputs):
        raise ArgumentError(f"inputs: expected {len(graph.inputs)} arrays, got {len(inputs)}")
    values = {
        index: _as_input(graph.tensors[index], array, position)
        for position, (index, array) in enumerate(zip(graph.inputs, inputs, strict=True))
    }
    if len({len(array) for array in values.values()}) > 1:
        counts = [len(array) for array in values.values()]
        raise ArgumentError(f"inputs: expected as many samples in each, got {counts}")
    begin = first_states(graph) if states is None else states
    if not begin:
        return _run_ops(graph, values)
    return _in_order(graph, values, {t: v.astype(np.int64)[None] for t, v in begin.items()})


def _in_order(graph: Graph, values: dict[int, Ints], states: dict[int, Ints]) -> dict[int, Ints]:
    """Sample by sample: each begins with the state that the one before has left."""
    n = len(next(iter(values.values())))
    samples = []
    for i in range(n):
        one = _run_ops(graph, {t: v[i : i + 1] for t, v in values.items()} | states)
        states = {t: one[t] for t in states}
        samples.append(one)
    if not samples:
        return _run_ops(graph, values | {t: state[:0] for t, state in states.items()})
    return {t: np.concatenate([one[t] for one in samples]) for t in samples[0]}


def _run_ops(graph: Graph, values: dict[int, Ints]) -> dict[int, Ints]:
    """All tensors, from those that are there before the first op."""
    values = values | {t: _constant(tensor, values) for t, tensor in _constants(graph)}
    for op in graph.ops:
        x, y = ([graph.tensors[t] for t in operands] for operands in (op.inputs, op.outputs))
        results = _function(type(op).__module__)(op, [values[t] for t in op.inputs], x, y)
        values.update(zip(op.outputs, results, strict=True))
    return values


@cache
def _function(op_module: str) -> Callable[..., list[Ints]]:
    """What computes an op: `run` of the file here that has the name of the op's in byteprop.ops."""
    module = import_module(f"{__name__}.{op_module.rpartition('.')[2]}")
    function: Callable[..., list[Ints]] = module.run
    return function


def _constants(graph: Graph) -> list[tuple[int, Tensor]]:
    return [(t, x) for t, x in enumerate(graph.tensors) if x.kind is Kind.CONSTANT]


def _constant(tensor: Tensor, values: dict[int, Ints]) -> Ints:
    """The constant, once for each sample."""
    samples = len(next(iter(values.values())))
    row = np.frombuffer(tensor.data, tensor.dtype.numpy).astype(np.int64)
    return np.broadcast_to(row, (samples, tensor.elems))


def _as_input(tensor: Tensor, array: npt.NDArray[np.generic], position: int) -> Ints:
    batch, *rest = tensor.value_shape or (1,)
    dtype = tensor.dtype.value_numpy
    if array.dtype != dtype:
        raise ArgumentError(f"inputs[{position}]: expected dtype {dtype}, got {array.dtype}")
    if not array.ndim or array.shape[1:] != tuple(rest) or len(array) % batch:
        shape = ", ".join(map(str, [f"n * {batch}", *rest]))
        raise ArgumentError(f"inputs[{position}]: expected shape ({shape}), got {array.shape}")
    elements = np.ascontiguousarray(array).view(tensor.dtype.numpy)
    return elements.reshape(len(array) // batch, tensor.elems).astype(np.int64)


def _as_output(tensor: Tensor, values: Ints) -> npt.NDArray[np.generic]:
    batch, *rest = tensor.value_shape or (1,)
    elements = values.astype(tensor.dtype.numpy).reshape(len(values), tensor.elems)
    return elements.view(tensor.dtype.value_numpy).reshape(len(values) * batch, *rest)
