"""A refusal tells all that stands in the way at once, and what kind of model it is first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

import byteprop
import tflite_builder as tb
from byteprop.errors import UnsupportedOpError

CODE = tflite.BuiltinOperator
ADD = tb.options_of("Add")


def refusal(data: bytes) -> str:
    with pytest.raises(UnsupportedOpError) as caught:
        byteprop.load(data)
    return str(caught.value).removeprefix("the given bytes: ")


class Chain:
    """Ops one behind the other, each from one activation of four values to the next."""

    def __init__(self, type: int = tb.INT8, **more: Any) -> None:
        self.model = tb.ModelBuilder(**more)
        self.first = self.last = self._tensor(type)

    def _tensor(self, type: int) -> int:
        scale = 0.1 if type in (tb.INT8, tb.UINT8) else None
        return self.model.tensor((1, 4), type, scale=scale)

    def op(self, name: str, type: int = tb.INT8, *others: int, **more: Any) -> Chain:
        following = self._tensor(type)
        self.model.op(getattr(CODE, name), [self.last, *others], [following], **more)
        self.last = following
        return self

    def dense(self, type: int, weights: int, data: np.ndarray[Any, Any]) -> Chain:
        scale = None if weights == tb.FLOAT32 else 0.1
        w = self.model.tensor((4, 4), weights, scale=scale, data=data)
        return self.op("FULLY_CONNECTED", type, w)

    def build(self) -> bytes:
        return self.model.build([self.first], [self.last])


def test_all_missing_ops_are_counted_in_their_order() -> None:
    chain = Chain().op("COS").op("RELU", version=2).op("FLOOR_DIV", tb.INT8, 0).op("COS").op("ABS")
    text = refusal(chain.build())
    assert text.startswith(
        "COS 2, FLOOR_DIV 1, ABS 1 are not supported (the first is op 0, COS with output 't1'). "
        "byteprop runs, on int8 tensors: FULLY_CONNECTED, "
    )


def test_many_kinds_are_cut() -> None:
    chain = Chain()
    for name in (
        "ABS", "CEIL", "COS", "EXP", "FLOOR", "LOG", "NEG", "RANGE", "ROUND", "RSQRT", "SIGN",
        "SIN", "SQRT", "SQUARE",
    ):  # fmt: skip
        chain.op(name)
    assert "SIN 1, and 2 other kinds are not supported" in refusal(chain.build())


def test_missing_ops_on_tensors_without_scales_are_missing_ops() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4)), model.tensor((1, 4))
    model.op(CODE.CUMSUM, [x], [y])
    assert "CUMSUM 1 is not supported" in refusal(model.build([x], [y]))


def test_shape_arithmetic_is_not_missing() -> None:
    model = tb.ModelBuilder()
    x, dims, y = model.tensor((1, 4), scale=0.1), model.tensor((2,), tb.INT32), model.tensor((1, 4))
    model.op(CODE.SHAPE, [x], [dims])
    model.op(CODE.ABS, [x], [y])
    assert refusal(model.build([x], [y])).startswith("ABS 1 is not supported")


# ------------------------------------------------------------------------------------------- float


FLOATS = np.ones((4, 4), np.float32)


def test_a_float_network_of_dense_layers_is_for_quantize() -> None:
    data = Chain(tb.FLOAT32).dense(tb.FLOAT32, tb.FLOAT32, FLOATS).op("RELU", tb.FLOAT32).build()
    text = refusal(data)
    assert text.startswith("a float32 model")
    assert "byteprop quantize FILE --data SAMPLES" in text
    assert byteprop.quantize(data, np.eye(4)).inputs[0].shape == (1, 4)


def test_another_float_model_is_for_the_converter() -> None:
    chain = Chain(tb.FLOAT32).op("BATCH_MATMUL", tb.FLOAT32).dense(tb.FLOAT32, tb.FLOAT32, FLOATS)
    text = refusal(chain.build())
    assert text.startswith("a float32 model, and byteprop computes in integers: convert it again")
    assert "TFLITE_BUILTINS_INT8" in text and "byteprop.quantize" not in text
    assert "BATCH_MATMUL 1 is not supported (op 0" in text


def test_a_hybrid_model() -> None:
    chain = Chain(tb.FLOAT32).dense(tb.FLOAT32, tb.INT8, np.ones((4, 4), np.int8))
    text = refusal(chain.build())
    assert text.startswith("a hybrid (float32 activations, int8 weights) model")
    assert "byteprop quantize FILE --data SAMPLES" in text


def test_a_model_with_packed_float_weights() -> None:
    chain = Chain(tb.FLOAT32)
    model = chain.model
    halves = model.tensor((4, 4), tflite.TensorType.FLOAT16, data=np.ones((4, 4), np.float16))
    w = model.tensor((4, 4), tb.FLOAT32)
    model.op(CODE.DEQUANTIZE, [halves], [w])
    text = refusal(chain.op("FULLY_CONNECTED", tb.FLOAT32, w).build())
    assert text.startswith("a float32 (with smaller weights, which it unpacks) model")


def test_a_partly_quantised_model() -> None:
    chain = Chain().op("RELU", version=2).op("DEQUANTIZE", tb.FLOAT32, version=2)
    softmax = tb.options_of("Softmax", Beta=1.0)
    text = refusal(chain.op("SOFTMAX", tb.FLOAT32, options=softmax).build())
    assert text.startswith("a partly quantised model: SOFTMAX 1 computes in float32")
    assert "not supported" not in text


def test_other_integers_are_named_before_the_ops() -> None:
    chain = Chain().op("RELU", version=2)
    w = chain.model.tensor((1, 4), tb.INT8, scale=0.1, data=np.ones(4, np.int8))
    text = refusal(chain.op("BATCH_MATMUL", tb.INT16, w).build())
    says = "int16 activations, expected int8 (op 1, BATCH_MATMUL with output 't3')"
    assert text.startswith(f"{says}: convert it again with full integer quantisation")
    assert "BATCH_MATMUL 1 is not supported" in text


def test_a_uint8_model_with_an_op_that_is_missing() -> None:
    chain = Chain(tb.UINT8)
    w = chain.model.tensor((1, 4), tb.UINT8, scale=0.1, data=np.ones(4, np.uint8))
    text = refusal(chain.op("BATCH_MATMUL", tb.UINT8, w).op("ADD", tb.UINT8, w).build())
    assert text.startswith("BATCH_MATMUL 1 is not supported (op 0, BATCH_MATMUL with output 't2')")


# --------------------------------------------------------------------------------------- subgraphs


def test_subgraphs_are_named_with_the_op_that_runs_them() -> None:
    model = tb.ModelBuilder(subgraphs=3)
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(CODE.CALL_ONCE, [], [])
    model.op(CODE.WHILE, [x], [y])
    text = refusal(model.build([x], [y]))
    assert text.startswith("3 subgraphs, expected 1: run by WHILE 1;")
    assert "WHILE 1 is not supported (op 1, WHILE" in text


def test_subgraphs_that_nothing_runs() -> None:
    data = Chain(subgraphs=2).op("RELU", version=2).build()
    assert refusal(data) == "2 subgraphs, expected 1: no op of the first runs another"


def test_quantize_takes_one_subgraph() -> None:
    chain = Chain(tb.FLOAT32, subgraphs=2).dense(tb.FLOAT32, tb.FLOAT32, FLOATS)
    with pytest.raises(UnsupportedOpError, match="2 subgraphs"):
        byteprop.quantize(chain.build(), np.eye(4))
