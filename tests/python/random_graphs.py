"""A builder of graphs, and small graphs to take apart; `random_networks` draws others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from byteprop.graph import Activation, DType, Graph, Kind, Normalization, Op, Tensor
from byteprop.ops import (
    Concatenate,
    Conv,
    Dense,
    Depthwise,
    Pad,
    Rescale,
    Reshape,
    Slice,
    Softmax,
    Transpose,
    TransposeConv,
)
from byteprop.ops.add import Add
from byteprop.ops.extremum import Extremum
from byteprop.ops.mul import Mul
from byteprop.ops.prelu import Prelu
from byteprop.ops.table import Function, Table, make_table
from byteprop.ops.window import Axis, Window

Floats = npt.NDArray[np.float32]
SOFTMAX_SCALE, SOFTMAX_ZERO_POINT = np.float32(1 / 256), -128


@dataclass
class Builder:
    """Grows a graph op by op."""

    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)

    def tensor(
        self,
        shape: tuple[int, ...],
        scale: float = 0.05,
        zero_point: int = 0,
        dtype: DType = DType.INT8,
        float_border: bool = False,
    ) -> int:
        name = f"t{len(self.tensors)}"
        self.tensors.append(Tensor(name, shape, dtype, np.float32(scale), zero_point, float_border))
        return len(self.tensors) - 1

    def add(self, op: Op) -> int:
        self.ops.append(op)
        return op.output

    def dense(
        self,
        x: int,
        weights: npt.NDArray[np.int8],
        y: int,
        activation: Activation = Activation.NONE,
        scales: tuple[float, ...] = (0.02,),
    ) -> int:
        bias = np.arange(len(weights), dtype=np.int32) * 7 - 5
        return self.add(Dense(x, y, weights, bias, np.array(scales, np.float32), activation))

    def graph(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Graph:
        return Graph(tuple(self.tensors), tuple(self.ops), inputs, outputs)


def small_graph() -> Graph:
    """int8 [1, 5] -> dense 3 with ReLU -> dense 4 per channel -> softmax."""
    b = Builder()
    x = b.tensor((1, 5), 0.1, 3)
    hidden, logits = b.tensor((1, 3), 0.08, -128), b.tensor((1, 4), 0.2, 11)
    y = b.tensor((1, 4), 1 / 256, -128)
    rng = np.random.default_rng(1)
    weights = rng.integers(-127, 128, (3, 5), dtype=np.int8)
    b.dense(x, weights, hidden, Activation.RELU)
    b.dense(hidden, rng.integers(-127, 128, (4, 3), np.int8), logits, scales=(0.1, 0.2, 0.3, 0.4))
    b.add(Softmax(logits, y))
    return b.graph((x,), (y,))


def graph_of_every_op() -> Graph:
    """float as uint8 -> rescale -> reshape -> dense -> ReLU6 alone -> softmax -> float."""
    b = Builder()
    x = b.tensor((1, 2, 3), 0.5, 100, DType.UINT8, float_border=True)
    inner, flat = b.tensor((1, 2, 3), 0.4, -3), b.tensor((1, 6), 0.4, -3)
    hidden, clipped = b.tensor((1, 4), 0.1, -7), b.tensor((1, 4), 0.05, -20)
    y = b.tensor((1, 4), 1 / 256, -128, float_border=True)
    weights = np.random.default_rng(2).integers(-127, 128, (4, 6), np.int8)
    b.add(Rescale(x, inner))
    b.add(Reshape(inner, flat))
    b.dense(flat, weights, hidden)
    b.add(Rescale(hidden, clipped, Activation.RELU6))
    b.add(Softmax(clipped, y, np.float32(0.75)))
    return b.graph((x,), (y,))


def graph_of_moves() -> Graph:
    """pad -> transpose -> slice backwards -> concatenate with slices of the input."""
    b = Builder()
    shapes = [(1, 3, 4, 2), (1, 5, 5, 2), (1, 2, 5, 5), (1, 1, 3, 4), (1, 3, 3, 1), (1, 3, 3, 4),
              (1, 3, 3, 4), (1, 6, 3, 4)]  # fmt: skip
    x, padded, turned, sliced, part, four, three, y = (b.tensor(s, 0.5, 3) for s in shapes)
    b.add(Pad(x, padded, (0, 2, 0, 0), -7))
    b.add(Transpose(padded, turned, (0, 3, 1, 2)))
    b.add(Slice(turned, sliced, (0, 1, 4, 0), (1, 1, -2, 1)))
    b.add(Slice(x, part, (0, 0, 1, 1), (1, 1, 1, 1)))
    b.add(Concatenate(part, four, (part, part, part), 3))
    b.add(Concatenate(sliced, three, (sliced, sliced), 1))
    b.add(Concatenate(three, y, (four,), 1))
    return b.graph((x,), (y,))


def convolution_graph() -> Graph:
    """Batch 2, conv in groups, depthwise with a multiplier, transposed convolution, dense."""
    b = Builder()
    rng = np.random.default_rng(4)
    shapes = ((2, 4, 3, 4), (2, 4, 2, 2), (2, 2, 2, 4), (2, 4, 4, 3))
    x, wide, deep, back = (b.tensor(shape, 0.1, 3) for shape in shapes)
    flat, y = b.tensor((2, 48), 0.1, 3), b.tensor((2, 3), 0.3, -9)

    def shared(*shape: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32], Floats]:
        n = shape[-1] if shape[0] == 1 else shape[0]
        weights = rng.integers(-127, 128, shape).astype(np.int8)
        return weights, rng.integers(-999, 999, n).astype(np.int32), np.float32([0.01] * n)

    grouped = Window(Axis(3, pad=1), Axis(2))
    spread = Window(Axis(2, 2, 2, 1), Axis(1))
    doubling = Window(Axis(3, 2), Axis(3, 2))
    b.add(Conv(x, wide, *shared(2, 3, 2, 2), grouped, Activation.RELU6))
    b.add(Depthwise(wide, deep, *shared(1, 2, 1, 4), spread))
    b.add(TransposeConv(deep, back, *shared(3, 3, 3, 4), doubling))
    b.add(Reshape(back, flat))
    b.dense(flat, rng.integers(-127, 128, (3, 48)).astype(np.int8), y)
    return b.graph((x,), (y,))


def graph_of_elementwise_ops() -> Graph:
    """Two inputs added, times a constant per channel; PReLU, the maximum of that and an input, and
    its LOGISTIC."""
    b = Builder()
    x1, x2 = b.tensor((1, 3, 4), 0.1, 3), b.tensor((1, 1, 4), 0.05, -9)
    total = b.tensor((1, 3, 4), 0.1)
    values = np.random.default_rng(3).integers(-128, 128, 4, np.int8).tobytes()
    constant = b.tensor((4,), 0.02, 5)
    b.tensors[constant] = replace(b.tensors[constant], kind=Kind.CONSTANT, data=values)
    product, bent, most = (b.tensor((1, 3, 4), 0.1, z) for z in (7, -20, 11))
    y = b.tensor((1, 3, 4), 1 / 256, -128)
    b.add(Add(x1, total, x2, activation=Activation.RELU6))
    b.add(Mul(total, product, constant))
    b.add(Prelu(product, bent, constant))
    b.add(Extremum(bent, most, x2))
    made = make_table(Function.LOGISTIC, b.tensors[most], b.tensors[y], np.float32(0))
    b.add(Table(most, y, Function.LOGISTIC, made.values.tobytes()))
    return b.graph((x1, x2), (y,))


def normalized_graph() -> Graph:
    """The same, with an input that is normalised by three constants of each kind."""
    graph = graph_of_every_op()
    constants = Normalization(np.float32([-1, 0.1, 1e5]), np.float32([2, 0, 1 / 3]))
    first = replace(graph.tensors[0], normalization=constants)
    return replace(graph, tensors=(first, *graph.tensors[1:]))
