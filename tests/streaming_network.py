"""A small network that looks back in time, and steps for it: two windows of past values, as
streaming wake words have them, a delay of one step, filters over time and an LSTM."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from byteprop.graph import Activation, DType, Graph, Kind, Op, Tensor
from byteprop.ops import Concatenate, Conv, Dense, Depthwise, Reshape, Softmax
from byteprop.ops.lstm import Lstm
from byteprop.ops.push import Push
from byteprop.ops.svdf import Svdf
from byteprop.ops.window import Axis, Window

SHAPES = {
    "x": (1, 2, 1, 6), "past": (1, 5, 1, 6), "features": (1, 1, 1, 8), "window": (1, 4, 1, 8),
    "mixed": (1, 1, 1, 8), "before": (1, 1, 1, 8), "both": (1, 1, 1, 16), "flat": (1, 16),
    "values": (1, 6, 3, 2), "filtered": (1, 3), "step": (1, 1, 3), "hidden": (1, 5),
    "cell": (1, 5, 2), "cells": (1, 1, 5), "last": (1, 5), "logits": (1, 3), "y": (1, 3),
}  # fmt: skip
STATES = ("past", "window", "before", "values", "hidden", "cell")
# Scales and zero points where they are not those of the others.
SCALES = {
    "values": (0.002, 0), "filtered": (0.02, -3), "step": (0.02, -3), "hidden": (1 / 128, 0),
    "cell": (2.0**-12, 0), "cells": (1 / 128, 0), "last": (1 / 128, 0), "y": (1 / 256, -128),
}  # fmt: skip
STATE_BYTES = sum(math.prod(SHAPES[name]) for name in STATES)
# One of them does not begin as its zero point.
FIRST = {"window": bytes(range(100, 132))}
FIRST_STATES = b"\xfd" * 30 + FIRST["window"] + b"\xfd" * 8 + bytes(36 + 5 + 10)


def streaming_graph() -> Graph:
    """int8 [1, 2, 1, 6] -> int8 [1, 3]; 30 + 32 + 8 + 36 + 5 + 10 bytes of state."""
    rng = np.random.default_rng(11)
    names = list(SHAPES)
    at = {name: i for i, name in enumerate(names)}

    def tensor(name: str) -> Tensor:
        scale, zero_point = SCALES.get(name, (0.05, -3))
        kind = Kind.STATE if name in STATES else Kind.ACTIVATION
        data = FIRST.get(name, b"")
        plain = Tensor(name, SHAPES[name], DType.INT8, np.float32(scale), zero_point)
        return replace(plain, kind=kind, data=data)

    def weights(*shape: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        values = rng.integers(-127, 128, shape).astype(np.int8)
        return values, rng.integers(-400, 400, n).astype(np.int32), np.float32([0.006] * n)

    def lstm() -> Lstm:
        gates = [weights(5, 3, n=5) for _ in range(4)]
        recurrent = tuple(weights(5, 5, n=5)[0] for _ in gates)
        return Lstm(
            at["step"], at["cells"], at["hidden"], at["cell"], tuple(g[0] for g in gates),
            recurrent, tuple(g[1] for g in gates), (np.float32(0.02),) * 4,
            (np.float32(0.01),) * 4,
        )  # fmt: skip

    relu = Activation.RELU
    ops: tuple[Op, ...] = (
        Push(at["past"], at["past"], at["x"]),
        Conv(at["past"], at["features"], *weights(8, 5, 1, 6, n=8), Window(Axis(5), Axis(1)), relu),
        Push(at["window"], at["window"], at["features"]),
        Depthwise(at["window"], at["mixed"], *weights(1, 4, 1, 8, n=8), Window(Axis(4), Axis(1))),
        Concatenate(at["mixed"], at["both"], (at["before"],), 3),
        Reshape(at["mixed"], at["before"]),
        Reshape(at["both"], at["flat"]),
        Svdf(
            at["flat"],
            at["filtered"],
            at["values"],
            weights(6, 16, n=1)[0],
            rng.integers(-32767, 32768, (6, 3)).astype(np.int16),
            np.int32([-(2**24), 0, 2**24]),
            np.float32(0.002),
            np.float32(2.0**-15),
            2,
        ),
        Reshape(at["filtered"], at["step"]),
        lstm(),
        Reshape(at["cells"], at["last"]),
        Dense(at["last"], at["logits"], *weights(3, 5, n=3)),
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
