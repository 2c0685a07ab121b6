"""The mark FAST of dense layers and convolutions: the writer sets it where its conditions hold, the
reader checks it, and it changes no output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop import image, reference
from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import DType, Graph, Tensor
from byteprop.ops import Conv, Dense, Depthwise, TransposeConv
from byteprop.ops.window import Axis, Window
from op_check import Array, with_params

FAST, ONE_SCALE = _raw.const("BP_OP_FAST"), _raw.const("BP_OP_ONE_SCALE")
WORD_OF_FLAGS = 2
X_ZERO, X_SCALE, Y_SCALE = -3, 0.05, 0.1
WINDOW = Window(Axis(1), Axis(1))
N_IN = {Dense: 6, Conv: 6, Depthwise: 1}
KINDS = (Dense, Conv, Depthwise)


def graph_of(kind: type[Any], weights: Array, bias: Array, ratio: float) -> Graph:
    """An op of one pixel and two outputs; ratio: of the sum's scale to the output's."""
    n = len(bias)
    channels = n if kind is Depthwise else weights.shape[-1]
    shapes = ((1, channels), (1, n)) if kind is Dense else ((1, 1, 1, channels), (1, 1, 1, n))
    x = Tensor("x", shapes[0], DType.INT8, np.float32(X_SCALE), X_ZERO)
    y = Tensor("y", shapes[1], DType.INT8, np.float32(Y_SCALE), 5)
    scales = np.full(n, ratio * Y_SCALE / X_SCALE, np.float32)
    if kind is Dense:
        op = Dense(0, 1, weights, bias, scales)
    else:
        form = {Conv: (n, 1, 1, -1), TransposeConv: (n, 1, 1, -1), Depthwise: (1, 1, 1, n)}[kind]
        op = kind(0, 1, weights.reshape(form), bias, scales, WINDOW)
    return Graph((x, y), (op,), (0,), (1,))


def flags_of(blob: bytes) -> int:
    """The flags of an image's first op."""
    header = np.frombuffer(blob, image.HEADER, 1)[0]
    record = int.from_bytes(blob[int(header["ops_offset"]) :][:4], "little")
    operands = blob[record + 1] + blob[record + 2]
    return blob[record + 4 + 2 * (operands + operands % 2) + WORD_OF_FLAGS]


def is_marked(graph: Graph) -> bool:
    return bool(flags_of(image.encode(graph)) & FAST)


def plain(kind: type[Any]) -> tuple[Array, Array]:
    weights = np.array([[127] * N_IN[kind], [-127] * N_IN[kind]], np.int8)
    return weights, np.array([100, -200], np.int32)


def most_bias(kind: type[Any], sign: int = 1) -> int:
    """The largest bias of row 0 that meets the condition, before the zero point is folded in."""
    return sign * (2**28 - 1 - 127 * 128 * N_IN[kind]) + X_ZERO * 127 * N_IN[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_writer_marks_what_meets_every_condition(kind: type[Any]) -> None:
    weights, bias = plain(kind)
    for exponent, wanted in ((-23, False), (-22, True), (-1, True), (0, False)):
        assert is_marked(graph_of(kind, weights, bias, 0.75 * 2.0**exponent)) == wanted, exponent
    largest = np.array([most_bias(kind), 0], np.int32)
    assert is_marked(graph_of(kind, weights, largest, 0.01))
    assert not is_marked(graph_of(kind, weights, largest + np.array([1, 0], np.int32), 0.01))
    weights[1, 0] = -128
    assert not is_marked(graph_of(kind, weights, bias, 0.01))


@pytest.mark.parametrize("kind", KINDS)
def test_the_reader_refuses_a_mark_that_is_not_true(kind: type[Any]) -> None:
    weights, bias = plain(kind)
    lowest = weights.copy()
    lowest[1, 0] = -128
    too_large = np.array([most_bias(kind) + 1, 0], np.int32)
    too_small = np.array([most_bias(kind, -1) - 1, 0], np.int32)
    for graph in (
        graph_of(kind, lowest, bias, 0.01),
        graph_of(kind, weights, too_large, 0.01),
        graph_of(kind, weights, too_small, 0.01),
        graph_of(kind, weights, bias, 0.75 * 2.0**-23),
        graph_of(kind, weights, bias, 0.75),
    ):
        blob = image.encode(graph)
        assert not flags_of(blob) & FAST
        marked = bytes([flags_of(blob) | FAST])
        with pytest.raises(ModelError, match="E_PARAM"):
            byteprop.load(with_params(blob, WORD_OF_FLAGS, marked))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_without_the_mark_is_the_same_model(kind: type[Any]) -> None:
    graph = graph_of(kind, *plain(kind), 0.01)
    blob = image.encode(graph)
    without = with_params(blob, WORD_OF_FLAGS, bytes([flags_of(blob) & ~FAST]))
    assert without != blob
    assert image.without_names(without) == image.without_names(blob)
    x = np.random.default_rng(1).integers(-128, 128, (50, *graph.tensors[0].shape[1:]), np.int8)
    answers = [byteprop.load(b).run(x) for b in (blob, without)]
    np.testing.assert_array_equal(*answers)
    assert len(np.unique(answers[0])) > 5


@pytest.mark.parametrize("kind", [*KINDS, TransposeConv])
def test_other_flags_are_refused(kind: type[Any]) -> None:
    weights, bias = plain(Conv if kind is TransposeConv else kind)
    blob = image.encode(graph_of(kind, weights, bias, 0.01))
    assert bool(flags_of(blob) & FAST) == (kind is not TransposeConv)
    not_its_own = {Dense: [ONE_SCALE], TransposeConv: [FAST]}
    for flags in (16, 128, *not_its_own.get(kind, [])):
        changed = with_params(blob, WORD_OF_FLAGS, bytes([flags_of(blob) | flags]))
        with pytest.raises(ModelError, match="E_PARAM"):
            byteprop.load(changed)


def test_training_takes_the_mark_and_encoding_sets_it_again() -> None:
    model = byteprop.Model(graph_of(Dense, *plain(Dense), 0.01))
    assert flags_of(model.image) & FAST
    x = np.zeros((4, N_IN[Dense]), np.float32)
    model.fit(x, np.zeros((4, 2), np.float32), epochs=1)
    assert not flags_of(model.image) & FAST
    assert is_marked(model.graph)
    assert flags_of(image.without_names(model.image)) & FAST


def test_ties_are_rounded_as_the_reference_rounds_them() -> None:
    """Sums that are odd multiples of half an output step, on both sides of zero."""
    graph = graph_of(Dense, *plain(Dense), 2.0**-9)
    op = graph.ops[0]
    assert isinstance(op, Dense)
    x = np.full((1, N_IN[Dense]), X_ZERO, np.int8)
    for tie in range(-2048, 2049, 256):
        moved = replace(graph, ops=(replace(op, bias=np.array([tie, 1 - tie], np.int32)),))
        assert is_marked(moved)
        expected = reference.run(moved, [x])[0]
        np.testing.assert_array_equal(byteprop.Model(moved).run(x), expected)
