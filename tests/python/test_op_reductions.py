"""MEAN and REDUCE_MAX against TensorFlow Lite's reference kernels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tflite

import byteprop
import tflite_builder as tb
from byteprop import ModelError, image
from byteprop.graph import Graph, Op, Tensor
from byteprop.graph.tensor import DType
from byteprop.ops.mean import Mean
from byteprop.ops.reduce_max import ReduceMax
from op_check import check_file, check_round_trips, with_params
from test_op_pool import values

KINDS = ["MEAN", "REDUCE_MAX"]
EVERY_CHOICE = [axes for n in range(1, 5) for axes in itertools.combinations(range(4), n)]


def reduced(shape: Sequence[int], axes: Sequence[int], keep: bool) -> list[int]:
    gone = {axis % len(shape) for axis in axes}
    kept = [1 if axis in gone else dim for axis, dim in enumerate(shape)]
    return kept if keep else [dim for axis, dim in enumerate(shape) if axis not in gone]


def reduce_file(
    kind: str,
    shape: Sequence[int],
    axes: Sequence[int],
    *,
    keep: bool = False,
    x_scale: float = 0.05,
    x_zero_point: int = -3,
    y_scale: float | None = None,
    y_zero_point: int | None = None,
    y_type: int = tb.INT8,
    y_shape: Sequence[int] | None = None,
    scalar_axis: bool = False,
) -> bytes:
    model = tb.ModelBuilder()
    x = model.tensor(shape, scale=x_scale, zero_point=x_zero_point, name="x")
    listed = np.array(axes, np.int32)
    at = model.tensor(() if scalar_axis else listed.shape, tb.INT32, data=listed, name="axes")
    y = model.tensor(
        (reduced(shape, axes, keep) if y_shape is None else y_shape), y_type, name="y",
        scale=x_scale if y_scale is None else y_scale,
        zero_point=x_zero_point if y_zero_point is None else y_zero_point,
    )  # fmt: skip
    options = tb.options_of("Reducer", KeepDims=keep)
    model.op(getattr(tflite.BuiltinOperator, kind), [x, at], [y], version=2, options=options)
    return model.build([x], [y])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", EVERY_CHOICE, ids=str)
@pytest.mark.parametrize("keep", [False, True])
def test_every_choice_of_axes(kind: str, axes: tuple[int, ...], keep: bool) -> None:
    rng = np.random.default_rng([len(kind), *axes])
    for equal in (False, True):
        shape = tuple(map(int, rng.integers(1, 9, 4)))
        x_scale, zero_point = float(2 ** rng.uniform(-6, 0)), int(rng.integers(-128, 128))
        changes: dict[str, Any] = {}
        if kind == "MEAN" and not equal:
            changes["y_scale"] = x_scale * float(2 ** rng.uniform(-3, 2))
            changes["y_zero_point"] = int(rng.integers(-128, 128))
        file = reduce_file(
            kind, shape, axes, keep=keep, x_scale=x_scale, x_zero_point=zero_point, **changes
        )
        check_round_trips(check_file(file, [values(rng, shape)]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("keep", [False, True])
def test_lower_ranks(kind: str, rank: int, keep: bool) -> None:
    rng = np.random.default_rng(rank)
    for axis in range(-rank, rank):
        shape = tuple(map(int, rng.integers(1, 60, rank)))
        file = reduce_file(kind, shape, [axis], keep=keep, scalar_axis=axis < 0)
        check_file(file, [values(rng, shape)])


@pytest.mark.parametrize("kind", KINDS)
def test_an_axis_that_is_listed_twice_counts_once(kind: str) -> None:
    file = reduce_file(kind, (2, 3, 4), [1, -2])
    check_file(file, [values(np.random.default_rng(3), (2, 3, 4))])


@pytest.mark.parametrize(
    ("x_scale", "y_scale"), [(1e-9, 1.0), (1e-7, 1.0), (1.0, 1e-6), (1.0, 1.0)]
)
@pytest.mark.parametrize("value", [-128, 127])
def test_means_at_extremes(x_scale: float, y_scale: float, value: int) -> None:
    """Scales for which the shift is at its limit, and sums of one value alone."""
    file = reduce_file("MEAN", (1, 90, 70, 2), [1, 2], x_scale=x_scale, y_scale=y_scale)
    check_file(file, [np.full((1, 90, 70, 2), value, np.int8)])


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("MEAN", {"axes": [4]}, r"expected some of 4 axes, got \[4\]"),
        ("MEAN", {"axes": []}, r"expected some of 4 axes, got \[\]"),
        ("MEAN", {"y_shape": (1, 5)}, "the op gives"),
        ("MEAN", {"x_scale": 2.0**20, "y_scale": 2.0**-20}, "times as coarse as the output"),
        ("REDUCE_MAX", {"y_scale": 0.06}, "another scale or zero point"),
        ("REDUCE_MAX", {"y_zero_point": 1}, "another scale or zero point"),
        ("REDUCE_MAX", {"y_type": tb.UINT8, "y_zero_point": 1}, "both UINT8 and INT8 in one op"),
    ],
)
def test_files_that_are_refused(kind: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        byteprop.load(reduce_file(kind, **({"shape": (1, 2, 3, 4), "axes": [1]} | changes)))


def graph_of(op: Op, y: tuple[int, ...]) -> Graph:
    tensors = (
        Tensor("x", (1, 4, 3), DType.INT8, np.float32(0.1), 0),
        Tensor("y", y, DType.INT8, np.float32(0.1), 0),
    )
    return Graph(tensors, (op,), (0,), (1,))


@pytest.mark.parametrize(
    ("axes", "y", "message"),
    [
        ((), (1, 4, 3), "expected some of 3 axes"),
        ((2, 1), (1,), "in ascending order"),
        ((3,), (1, 4, 3), "expected some of 3 axes"),
        ((1,), (1, 4), r"without the axes \(1,\) is not \(1, 4\)"),
    ],
)
@pytest.mark.parametrize("kind", [Mean, ReduceMax])
def test_graphs_that_no_image_holds(
    kind: type[Mean], axes: tuple[int, ...], y: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        image.encode(graph_of(kind(0, 1, axes), y))


@pytest.mark.parametrize(
    ("at", "value", "status"),
    [
        (0, b"\0", "E_PARAM"),  # no axis
        (0, b"\x08", "E_PARAM"),  # an axis that x does not have
        (0, b"\4", "E_SHAPE"),
        (4, b"\0\0\0\x80", "E_PARAM"),  # multiplier
        (8, b"\x1f\0\0\0", "E_PARAM"),  # shift
        (8, b"\xe0\xff\xff\xff", "E_PARAM"),
    ],
)
def test_records_that_the_reader_refuses(at: int, value: bytes, status: str) -> None:
    good = image.encode(graph_of(Mean(0, 1, (1,)), (1, 3)))
    with pytest.raises(ModelError, match=status):
        byteprop.load(with_params(good, at, value))
