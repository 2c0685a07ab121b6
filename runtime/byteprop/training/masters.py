"""Where training keeps what inference does not need: residuals of weights and masters of biases,
inside the state block whose layout csrc/train/layout.c decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import HEAD_BYTES, RANGE_BYTES, Config
from byteprop.errors import TrainingError
from byteprop.graph import Graph
from byteprop.ops import Conv, Dense, Depthwise
from byteprop.ops.add import Add
from byteprop.ops.mean import Mean
from byteprop.ops.weights import folded_bias, rows_of

Weighted = Dense | Conv | Depthwise


@dataclass(frozen=True)
class Masters:
    """Of one layer with weights: weight = 256 * int8 weight + residual at scale s_w / 256; bias at
    scale s_x * s_w / 256. residual: int8, of the weights' shape."""

    residual: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Place:
    """residual: where it begins, with its bytes; None: there is none."""

    op: Weighted
    bias: int
    residual: int | None
    bytes: int


def weighted_layers(graph: Graph) -> list[Weighted]:
    """The layers that may be trained, in order."""
    return [op for op in graph.ops if isinstance(op, Weighted)]


def dense_layers(graph: Graph) -> list[Dense]:
    return [op for op in graph.ops if isinstance(op, Dense)]


def by_output(op: Weighted, weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of the weights' shape with the outputs last: of a dense layer [n_in, n_out], of a
    convolution [height, width, n_in, n_out], of a depthwise one [height, width, n_out]."""
    return weights[0] if isinstance(op, Depthwise) else np.moveaxis(weights, 0, -1)


def from_output(op: Weighted, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The other way."""
    return values[None] if isinstance(op, Depthwise) else np.moveaxis(values, -1, 0)


def are_trained(graph: Graph, config: Config) -> list[bool]:
    """Of each layer with weights."""
    layers = weighted_layers(graph)
    behind = sum(not isinstance(op, Dense) for op in layers)
    number, found = 0, []
    for op in layers:
        if isinstance(op, Dense):
            found.append(not config.frozen >> number & 1)
            number += 1
        else:
            behind -= 1
            found.append(behind < config.convs)
    return found


def first_layer(graph: Graph, config: Config) -> int:
    """Which layer with weights is the first that is trained; the last dense one if none is."""
    trained = are_trained(graph, config)
    if any(trained):
        return trained.index(True)
    return max(i for i, op in enumerate(weighted_layers(graph)) if isinstance(op, Dense))


def fresh_masters(graph: Graph) -> tuple[Masters, ...]:
    """Those of a network that was not trained here: its int8 weights and int32 biases, exactly."""
    return tuple(
        Masters(np.zeros(op.weights.shape, np.int8), (op.bias * 256).astype(np.int32))
        for op in weighted_layers(graph)
    )


def read_masters(
    graph: Graph, config: Config, state: bytes, before: Sequence[Masters] | None = None
) -> tuple[Masters, ...]:
    """The masters of every layer with weights out of a state block. before: those that the layers
    of the frozen part keep, which the state does not have."""
    masters = list(fresh_masters(graph) if before is None else before)
    for number, place in _places(graph, config, len(state)).items():
        residual = np.zeros(place.op.weights.shape, np.int8)
        if place.residual is not None:
            stored = np.frombuffer(state, np.int8, place.bytes, place.residual)
            residual = _from_image(place.op, stored)
        bias = np.frombuffer(state, "<i4", len(place.op.bias), place.bias).astype(np.int32)
        masters[number] = Masters(residual, bias)
    return tuple(masters)


def write_masters(graph: Graph, config: Config, state: bytes, masters: Sequence[Masters]) -> bytes:
    """A state block with these masters, as far as the configuration has room for them. A layer
    without residuals loses them: its int8 weights are all it has."""
    out = bytearray(state)
    for number, place in _places(graph, config, len(state)).items():
        layer = masters[number]
        biases = layer.bias.astype("<i4").tobytes()
        out[place.bias : place.bias + len(biases)] = biases
        if place.residual is not None:
            out[place.residual : place.residual + place.bytes] = _as_image(place.op, layer.residual)
    return bytes(out)


def _as_image(op: Weighted, values: npt.NDArray[np.int8]) -> bytes:
    """Values of the weights' shape in the order in which an image has the weights: taps of a
    depthwise convolution, else rows that are filled up."""
    if isinstance(op, Depthwise):
        return values.tobytes()
    return rows_of(values.reshape(len(values), -1)).tobytes()


def _from_image(op: Weighted, stored: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    if isinstance(op, Depthwise):
        return stored.reshape(op.weights.shape).copy()
    n_out = len(op.weights)
    rows = stored.reshape(n_out, -1)[:, : op.weights.size // n_out]
    return rows.reshape(op.weights.shape).copy()


def _places(graph: Graph, config: Config, state_bytes: int) -> dict[int, _Place]:
    """Of each layer with weights behind the frozen part, by its position among all of them."""
    places, end = {}, HEAD_BYTES
    for number, place, following in _walk(graph, config):
        places[number] = place
        end = following
    first = next(iter(places.values())).op
    end += kept_bytes(config.kept, graph.tensors[first.input].elems)
    if end != state_bytes:
        raise TrainingError(f"a state of {state_bytes} bytes; this network's has {end}")
    return places


def kept_bytes(kept: int, features: int) -> int:
    """Of the state for so many kept samples: four numbers, labels, features of each."""
    return 16 + (2 * kept + 3) // 4 * 4 + (kept * features + 3) // 4 * 4 if kept else 0


def copies_of(graph: Graph, config: Config) -> bytes:
    """What a state has at its end where the image stays in flash: weights and folded biases of the
    layers that are trained, as an image has them."""
    parts = []
    for op, trained in zip(weighted_layers(graph), are_trained(graph, config), strict=True):
        if trained:
            zero_point = graph.tensors[op.input].zero_point
            weights = _as_image(op, op.weights)
            axis = 3 if isinstance(op, Depthwise) else 0
            others = tuple(i for i in range(op.weights.ndim) if i != axis)
            sums = op.weights.sum(axis=others, dtype=np.int64)
            bias = folded_bias(op.bias, sums, zero_point).astype("<i4").tobytes()
            parts.append(weights + bytes(-len(weights) % 4) + bias)
    return b"".join(parts)


def _walk(graph: Graph, config: Config) -> Iterator[tuple[int, _Place, int]]:
    at = HEAD_BYTES
    gradients = config.batch > 1 or config.momentum_shift != 0
    trained, first = are_trained(graph, config), first_layer(graph, config)
    number = -1
    for op in graph.ops:
        number += isinstance(op, Weighted)
        if number < first:
            continue
        if isinstance(op, (Mean, Add)) and config.window:
            at += RANGE_BYTES
        if not isinstance(op, Weighted):
            continue
        weights, n_out = len(_as_image(op, op.weights)), len(op.bias)
        bias, at = at, at + 4 * n_out + RANGE_BYTES
        residual = None
        if trained[number]:
            if config.residual:
                residual, at = at, at + (weights + 3) // 4 * 4
            at += 4 * weights + 4 * n_out if gradients else 0
        yield number, _Place(op, bias, residual, weights), at
