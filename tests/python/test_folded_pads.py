"""PAD before convolutions becomes their own padding, and no byte of the outputs changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import builtin_ref
import random_networks
from byteprop import reference
from byteprop.errors import ModelError
from byteprop.exporter import write_tflite
from byteprop.graph import Graph
from byteprop.importer import graph_of_file, load_tflite
from byteprop.importer.passes.pad import with_folded_pads
from byteprop.ops import Conv, Depthwise, Pad
from byteprop.ops.convolution import Convolution
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window
from random_graphs import Builder

ZERO = 3
SHAPE = (1, 6, 7, 4)
THREE = Window(Axis(3), Axis(3))


def pad(
    b: Builder, x: int, before: tuple[int, int], after: tuple[int, int], value: int = ZERO
) -> int:
    batch, *sides, channels = b.tensors[x].shape
    rows, columns = (n + i + j for n, i, j in zip(sides, before, after, strict=True))
    y = b.tensor((batch, rows, columns, channels), 0.1, ZERO)
    return b.add(Pad(x, y, (0, *before, 0), value))


def conv(b: Builder, x: int, window: Window, kind: type[Convolution] = Conv, n_out: int = 4) -> int:
    """With the padding that the window has before, and nothing after."""
    batch, *sides, n_in = b.tensors[x].shape
    positions = [
        (n + axis.pad - axis.span) // axis.stride + 1
        for n, axis in zip(sides, window.axes, strict=True)
    ]
    rng = np.random.default_rng(len(b.tensors))
    kernel = [axis.kernel for axis in window.axes]
    shape = (n_out, *kernel, n_in) if kind is Conv else (1, *kernel, n_in)
    weights: npt.NDArray[np.int8] = rng.integers(-127, 128, shape).astype(np.int8)
    n_out = n_out if kind is Conv else n_in
    y = b.tensor((batch, *positions, n_out), 0.4, -7)
    scales = np.full(n_out, 0.01, np.float32)
    return b.add(kind(x, y, weights, np.arange(n_out, dtype=np.int32), scales, window))


def folded(graph: Graph) -> Graph:
    """The graph after the pass; every way to compute it gives the same bytes."""
    made = with_folded_pads(graph)
    xs = random_networks.samples(graph, 5)
    expected = [y.tobytes() for y in builtin_ref.run(write_tflite(graph), xs)]
    for one in (graph, made):
        assert random_networks.answers(one, xs) == expected
        assert [y.tobytes() for y in reference.run(one, xs)] == expected
    written = write_tflite(made)
    assert [y.tobytes() for y in builtin_ref.run(written, xs)] == expected
    assert len(load_tflite(written).ops) == len(made.ops), "a written PAD is folded again"
    return made


@pytest.mark.parametrize("kind", [Conv, Depthwise])
@pytest.mark.parametrize(
    ("before", "after", "window"),
    [
        ((1, 1), (1, 1), THREE),
        ((0, 0), (1, 1), Window(Axis(3, 2), Axis(3, 2))),
        ((2, 0), (0, 1), Window(Axis(3, 2), Axis(2))),
        ((3, 2), (3, 2), Window(Axis(3, 1, 2), Axis(2, 1, 2))),
        ((1, 2), (2, 1), Window(Axis(5, 3), Axis(4, 3))),
    ],
)
def test_a_pad_becomes_the_padding_of_its_reader(
    kind: type[Convolution], before: tuple[int, int], after: tuple[int, int], window: Window
) -> None:
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    graph = b.graph((x,), (conv(b, pad(b, x, before, after), window, kind),))
    (op,) = folded(graph).ops
    assert isinstance(op, kind)
    assert tuple(axis.pad for axis in op.window.axes) == before


def test_paddings_add_up() -> None:
    """Of two PADs in a row and of the convolution itself."""
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    inner = pad(b, pad(b, x, (1, 0), (0, 2)), (1, 2), (1, 0))
    same = Window(Axis(5, pad=2), Axis(5, pad=2))
    batch, rows, columns, _ = b.tensors[inner].shape
    y = b.tensor((batch, rows, columns, 3), 0.4, -7)
    rng = np.random.default_rng(1)
    weights = rng.integers(-127, 128, (3, 5, 5, 4)).astype(np.int8)
    b.add(Conv(inner, y, weights, np.zeros(3, np.int32), np.full(3, 0.01, np.float32), same))
    (op,) = folded(b.graph((x,), (y,))).ops
    assert isinstance(op, Conv)
    assert [axis.pad for axis in op.window.axes] == [4, 4]


def test_several_readers_each_take_it() -> None:
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    padded = pad(b, x, (1, 1), (1, 1))
    outputs = (conv(b, padded, THREE), conv(b, padded, THREE, Depthwise))
    made = folded(b.graph((x,), outputs))
    assert [type(op) for op in made.ops] == [Conv, Depthwise]
    assert len(made.tensors) == 3


def test_one_reader_that_cannot_take_it_keeps_it_for_all() -> None:
    """A maximum takes no zero points in; a 1x1 window would meet nothing but padding."""
    for second in (THREE, Window(Axis(1), Axis(1))):
        b = Builder()
        x = b.tensor(SHAPE, 0.1, ZERO)
        padded = pad(b, x, (1, 1), (1, 1))
        first = conv(b, padded, THREE)
        if second is THREE:
            y = b.tensor((1, 6, 7, 4), 0.1, ZERO)
            b.add(Pool(padded, y, PoolKind.MAX, THREE))
        else:
            y = conv(b, padded, second)
        graph = b.graph((x,), (first, y))
        assert folded(graph) is graph


@pytest.mark.parametrize("value", [-128, ZERO + 1, 127])
def test_a_pad_with_another_value_stays(value: int) -> None:
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    graph = b.graph((x,), (conv(b, pad(b, x, (1, 1), (1, 1), value), THREE),))
    assert folded(graph) is graph


def test_a_pad_that_is_an_output_stays() -> None:
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    padded = pad(b, x, (1, 1), (1, 1))
    graph = b.graph((x,), (padded, conv(b, padded, THREE)))
    assert folded(graph) is graph


@pytest.mark.parametrize("axis", [0, 3])
def test_a_pad_of_batch_or_channels_stays(axis: int) -> None:
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    before = tuple(int(i == axis) for i in range(4))
    padded = b.tensor(tuple(n + k for n, k in zip(SHAPE, before, strict=True)), 0.1, ZERO)
    b.add(Pad(x, padded, before, ZERO))
    graph = b.graph((x,), (conv(b, padded, THREE),))
    assert with_folded_pads(graph) is graph


def test_windows_that_would_begin_behind_the_image_keep_the_pad() -> None:
    """No image of byteprop holds a window that meets nothing of its input."""
    for after, n_ops in ((2, 1), (3, 2)):
        b = Builder()
        x = b.tensor((1, 2, 7, 4), 0.1, ZERO)
        graph = b.graph((x,), (conv(b, pad(b, x, (0, 0), (after, 0)), THREE),))
        assert len(folded(graph).ops) == n_ops, after


def test_the_file_itself_has_the_pad() -> None:
    b = Builder()
    x = b.tensor(SHAPE, 0.1, ZERO)
    file = write_tflite(b.graph((x,), (conv(b, pad(b, x, (1, 1), (1, 1)), THREE),)))
    assert [len(graph.ops) for graph in (graph_of_file(file), load_tflite(file))] == [2, 1]


def test_positions_that_no_file_can_state() -> None:
    """An output that ends before the last window that fits."""
    b = Builder()
    x, y = b.tensor((1, 9, 9, 1), 0.1), b.tensor((1, 3, 3, 1), 0.1)
    constants = (np.ones((1, 3, 3, 1), np.int8), np.zeros(1, np.int32), np.ones(1, np.float32))
    b.add(Conv(x, y, *constants, Window(Axis(3, pad=1), Axis(3, pad=1))))
    with pytest.raises(ModelError, match="cannot state"):
        write_tflite(b.graph((x,), (y,)))
