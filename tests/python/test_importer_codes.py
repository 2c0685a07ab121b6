"""Which op a file means: its code stands in an older and in a newer field of the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import tflite_builder as tb
from byteprop import reference
from byteprop.graph import Activation
from byteprop.importer import load_tflite
from byteprop.ops import Dense, Rescale, Reshape
from byteprop.tflite.rawmodel import read

CODE = tflite.BuiltinOperator
NEWER_ALONE: dict[str, Any] = {"old_op_codes": False}
OLDER_ALONE: dict[str, Any] = {"modern_op_codes": False}
BOTH: dict[str, Any] = {}
FIELDS = pytest.mark.parametrize("fields", [NEWER_ALONE, OLDER_ALONE, BOTH])


def ints(model: tb.ModelBuilder, values: Sequence[int]) -> int:
    return model.tensor((len(values),), tb.INT32, data=np.array(values, np.int32))


def small_net(fields: dict[str, Any]) -> bytes:
    """x (1, 12), reshaped by the difference of two vectors, dense, RELU6."""
    model = tb.ModelBuilder(**fields)
    x = model.tensor((1, 12), scale=0.5)
    shape = model.tensor((2,), tb.INT32)
    # The sum of these would be [6, 2], which fits 12 elements as well.
    model.op(CODE.SUB, [ints(model, [4, 4]), ints(model, [2, -2])], [shape])
    folded = model.tensor((2, 6), scale=0.5)
    model.op(CODE.RESHAPE, [x, shape], [folded])
    weights = np.arange(-9, 9, dtype=np.int8).reshape(3, 6)
    w = model.tensor((3, 6), scale=0.1, data=weights)
    linear = model.tensor((2, 3), scale=0.7)
    model.op(CODE.FULLY_CONNECTED, [folded, w], [linear], version=6)
    y = model.tensor((2, 3), scale=0.05, zero_point=-128)
    model.op(CODE.RELU6, [linear], [y], version=2)
    return model.build([x], [y])


@FIELDS
def test_every_op_is_the_one_that_the_file_means(fields: dict[str, Any]) -> None:
    names = [op.name for op in read(small_net(fields)).ops]
    assert names == ["SUB", "RESHAPE", "FULLY_CONNECTED", "RELU6"]


@FIELDS
def test_a_difference_is_not_folded_as_a_sum(fields: dict[str, Any]) -> None:
    graph = load_tflite(small_net(fields))
    reshape, dense, relu6 = graph.ops
    assert isinstance(reshape, Reshape) and isinstance(dense, Dense)
    assert isinstance(relu6, Rescale) and relu6.activation is Activation.RELU6
    assert graph.tensors[reshape.output].shape == (2, 6)


@FIELDS
def test_the_answers_are_those_of_the_runtime(fields: dict[str, Any]) -> None:
    data = small_net(fields)
    x = np.random.default_rng(5).integers(-128, 128, (1, 12)).astype(np.int8)
    got = reference.run(load_tflite(data), [x])[0]
    np.testing.assert_array_equal(got, builtin_ref.run(data, [x])[0])


def test_the_greater_code_counts() -> None:
    """A writer of new codes puts 127 into the older field."""
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(CODE.RELU_0_TO_1, [x], [y])
    assert read(model.build([x], [y])).ops[0].code == CODE.RELU_0_TO_1 > 127
