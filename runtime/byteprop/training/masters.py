"""Where training keeps what inference does not need: residuals of weights and masters of biases,
inside the state block whose layout csrc/train/layout.c decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import HEAD_BYTES, RANGE_BYTES, Config
from byteprop.errors import TrainingError
from byteprop.graph import Graph
from byteprop.ops import Dense
from byteprop.ops.dense import weights_in_image


@dataclass(frozen=True)
class Masters:
    """Of one dense layer: weight = 256 * int8 weight + residual at scale s_w / 256; bias at scale
    s_x * s_w / 256. residual: int8 [n_out, n_in]."""

    residual: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Place:
    bias: int
    residual: int | None
    n_out: int
    n_in: int

    @property
    def stride(self) -> int:
        return (self.n_in + 3) // 4 * 4


def dense_layers(graph: Graph) -> list[Dense]:
    return [op for op in graph.ops if isinstance(op, Dense)]


def fresh_masters(graph: Graph) -> tuple[Masters, ...]:
    """Those of a network that was not trained here: its int8 weights and int32 biases, exactly."""
    return tuple(
        Masters(np.zeros(op.weights.shape, np.int8), (op.bias * 256).astype(np.int32))
        for op in dense_layers(graph)
    )


def read_masters(
    graph: Graph, config: Config, state: bytes, before: Sequence[Masters] | None = None
) -> tuple[Masters, ...]:
    """The masters of every dense layer out of a state block. before: those that the layers of the
    frozen part keep, which the state does not have."""
    masters = list(fresh_masters(graph) if before is None else before)
    for number, place in _places(graph, config, len(state)).items():
        residual = np.zeros((place.n_out, place.n_in), np.int8)
        if place.residual is not None:
            rows = np.frombuffer(state, np.int8, place.n_out * place.stride, place.residual)
            residual[:] = rows.reshape(place.n_out, place.stride)[:, : place.n_in]
        bias = np.frombuffer(state, "<i4", place.n_out, place.bias).astype(np.int32)
        masters[number] = Masters(residual, bias)
    return tuple(masters)


def write_masters(graph: Graph, config: Config, state: bytes, masters: Sequence[Masters]) -> bytes:
    """A state block with these masters, as far as the configuration has room for them. A layer
    without residuals loses them: its int8 weights are all it has."""
    out = bytearray(state)
    for number, place in _places(graph, config, len(state)).items():
        layer = masters[number]
        out[place.bias : place.bias + 4 * place.n_out] = layer.bias.astype("<i4").tobytes()
        if place.residual is not None:
            rows = np.zeros((place.n_out, place.stride), np.int8)
            rows[:, : place.n_in] = layer.residual
            out[place.residual : place.residual + rows.size] = rows.tobytes()
    return bytes(out)


def _places(graph: Graph, config: Config, state_bytes: int) -> dict[int, _Place]:
    """Of each dense layer behind the frozen part, by its number."""
    places, end = {}, HEAD_BYTES
    for number, place, following in _walk(graph, config):
        places[number] = place
        end = following
    end += kept_bytes(config.kept, next(iter(places.values())).n_in)
    if end != state_bytes:
        raise TrainingError(f"a state of {state_bytes} bytes; this network's has {end}")
    return places


def kept_bytes(kept: int, n_in: int) -> int:
    """Of the state for so many kept samples: two numbers, labels, features."""
    return 8 + (2 * kept + 3) // 4 * 4 + (kept * n_in + 3) // 4 * 4 if kept else 0


def copies_of(graph: Graph, config: Config) -> bytes:
    """What a state has at its end where the image stays in flash: weights and folded biases of the
    layers that are trained, as an image has them."""
    layers = enumerate(dense_layers(graph))
    return b"".join(
        weights_in_image(op, graph.tensors[op.input].zero_point)
        for number, op in layers
        if not config.frozen >> number & 1
    )


def _walk(graph: Graph, config: Config) -> Iterator[tuple[int, _Place, int]]:
    at = HEAD_BYTES
    gradients = config.batch > 1 or config.momentum_shift != 0
    layers = dense_layers(graph)
    for number in range(config.first_layer(len(layers)), len(layers)):
        n_out, n_in = layers[number].weights.shape
        weights = n_out * ((n_in + 3) // 4 * 4)
        bias, at = at, at + 4 * n_out + RANGE_BYTES
        residual = None
        if not config.frozen >> number & 1:
            if config.residual:
                residual, at = at, at + weights
            at += 4 * weights + 4 * n_out if gradients else 0
        yield number, _Place(bias, residual, n_out, n_in), at
