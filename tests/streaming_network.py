"""A small network that looks back in time, and steps for it: two windows of past values, as
streaming wake words have them, and a delay of one step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from byteprop.graph import Activation, DType, Graph, Kind, Op, Tensor
from byteprop.ops import Concatenate, Conv, Dense, Depthwise, Reshape, Softmax
from byteprop.ops.push import Push
from byteprop.ops.window import Axis, Window

SHAPES = {
    "x": (1, 2, 1, 6), "past": (1, 5, 1, 6), "features": (1, 1, 1, 8), "window": (1, 4, 1, 8),
    "mixed": (1, 1, 1, 8), "before": (1, 1, 1, 8), "both": (1, 1, 1, 16), "flat": (1, 16),
    "logits": (1, 3), "y": (1, 3),
}  # fmt: skip
STATES = ("past", "window", "before")


def streaming_graph() -> Graph:
    """int8 [1, 2, 1, 6] -> int8 [1, 3]; 30 + 32 + 8 bytes of state."""
    rng = np.random.default_rng(11)
    names = list(SHAPES)
    at = {name: i for i, name in enumerate(names)}

    def tensor(name: str) -> Tensor:
        scale, zero_point = (1 / 256, -128) if name == "y" else (0.05, -3)
        kind = Kind.STATE if name in STATES else Kind.ACTIVATION
        return Tensor(name, SHAPES[name], DType.INT8, np.float32(scale), zero_point, kind=kind)

    def weights(*shape: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        values = rng.integers(-127, 128, shape).astype(np.int8)
        return values, rng.integers(-400, 400, n).astype(np.int32), np.float32([0.006] * n)

    relu = Activation.RELU
    ops: tuple[Op, ...] = (
        Push(at["past"], at["past"], at["x"]),
        Conv(at["past"], at["features"], *weights(8, 5, 1, 6, n=8), Window(Axis(5), Axis(1)), relu),
        Push(at["window"], at["window"], at["features"]),
        Depthwise(at["window"], at["mixed"], *weights(1, 4, 1, 8, n=8), Window(Axis(4), Axis(1))),
        Concatenate(at["mixed"], at["both"], (at["before"],), 3),
        Reshape(at["mixed"], at["before"]),
        Reshape(at["both"], at["flat"]),
        Dense(at["flat"], at["logits"], *weights(3, 16, n=3)),
        Softmax(at["logits"], at["y"]),
    )
    tensors = tuple(map(tensor, names))
    return Graph(tensors, ops, (at["x"],), (at["y"],))


def without_state(graph: Graph) -> Graph:
    """A network of the same shapes without memory."""
    x, y = (replace(graph.tensors[t]) for t in (graph.inputs[0], graph.outputs[0]))
    flat = replace(x, name="flat", shape=(1, x.elems))
    rng = np.random.default_rng(12)
    dense = Dense(
        1, 2, rng.integers(-127, 128, (3, x.elems)).astype(np.int8), np.zeros(3, np.int32),
        np.float32([0.01]),
    )  # fmt: skip
    return Graph((x, flat, y), (Reshape(0, 1), dense), (0,), (2,))


def steps(n: int, seed: int = 1) -> np.ndarray:  # type: ignore[type-arg]
    """int8 [n, 2, 1, 6]."""
    return np.random.default_rng(seed).integers(-128, 128, (n, *SHAPES["x"][1:])).astype(np.int8)
