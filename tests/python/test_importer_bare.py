"""RESHAPE, EXPAND_DIMS and SQUEEZE on tensors without scales: they move bytes, nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop.errors import ModelError

CODE = tflite.BuiltinOperator
Shape = Sequence[int]


def number(model: tb.ModelBuilder, values: Any, shape: Shape) -> int:
    return model.tensor(shape, tb.INT32, data=np.array(values, np.int32))


def mover(name: str, x_shape: Shape, y_shape: Shape, x: Any = None, y: Any = None) -> bytes:
    """x and y: scales, None for a tensor without."""
    model = tb.ModelBuilder()
    source = model.tensor(x_shape, scale=x, name="x")
    target = model.tensor(y_shape, scale=y, name="y", has_rank=True)
    inputs = [source]
    if name == "RESHAPE":
        inputs.append(number(model, list(y_shape), (len(y_shape),)))
    if name == "EXPAND_DIMS":
        inputs.append(number(model, 1, ()))
    model.op(getattr(CODE, name), inputs, [target])
    return model.build([source], [target])


def same_as_runtime(data: bytes, shape: Shape) -> byteprop.Model:
    model = byteprop.load(data)
    x = np.random.default_rng(2).integers(-128, 128, shape).astype(np.int8)
    got, expected = model.run(x), builtin_ref.run(data, [x])[0]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    return model


@pytest.mark.parametrize("scales", [(None, None), (0.5, None), (None, 0.5), (0.5, 0.5)])
@pytest.mark.parametrize(
    ("name", "x_shape", "y_shape"),
    [
        ("RESHAPE", (1, 6), (2, 3)),
        ("RESHAPE", (1, 1), ()),
        ("RESHAPE", (1,), ()),
        ("SQUEEZE", (2, 1, 3), (2, 3)),
    ],
)
def test_bytes_are_those_of_the_runtime(
    name: str, x_shape: Shape, y_shape: Shape, scales: tuple[Any, Any]
) -> None:
    data = mover(name, x_shape, y_shape, *scales)
    model = same_as_runtime(data, x_shape)
    scale = next((s for s in scales if s is not None), 1.0)
    assert model.inputs[0].scale == model.outputs[0].scale == scale
    assert model.outputs[0].shape == tuple(y_shape)


@pytest.mark.parametrize("scale", [None, 0.5])
def test_expand_dims(scale: float | None) -> None:
    """The runtime takes it with equal scales alone."""
    same_as_runtime(mover("EXPAND_DIMS", (1, 6), (1, 1, 6), scale, scale), (1, 6))


def test_a_scale_is_known_before_the_first_op_that_states_it() -> None:
    """x and its expanded form without scale, then a RESHAPE to one with, then RELU."""
    model = tb.ModelBuilder()
    x, wide = model.tensor((1, 4)), model.tensor((1, 1, 4))
    model.op(CODE.EXPAND_DIMS, [x, number(model, 1, ())], [wide])
    flat, y = (model.tensor((1, 4), scale=0.25, zero_point=3) for _ in range(2))
    model.op(CODE.RESHAPE, [wide, number(model, [1, 4], (2,))], [flat])
    model.op(CODE.RELU, [flat], [y], version=2)
    loaded = same_as_runtime(model.build([x], [y]), (1, 4))
    assert (loaded.inputs[0].scale, loaded.inputs[0].zero_point) == (0.25, 3)


def test_ops_that_compute_need_a_scale() -> None:
    model = tb.ModelBuilder()
    x, wide, y = model.tensor((1, 4)), model.tensor((1, 1, 4), name="wide"), model.tensor((1, 1, 4))
    model.op(CODE.EXPAND_DIMS, [x, number(model, 1, ())], [wide])
    model.op(CODE.RELU, [wide], [y], version=2)
    with pytest.raises(ModelError, match="RELU .*'wide' is INT8 without quantisation parameters"):
        byteprop.load(model.build([x], [y]))


def test_two_stated_scales_must_agree() -> None:
    with pytest.raises(ModelError, match="another scale or zero point"):
        byteprop.load(mover("RESHAPE", (1, 6), (2, 3), 0.5, 0.25))
