"""What the importer makes of files: shape arithmetic, float borders, and what the ops turn into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import tflite_builder as tb
from byteprop import reference
from byteprop.graph import Activation, DType, Graph
from byteprop.importer import load_tflite
from byteprop.ops import Dense, Rescale, Reshape, Softmax

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
CODE = tflite.BuiltinOperator


def kinds(graph: Graph) -> list[type]:
    return [type(op) for op in graph.ops]


def ints(model: tb.ModelBuilder, *values: int, type: int = tb.INT32) -> int:
    dtype = np.int32 if type == tb.INT32 else np.int64
    return model.tensor((len(values),), type, data=np.array(values, dtype))


def same_as_runtime(data: bytes, x: np.ndarray[Any, Any]) -> None:
    got = reference.run(load_tflite(data), [x])
    for y, wanted in zip(got, builtin_ref.run(data, [x]), strict=True):
        assert y.dtype == wanted.dtype
        np.testing.assert_array_equal(y, wanted)


def test_flatten_of_a_dynamic_batch_leaves_one_reshape() -> None:
    graph = load_tflite((MODELS / "fashion_mlp_perchannel.tflite").read_bytes())
    assert kinds(graph) == [Reshape, Dense, Dense, Softmax]
    first = graph.ops[1]
    assert isinstance(first, Dense)
    assert first.weights.shape == (20, 784)
    assert len(first.weight_scales) == 20
    assert first.activation is Activation.RELU
    assert graph.tensors[graph.inputs[0]].name == "serving_default_keras_tensor:0"
    assert graph.tensors[graph.inputs[0]].shape == (1, 28, 28)


def test_float_borders_become_marks_on_the_tensors() -> None:
    graph = load_tflite((MODELS / "fashion_mlp_floatio.tflite").read_bytes())
    assert kinds(graph) == [Reshape, Dense, Dense, Softmax]
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert source.float_border and target.float_border
    assert (source.scale, source.zero_point) == (np.float32(1 / 255), -128)
    assert (target.scale, target.zero_point) == (np.float32(1 / 256), -128)
    assert target.name == "StatefulPartitionedCall_1:0"
    inner = [t for i, t in enumerate(graph.tensors) if i not in graph.inputs + graph.outputs]
    assert not any(tensor.float_border for tensor in inner)


def test_a_dense_op_without_bias_says_so() -> None:
    graph = load_tflite(tb.dense_model(weights=np.ones((2, 3)), missing_bias="minus one"))
    op = graph.ops[0]
    assert isinstance(op, Dense)
    assert not op.has_bias
    assert op.bias.tolist() == [0, 0]


def test_a_bias_needs_no_quantisation_parameters() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 2), scale=0.5)
    w = model.tensor((1, 2), scale=0.5, data=np.ones((1, 2), np.int8))
    b = model.tensor((1,), tb.INT32, data=np.array([5], np.int32))
    y = model.tensor((1, 1), scale=100.0)
    model.op(CODE.FULLY_CONNECTED, [x, w, b], [y], version=4)
    op = load_tflite(model.build([x], [y])).ops[0]
    assert isinstance(op, Dense)
    assert op.bias.tolist() == [5]


def test_op_codes_of_old_writers_are_read() -> None:
    model = tb.ModelBuilder(modern_op_codes=False)
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(CODE.RELU, [x], [y], version=2)
    op = load_tflite(model.build([x], [y])).ops[0]
    assert isinstance(op, Rescale)
    assert op.activation is Activation.RELU


def shape_computed_by(
    build: Any, shape: tuple[int, ...] = (1, 4, 6), type: int = tb.INT32
) -> bytes:
    """RESHAPE to what build(model, x, number) computes from SHAPE of x."""
    model = tb.ModelBuilder()
    x = model.tensor(shape, scale=0.1, name="x", signature=(-1, *shape[1:]))

    def number(code: int, inputs: list[int], rank: int = 1, **options: Any) -> int:
        result = model.tensor((1,) * rank, type, signature=(-1,) * rank)
        model.op(code, inputs, [result], **options)
        return result

    dims = number(CODE.SHAPE, [x], options=tb.options_of("Shape", OutType=type))
    wanted = build(model, dims, number)
    y = model.tensor((1, 1), scale=0.1, signature=(-1, -1))
    model.op(CODE.RESHAPE, [x, wanted], [y])
    return model.build([x], [y])


def element(model: tb.ModelBuilder, dims: int, number: Any, position: int) -> int:
    stops = [ints(model, position), ints(model, position + 1), ints(model, 1)]
    options = tb.options_of("StridedSlice", ShrinkAxisMask=1)
    result: int = number(CODE.STRIDED_SLICE, [dims, *stops], rank=0, options=options)
    return result


def slice_and_pack(model: tb.ModelBuilder, dims: int, number: Any) -> int:
    parts = [element(model, dims, number, 0), model.tensor((), tb.INT32, data=np.int32(-1))]
    result: int = number(CODE.PACK, parts, options=tb.options_of("Pack", ValuesCount=2))
    return result


def product_of_the_rest(model: tb.ModelBuilder, dims: int, number: Any) -> int:
    one, zero, two = ints(model, 1), ints(model, 0), ints(model, 2)
    rest = number(CODE.SLICE, [dims, one, two])
    keep = tb.options_of("Reducer", KeepDims=True)
    product = number(CODE.REDUCE_PROD, [rest, zero], options=keep)
    first = number(CODE.GATHER, [dims, zero], options=tb.options_of("Gather", Axis=0))
    joined: int = number(
        CODE.CONCATENATION, [first, product], options=tb.options_of("Concatenation", Axis=0)
    )
    return joined


def arithmetic(model: tb.ModelBuilder, dims: int, number: Any) -> int:
    """[1, 4, 6] + 1 - 1, times 24, by [24, 4, 6] -> [1, 24, 24]; its ends, the greater of 1."""
    one = ints(model, 1, 1, 1)
    value = number(CODE.ADD, [dims, one], options=tb.options_of("Add"))
    value = number(CODE.SUB, [value, one], options=tb.options_of("Sub"))
    value = number(CODE.MUL, [value, ints(model, 24)], options=tb.options_of("Mul"))
    value = number(CODE.FLOOR_DIV, [value, ints(model, 24, 4, 6)])
    value = number(CODE.DIV, [value, ints(model, 1)], options=tb.options_of("Div"))
    value = number(CODE.MAXIMUM, [value, one])
    value = number(CODE.MINIMUM, [value, ints(model, 24)])
    stops = [ints(model, 0), ints(model, 2), ints(model, 1)]
    ends: int = number(CODE.STRIDED_SLICE, [value, *stops], options=tb.options_of("StridedSlice"))
    return ends


def expand_and_squeeze(model: tb.ModelBuilder, dims: int, number: Any) -> int:
    first = element(model, dims, number, 0)
    wide = number(CODE.EXPAND_DIMS, [first, model.tensor((), tb.INT32, data=np.int32(0))])
    narrow = number(CODE.SQUEEZE, [wide], rank=0, options=tb.options_of("Squeeze"))
    again = number(CODE.RESHAPE, [narrow, ints(model, 1)])
    rest = ints(model, -1)
    joined: int = number(
        CODE.CONCATENATION, [again, rest], options=tb.options_of("Concatenation", Axis=0)
    )
    return joined


@pytest.mark.parametrize(
    "build", [slice_and_pack, product_of_the_rest, arithmetic, expand_and_squeeze]
)
def test_shape_arithmetic_is_folded_away(build: Any) -> None:
    data = shape_computed_by(build)
    graph = load_tflite(data)
    assert kinds(graph) == [Reshape]
    assert graph.tensors[graph.outputs[0]].shape == (1, 24)


@pytest.mark.parametrize("build", [slice_and_pack, product_of_the_rest, arithmetic])
def test_folded_shapes_are_those_of_the_runtime(build: Any) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (3, 4, 6)).astype(np.int8)
    same_as_runtime(shape_computed_by(build), x)


def test_shapes_in_64_bits_and_casts() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 4, 6), scale=0.1)
    dims = model.tensor((3,), tb.INT64)
    model.op(CODE.SHAPE, [x], [dims], options=tb.options_of("Shape", OutType=tb.INT64))
    narrow = model.tensor((3,), tb.INT32)
    cast = tb.options_of("Cast", InDataType=tb.INT64, OutDataType=tb.INT32)
    model.op(CODE.CAST, [dims], [narrow], options=cast)
    y = model.tensor((1, 4, 6), scale=0.1)
    model.op(CODE.RESHAPE, [x, narrow], [y])
    assert kinds(load_tflite(model.build([x], [y]))) == [Reshape]


def test_expand_dims_and_squeeze_of_tensors_are_reshapes() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 3), scale=0.1)
    wide = model.tensor((1, 3, 1), scale=0.1)
    model.op(CODE.EXPAND_DIMS, [x, model.tensor((), tb.INT32, data=np.int32(-1))], [wide])
    y = model.tensor((1, 3), scale=0.1)
    model.op(CODE.SQUEEZE, [wide], [y], options=tb.options_of("Squeeze", SqueezeDims=[-1]))
    data = model.build([x], [y])
    assert kinds(load_tflite(data)) == [Reshape, Reshape]
    same_as_runtime(data, np.array([[1, -2, 3]], np.int8))


def test_a_reshape_by_its_option_alone() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 6), scale=0.1), model.tensor((2, 3), scale=0.1)
    model.op(CODE.RESHAPE, [x], [y], options=tb.options_of("Reshape", NewShape=[2, -1]))
    graph = load_tflite(model.build([x], [y]))
    assert graph.tensors[graph.outputs[0]].shape == (2, 3)


def test_float_reshapes_at_the_border() -> None:
    """float32 in, reshaped, quantised, dequantised, reshaped, float32 out."""
    model = tb.ModelBuilder()
    x, flat = model.tensor((1, 2, 3), tb.FLOAT32), model.tensor((1, 6), tb.FLOAT32)
    model.op(CODE.RESHAPE, [x, ints(model, 1, 6)], [flat])
    q, r = model.tensor((1, 6), scale=0.5), model.tensor((1, 6), scale=0.25, zero_point=-128)
    model.op(CODE.QUANTIZE, [flat], [q])
    model.op(CODE.RELU, [q], [r], version=2)
    real, y = model.tensor((1, 6), tb.FLOAT32), model.tensor((1, 3, 2), tb.FLOAT32)
    model.op(CODE.DEQUANTIZE, [r], [real], version=2)
    model.op(CODE.RESHAPE, [real, ints(model, 1, 3, 2)], [y])
    data = model.build([x], [y])
    graph = load_tflite(data)
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert (source.shape, source.float_border) == ((1, 2, 3), True)
    assert (target.shape, target.float_border) == ((1, 3, 2), True)
    values = np.linspace(-3, 3, 6, dtype=np.float32).reshape(1, 2, 3)
    q_in = reference.quantize(values, source.scale, source.zero_point, source.dtype)
    got = reference.dequantize(reference.run(graph, [q_in])[0], target.scale, target.zero_point)
    np.testing.assert_array_equal(got, builtin_ref.run(data, [values])[0])


def test_a_float_input_quantised_twice_alike_is_one_input() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 4), tb.FLOAT32)
    a, b = (model.tensor((1, 4), scale=0.5) for _ in range(2))
    model.op(CODE.QUANTIZE, [x], [a])
    model.op(CODE.QUANTIZE, [x], [b])
    y, z = (model.tensor((1, 4), scale=0.5) for _ in range(2))
    model.op(CODE.RELU, [a], [y], version=2)
    model.op(CODE.RELU6, [b], [z], version=2)
    graph = load_tflite(model.build([x], [y, z]))
    assert len(graph.inputs) == 1
    assert [op.input for op in graph.ops] == [graph.inputs[0]] * 2


def test_uint8_borders_are_ops_of_the_device() -> None:
    data = tb.rescale_model("QUANTIZE", x_type=tb.UINT8, x_zero_point=128, shape=(1, 8))
    graph = load_tflite(data)
    assert kinds(graph) == [Rescale]
    assert graph.tensors[graph.inputs[0]].dtype is DType.UINT8
    assert not graph.tensors[graph.inputs[0]].float_border


def test_outputs_are_tensors_of_their_own() -> None:
    """The same tensor as int8 and as float32, the input itself, and an output listed twice."""
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    real = model.tensor((1, 4), tb.FLOAT32)
    model.op(CODE.RELU, [x], [y], version=2)
    model.op(CODE.DEQUANTIZE, [y], [real], version=2)
    graph = load_tflite(model.build([x], [y, real, x, y]))
    assert len({*graph.inputs, *graph.outputs}) == 5
    assert [graph.tensors[i].float_border for i in graph.outputs] == [False, True, False, False]
    values = np.array([[-5, 0, 5, 100]], np.int8)
    got = reference.run(graph, [values])
    relu = np.maximum(values, 0)
    for one, wanted in zip(got, [relu, relu, values, relu], strict=True):
        np.testing.assert_array_equal(one, wanted)


def test_several_inputs_keep_their_order() -> None:
    model = tb.ModelBuilder()
    a, b = model.tensor((1, 2), scale=0.1, name="a"), model.tensor((1, 3), scale=0.2, name="b")
    y, z = model.tensor((1, 2), scale=0.1), model.tensor((1, 3), scale=0.2)
    model.op(CODE.RELU, [a], [y], version=2)
    model.op(CODE.RELU, [b], [z], version=2)
    graph = load_tflite(model.build([b, a], [y, z]))
    assert [graph.tensors[i].name for i in graph.inputs] == ["b", "a"]


def test_names_end_at_a_zero_byte_and_need_not_be_utf8() -> None:
    data = tb.rescale_model("RELU", shape=(1, 2))
    at = data.index(b"x\0")
    graph = load_tflite(data[:at] + b"\xff" + data[at + 1 :])
    assert graph.tensors[graph.inputs[0]].name == "\ufffd"


def test_weights_are_views_of_the_files_bytes() -> None:
    data = (MODELS / "fashion_mlp_perchannel.tflite").read_bytes()
    op = load_tflite(data).ops[1]
    assert isinstance(op, Dense)
    assert op.weights.base is not None
    assert not op.weights.flags.writeable
