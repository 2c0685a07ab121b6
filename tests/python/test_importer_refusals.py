"""Bad models: what byteprop cannot run exactly is refused when it is loaded, and the message names
the op and the reason. Refusals of one op alone are tested with the op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

import byteprop
import tflite_builder as tb
from byteprop.errors import ModelError, UnsupportedOpError

CODE = tflite.BuiltinOperator
FUSED = tflite.ActivationFunctionType
IMAGE = (1, 4, 4, 2)
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
# Ops with weights or two inputs, and whether TensorFlow Lite fuses activations into them.
FUSING = (*CONVOLUTIONS, "FULLY_CONNECTED", "ADD", "SUB", "MUL", "AVERAGE_POOL_2D", "MAX_POOL_2D")


def options_of(name: str, activation: int) -> Any:
    """What the op needs beside an activation: strides of 1, a window of 1, SAME."""
    table = "Pool2D" if "POOL" in name else name.title().replace("_", "")
    fields: dict[str, Any] = {"FusedActivationFunction": activation}
    if name in CONVOLUTIONS or "POOL" in name:
        fields |= {"StrideH": 1, "StrideW": 1, "Padding": tflite.Padding.SAME}
    if name in CONVOLUTIONS[:2]:
        fields |= {"DilationHFactor": 1, "DilationWFactor": 1}
    if "POOL" in name:
        fields |= {"FilterHeight": 1, "FilterWidth": 1}
    return tb.options_of(table, **fields)


def model_of(
    name: str,
    *,
    activation: str = "NONE",
    x: float = 0.1,
    y: float = 0.1,
    x_type: int = tb.INT8,
    y_type: int = tb.INT8,
    w_type: int = tb.INT8,
    w_shape: tuple[int, ...] | None = None,
    **weights: Any,
) -> bytes:
    """A model of one op between images of one shape."""
    model = tb.ModelBuilder()
    shape = (2, 2) if name == "FULLY_CONNECTED" else IMAGE
    a = model.tensor(shape, x_type, scale=None if x_type == tb.FLOAT32 else x, name="x")
    b = model.tensor(shape, y_type, scale=None if y_type == tb.FLOAT32 else y, name="y")
    operands = [a]
    if name in (*CONVOLUTIONS, "FULLY_CONNECTED"):
        kernel = {"FULLY_CONNECTED": (2, 2), "DEPTHWISE_CONV_2D": (1, 1, 1, 2)}
        w_shape = w_shape or kernel.get(name, (2, 1, 1, 2))
        size = 4 if w_type == tb.FLOAT32 else 1
        data = bytes(range(1, 1 + int(np.prod(w_shape)) * size))
        operands.append(
            model.tensor(w_shape, w_type, scale=0.1, name="weights", data=data, **weights)
        )
    if name == "TRANSPOSE_CONV":
        stated = model.tensor((4,), tb.INT32, data=np.array(shape, np.int32))
        operands = [stated, operands[1], a]
    if name in ("ADD", "SUB", "MUL"):
        operands.append(a)
    fused = getattr(FUSED, activation)
    version = 3 if name in CONVOLUTIONS else 6 if name == "FULLY_CONNECTED" else 2
    model.op(getattr(CODE, name), operands, [b], version=version, options=options_of(name, fused))
    return model.build([a], [b])


def refused(data: bytes, error: type[ModelError] = UnsupportedOpError) -> str:
    with pytest.raises(error) as caught:
        byteprop.load(data)
    return str(caught.value)


@pytest.mark.parametrize("name", FUSING)
def test_the_plain_models_load(name: str) -> None:
    assert len(byteprop.load(model_of(name)).layers) == 1


@pytest.mark.parametrize("activation", ["TANH", "SIGN_BIT"])
@pytest.mark.parametrize("name", FUSING)
def test_activations_that_no_op_ends_in(name: str, activation: str) -> None:
    text = refused(model_of(name, activation=activation))
    assert f"op 0, {name} with output 'y': fused activation {activation}; supported are" in text


@pytest.mark.parametrize("activation", ["RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("name", FUSING)
def test_a_scale_too_small_for_the_activations_bound(name: str, activation: str) -> None:
    """The bound in steps of the output has more than 32 bits."""
    tiny = {"x": 1e-12, "y": 1e-12} if "POOL" in name else {"x": 1e-12, "y": 2e-12}
    text = refused(model_of(name, activation=activation, **tiny), ModelError)
    assert f"op 0, {name} with output 'y'" in text
    assert f"is too small for {activation}" in text


@pytest.mark.parametrize("name", [*CONVOLUTIONS, "FULLY_CONNECTED", "MUL"])
def test_an_input_too_coarse_for_the_output(name: str) -> None:
    text = refused(model_of(name, x=2.0**26, y=2.0**-20))
    assert f"op 0, {name} with output 'y'" in text and "expected less than 2^30" in text


@pytest.mark.parametrize("name", [*CONVOLUTIONS, "FULLY_CONNECTED"])
def test_weights_of_other_kinds(name: str) -> None:
    said = refused(model_of(name, w_type=tb.UINT8))
    assert f"op 0, {name} with output 'y': both UINT8 and INT8 in one op" in said
    assert "are sparse" in refused(model_of(name, sparse=True))
    asymmetric = refused(model_of(name, zero_point=3))
    assert "weights with a zero point other than 0" in asymmetric
    hybrid = refused(model_of(name, x_type=tb.FLOAT32, y_type=tb.FLOAT32))
    assert "a hybrid (float32 activations, int8 weights) model" in hybrid


@pytest.mark.parametrize("name", FUSING)
def test_other_activations_than_int8(name: str) -> None:
    wide = refused(model_of(name, x_type=tb.INT16, y_type=tb.INT16))
    assert f"int16 activations, expected int8 (op 0, {name} with output 'y')" in wide
    assert "both UINT8 and INT8" in refused(model_of(name, y_type=tb.UINT8))


@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"])
def test_scales_along_another_axis_than_the_channels(name: str) -> None:
    shape = {"DEPTHWISE_CONV_2D": (1, 2, 1, 2)}.get(name, (2, 1, 1, 2))
    axis = 1 if name == "DEPTHWISE_CONV_2D" else 3
    model = tb.ModelBuilder()
    x, y = (model.tensor(IMAGE, scale=0.1) for _ in range(2))
    w = model.tensor(shape, scale=[0.1, 0.2], dimension=axis, data=bytes(range(4)))
    operands = [x, w]
    if name == "TRANSPOSE_CONV":
        operands = [model.tensor((4,), tb.INT32, data=np.array(IMAGE, np.int32)), w, x]
    model.op(getattr(CODE, name), operands, [y], version=3, options=options_of(name, FUSED.NONE))
    assert f"weights quantised along dimension {axis}" in refused(model.build([x], [y]))


@pytest.mark.parametrize("name", ["SUM", "REDUCE_PROD", "SPACE_TO_DEPTH", "SKIP_GRAM", "GATHER_ND"])
def test_ops_that_byteprop_has_not_are_named(name: str) -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1,), scale=0.1, name="y")
    axis = model.tensor((1,), tb.INT32, data=np.array([1], np.int32))
    model.op(getattr(CODE, name), [x, axis], [y])
    text = refused(model.build([x], [y]))
    assert f"{name} 1 is not supported (op 0, {name} with output 'y')" in text


def test_a_subgraph_that_does_more_than_to_fill_variables_is_named() -> None:
    """The builder's subgraphs are all alike."""
    model = tb.ModelBuilder(subgraphs=2)
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    handle = model.tensor((1,), tflite.TensorType.RESOURCE)
    model.op(CODE.CALL_ONCE, [], [], options=tb.options_of("CallOnce", InitSubgraphIndex=1))
    model.op(CODE.VAR_HANDLE, [], [handle])
    model.op(CODE.READ_VARIABLE, [handle], [y])
    text = refused(model.build([x], [y]))
    assert "op 0, CALL_ONCE" in text
    assert "it runs CALL_ONCE; expected VAR_HANDLE and ASSIGN_VARIABLE alone" in text


# --- shapes that are known only when the model runs ---


def with_computed_shape(name: str) -> bytes:
    """The op with a shape, axis or size that the network computes."""
    model = tb.ModelBuilder()
    x, y = model.tensor(IMAGE, scale=0.1), model.tensor(IMAGE, scale=0.1, name="y")
    length = {"RESHAPE": 4, "TRANSPOSE_CONV": 4, "TRANSPOSE": 4, "TILE": 4}.get(name, 2)
    source = model.tensor((length,), scale=1.0, name="source")
    numbers = model.tensor((length,), scale=1.0, name="numbers")
    model.op(CODE.RELU, [source], [numbers], version=2)
    operands = [x, numbers]
    if name == "TRANSPOSE_CONV":
        w = model.tensor((2, 1, 1, 2), scale=0.1, data=bytes(4))
        operands = [numbers, w, x]
    if name == "STRIDED_SLICE":
        operands = [x, numbers, numbers, numbers]
    if name == "SPLIT":
        operands = [numbers, x]
    options = {
        "TRANSPOSE_CONV": options_of("TRANSPOSE_CONV", FUSED.NONE),
        "STRIDED_SLICE": tb.options_of("StridedSlice"),
        "SPLIT": tb.options_of("Split", NumSplits=1),
        "RESIZE_BILINEAR": tb.options_of("ResizeBilinear"),
        "RESIZE_NEAREST_NEIGHBOR": tb.options_of("ResizeNearestNeighbor"),
        "MEAN": tb.options_of("Reducer", KeepDims=True),
        "REDUCE_MAX": tb.options_of("Reducer", KeepDims=True),
    }.get(name)
    version = {"RESHAPE": 1, "TILE": 1, "EXPAND_DIMS": 1}.get(name, 2)
    model.op(getattr(CODE, name), operands, [y], version=version, options=options)
    return model.build([x, source], [y])


@pytest.mark.parametrize(
    "name",
    ["RESHAPE", "EXPAND_DIMS", "TRANSPOSE_CONV", "TRANSPOSE", "TILE", "STRIDED_SLICE", "SPLIT",
     "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MEAN", "REDUCE_MAX"],
)  # fmt: skip
def test_shapes_that_do_not_fold(name: str) -> None:
    text = refused(with_computed_shape(name))
    assert f"op 1, {name} with output 'y': input 'numbers' is computed when the model runs" in text
    assert "it must be known when the model is loaded" in text


def test_a_shape_from_values_does_not_fold() -> None:
    """A number that the network computes becomes a dimension."""
    model = tb.ModelBuilder()
    x, y = model.tensor((2,), scale=1.0, name="x"), model.tensor((2, 1), scale=1.0, name="y")
    shape = model.tensor((2,), tb.INT32, name="shape")
    model.op(CODE.CAST, [x], [shape], options=tb.options_of("Cast"))
    model.op(CODE.RESHAPE, [x, shape], [y])
    text = refused(model.build([x], [y]))
    assert "op 0, CAST with output 'shape'" in text and "must be known" in text


@pytest.mark.parametrize("shape", [(0, 4), (1, 0), (-1, 4), (1, -2)])
def test_dimensions_without_a_size(shape: tuple[int, int]) -> None:
    """A batch that the signature leaves open is 1; nothing else may be open."""
    model = tb.ModelBuilder()
    x, y = (model.tensor(shape, scale=0.1, name=name) for name in "xy")
    model.op(CODE.RELU, [x], [y], version=2)
    assert "input 'x' has" in refused(model.build([x], [y]), ModelError)


@pytest.mark.parametrize("rank", [5, 6])
@pytest.mark.parametrize("name", ["RELU", "ADD", "MEAN", "SOFTMAX", "LOGISTIC", "PAD"])
def test_ranks_above_four(name: str, rank: int) -> None:
    shape = (1,) * (rank - 2) + (2, 3)
    model = tb.ModelBuilder()
    x, y = (model.tensor(shape, scale=1 / 256, zero_point=-128, name=n) for n in "xy")
    more = {
        "ADD": [x],
        "MEAN": [model.tensor((1,), tb.INT32, data=np.array([1], np.int32))],
        "PAD": [model.tensor((rank, 2), tb.INT32, data=np.zeros((rank, 2), np.int32))],
    }
    model.op(getattr(CODE, name), [x, *more.get(name, [])], [y], version=2)
    assert f"'x' has {rank} dimensions; byteprop takes up to 4" in refused(model.build([x], [y]))
