"""Hypothesis strategies for whole models, and small graphs to take apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from byteprop.graph import Activation, DType, Graph, Kind, Normalization, Op, Tensor
from byteprop.image.check import MAX_CLASSES
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
from byteprop.ops.window import Axis, Window, pad_window

ACTIVATIONS = list(Activation)
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


scales = st.floats(2**-16, 2.0**6, width=32)


@st.composite
def graphs(draw: st.DrawFn, *, max_ops: int = 7) -> Graph:
    """Forests of ops on one to three inputs; one or more outputs, some of them read inside too."""
    b = Builder()
    batch = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inputs = tuple(_draw_input(draw, b, batch) for _ in range(draw(st.integers(1, 3))))
    for _ in range(draw(st.integers(0, max_ops))):
        _draw_op(draw, b)
    every = st.integers(0, len(b.tensors) - 1)
    outputs = draw(st.lists(every, min_size=1, max_size=3, unique=True))
    return b.graph(inputs, tuple(outputs))


@st.composite
def chains(draw: st.DrawFn, *, max_ops: int = 8) -> Graph:
    """Each op reads what the one before wrote, and none has scratch memory."""
    b = Builder()
    x = _draw_input(draw, b, 1)
    for _ in range(draw(st.integers(1, max_ops))):
        _draw_op(draw, b, source=len(b.tensors) - 1, with_scratch=False)
    return b.graph((x,), (len(b.tensors) - 1,))


@st.composite
def samples(draw: st.DrawFn, graph: Graph, n: int) -> list[npt.NDArray[np.generic]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [random_input(rng, graph.tensors[t], n) for t in graph.inputs]


def random_input(rng: np.random.Generator, t: Tensor, n: int) -> npt.NDArray[np.generic]:
    values = rng.integers(0, 256, (n * t.shape[0], *t.shape[1:])).astype(np.uint8)
    return values.view(t.dtype.numpy)


def _draw_input(draw: st.DrawFn, b: Builder, batch: int) -> int:
    shape = (batch, *draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    return _draw_tensor(draw, b, shape, draw(st.sampled_from(list(DType))))


def _draw_tensor(
    draw: st.DrawFn, b: Builder, shape: tuple[int, ...], dtype: DType = DType.INT8
) -> int:
    low = 0 if dtype is DType.UINT8 else -128
    return b.tensor(shape, draw(scales), draw(st.integers(low, low + 255)), dtype)


def _draw_op(
    draw: st.DrawFn, b: Builder, source: int | None = None, *, with_scratch: bool = True
) -> None:
    x = draw(st.integers(0, len(b.tensors) - 1)) if source is None else source
    is_int8 = b.tensors[x].dtype is DType.INT8
    kinds = [_draw_rescale, _draw_reshape, _draw_pad, _draw_slice, _draw_transpose]
    kinds += [_draw_dense] if is_int8 else []
    kinds += [_draw_concatenate] if source is None else []
    is_image = is_int8 and len(b.tensors[x].shape) == 4
    kinds += [_draw_convolution] if is_image and with_scratch else []
    kinds += [_draw_softmax] if is_int8 and b.tensors[x].shape[-1] <= MAX_CLASSES else []
    draw(st.sampled_from(kinds))(draw, b, x)


def _draw_rescale(draw: st.DrawFn, b: Builder, x: int) -> None:
    activation = draw(st.sampled_from(ACTIVATIONS))
    dtypes = list(DType) if activation is Activation.NONE else [b.tensors[x].dtype]
    y = _draw_tensor(draw, b, b.tensors[x].shape, draw(st.sampled_from(dtypes)))
    b.add(Rescale(x, y, activation))


def _draw_reshape(draw: st.DrawFn, b: Builder, x: int) -> None:
    t = b.tensors[x]
    shape = draw(st.sampled_from([(t.shape[0], math.prod(t.shape[1:])), (*t.shape[:3], 1)]))
    if math.prod(shape) != t.elems:
        shape = t.shape
    b.add(Reshape(x, b.tensor(shape, float(t.scale), t.zero_point, t.dtype)))


def _moved(b: Builder, x: int, shape: tuple[int, ...]) -> int:
    """A tensor that has the bytes of x in another order."""
    t = b.tensors[x]
    return b.tensor(shape, float(t.scale), t.zero_point, t.dtype)


# The batch stays the first axis, so that samples are told apart by it. A move that changes nothing
# is read from a .tflite file as a reshape; so each of these changes something.


_border = st.integers(0, 2)


def _draw_pad(draw: st.DrawFn, b: Builder, x: int) -> None:
    t = b.tensors[x]
    around = [(0, 0), *((draw(_border), draw(_border)) for _ in t.shape[1:])]
    if not any(map(any, around)) or t.elems > 2000:
        _draw_reshape(draw, b, x)
        return
    shape = tuple(
        dim + before + after for dim, (before, after) in zip(t.shape, around, strict=True)
    )
    low = 0 if t.dtype is DType.UINT8 else -128
    value = draw(st.sampled_from([t.zero_point, low, low + 255]))
    b.add(Pad(x, _moved(b, x, shape), tuple(before for before, _ in around), value))


_SLICES = [
    slice(*ends) for ends in ((None,), (1, None), (None, None, -1), (0, -1, 2), (-1, None, -3))
]


def _draw_slice(draw: st.DrawFn, b: Builder, x: int) -> None:
    t = b.tensors[x]
    taken = [range(t.shape[0])]
    for dim in t.shape[1:]:
        positions = range(dim)[draw(st.sampled_from(_SLICES))]
        taken.append(positions if len(positions) else range(dim))
    step = tuple(r.step if len(r) > 1 else 1 for r in taken)
    shape = tuple(map(len, taken))
    if shape == t.shape and set(step) == {1}:
        _draw_reshape(draw, b, x)
        return
    b.add(Slice(x, _moved(b, x, shape), tuple(r.start for r in taken), step))


def _draw_transpose(draw: st.DrawFn, b: Builder, x: int) -> None:
    shape = b.tensors[x].shape
    permutation = (0, *draw(st.permutations(range(1, len(shape)))))
    long = [axis for axis in permutation if shape[axis] != 1]
    if long == sorted(long):
        _draw_reshape(draw, b, x)
        return
    b.add(Transpose(x, _moved(b, x, tuple(shape[axis] for axis in permutation)), permutation))


def _draw_concatenate(draw: st.DrawFn, b: Builder, x: int) -> None:
    t = b.tensors[x]
    axis = draw(st.integers(1, len(t.shape) - 1)) if len(t.shape) > 1 else 0
    if axis == 0 or t.elems > 2000:
        _draw_reshape(draw, b, x)
        return
    rest = t.shape[:axis] + t.shape[axis + 1 :]
    alike = [
        i for i, o in enumerate(b.tensors)
        if (o.scale, o.zero_point, o.dtype) == (t.scale, t.zero_point, t.dtype)
        and len(o.shape) == len(t.shape) and o.shape[:axis] + o.shape[axis + 1 :] == rest
    ]  # fmt: skip
    others = tuple(draw(st.lists(st.sampled_from(alike), max_size=3)))
    total = sum(b.tensors[i].shape[axis] for i in (x, *others))
    y = _moved(b, x, (*t.shape[:axis], total, *t.shape[axis + 1 :]))
    b.add(Concatenate(x, y, others, axis))


def _draw_dense(draw: st.DrawFn, b: Builder, x: int) -> None:
    t = b.tensors[x]
    n_in, n_out = t.shape[-1], draw(st.integers(1, 11))
    y = _draw_tensor(draw, b, (*t.shape[:-1], n_out))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    has_bias = draw(st.booleans())
    bias = rng.integers(-(2**31), 2**31, n_out) >> draw(st.integers(0, 31))
    n_scales = draw(st.sampled_from([1, n_out]))
    weight_scales = rng.uniform(2**-9, 0.1, n_scales).astype(np.float32)
    b.add(
        Dense(
            x, y,
            weights=rng.integers(-127, 128, (n_out, n_in)).astype(np.int8),
            bias=(bias * has_bias).astype(np.int32),
            weight_scales=weight_scales,
            activation=draw(st.sampled_from(ACTIVATIONS)),
            has_bias=has_bias,
        )
    )  # fmt: skip


def _draw_convolution(draw: st.DrawFn, b: Builder, x: int) -> None:
    batch, _, _, n_in = b.tensors[x].shape
    axes = [Axis(*draw(st.tuples(*[st.integers(1, 3)] * 3))) for _ in range(2)]
    window, positions = pad_window(Window(*axes), b.tensors[x].shape, "SAME")
    kernel = [axis.kernel for axis in axes]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depthwise, n_out = draw(st.booleans()), draw(st.integers(1, 6))
    shape = (1, *kernel, n_in * n_out) if depthwise else (n_out, *kernel, n_in)
    n_out = n_in * n_out if depthwise else n_out
    y = _draw_tensor(draw, b, (batch, *positions, n_out))
    b.add(
        (Depthwise if depthwise else Conv)(
            x, y,
            weights=rng.integers(-127, 128, shape).astype(np.int8),
            bias=rng.integers(-(2**20), 2**20, n_out).astype(np.int32),
            weight_scales=rng.uniform(2**-9, 0.1, n_out).astype(np.float32),
            window=window,
            activation=draw(st.sampled_from(ACTIVATIONS)),
        )
    )  # fmt: skip


def _draw_softmax(draw: st.DrawFn, b: Builder, x: int) -> None:
    y = b.tensor(b.tensors[x].shape, float(SOFTMAX_SCALE), SOFTMAX_ZERO_POINT)
    b.add(Softmax(x, y, np.float32(draw(st.floats(0.125, 4.0, width=32)))))
