"""Every refusal is a ModelError that names the op, its index, its output and what would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_builder as tb
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.importer import load_tflite
from byteprop.importer.lowering import FOLDINGS, LOWERINGS
from byteprop.tflite.rawmodel import op_name, options_name
from byteprop.tflite.schema import OPTIONS_OF_OP

CODE = tflite.BuiltinOperator
ONES = np.ones((2, 3), np.int8)


def message(data: bytes, error: type[ModelError] = ModelError) -> str:
    with pytest.raises(ModelError) as caught:
        load_tflite(data)
    assert type(caught.value) is error
    return str(caught.value)


def dense_parts(
    *,
    x: dict[str, Any] | None = None,
    w: dict[str, Any] | None = None,
    b: dict[str, Any] | None = None,
    y: dict[str, Any] | None = None,
    options: tuple[int, tb.OptionsWriter] | None = None,
    version: int = 4,
    weights: np.ndarray[Any, Any] | None = ONES,
) -> bytes:
    """A 3-2 dense op with any parameter of its tensors replaced."""
    model = tb.ModelBuilder()
    size = {"shape": (1, 3), "scale": 0.5, "name": "x"}
    source = model.tensor(**{**size, **(x or {})})
    kernel = {"shape": (2, 3), "scale": 0.5, "name": "w", "data": weights}
    filters = model.tensor(**{**kernel, **(w or {})})
    offsets = {
        "shape": (2,),
        "type": tb.INT32,
        "scale": 0.25,
        "name": "b",
        "data": np.zeros(2, np.int32),
    }
    bias = model.tensor(**{**offsets, **(b or {})})
    answer = {"shape": (1, 2), "scale": 1.0, "name": "y"}
    target = model.tensor(**{**answer, **(y or {})})
    model.op(
        CODE.FULLY_CONNECTED, [source, filters, bias], [target], version=version, options=options
    )
    return model.build([source], [target])


def fused(name: str) -> tuple[int, tb.OptionsWriter]:
    code = getattr(tflite.ActivationFunctionType, name)
    return tb.options_of("FullyConnected", FusedActivationFunction=code)


def test_the_plain_parts_load() -> None:
    assert len(load_tflite(dense_parts()).ops) == 1


@pytest.mark.parametrize(
    "data, error, says",
    [
        (
            dense_parts(version=12),
            UnsupportedOpError,
            "version 12 is not supported, versions up to 9",
        ),
        (dense_parts(options=fused("TANH")), UnsupportedOpError, "fused activation TANH"),
        (dense_parts(options=fused("SIGN_BIT")), UnsupportedOpError, "RELU, RELU6, RELU_N1_TO_1"),
        (
            dense_parts(options=tb.options_of("FullyConnected", WeightsFormat=1)),
            UnsupportedOpError,
            "weights format 1",
        ),
        (
            dense_parts(options=tb.options_of("FullyConnected", AsymmetricQuantizeInputs=True)),
            UnsupportedOpError,
            "asymmetric_quantize_inputs",
        ),
        (dense_parts(x={"type": tb.UINT8}), UnsupportedOpError, "both UINT8 and INT8 in one op"),
        (dense_parts(x={"type": tb.FLOAT32}), UnsupportedOpError, "float32, not quantised"),
        (dense_parts(x={"type": tb.INT16}), UnsupportedOpError, "input 'x' is INT16"),
        (dense_parts(x={"shape": (1, 4)}), ModelError, "shape [1, 4] for rows of 3 weights"),
        (dense_parts(x={"scale": None}), ModelError, "without quantisation parameters"),
        (dense_parts(x={"scale": 0.0}), ModelError, "'x' has the scale 0.0"),
        (dense_parts(x={"scale": -1.0}), ModelError, "scale -1.0"),
        (dense_parts(x={"scale": np.nan}), ModelError, "scale nan"),
        (dense_parts(x={"scale": np.inf}), ModelError, "scale inf"),
        (dense_parts(x={"scale": [0.1, 0.2]}), ModelError, "2 scales; an activation has one"),
        (dense_parts(x={"zero_point": 128}), ModelError, "zero point 128, outside INT8"),
        (dense_parts(x={"zero_point": None}), ModelError, "1 scales, but 0 zero points"),
        (dense_parts(x={"custom_quantization": True}), ModelError, "custom quantisation"),
        (dense_parts(x={"is_variable": True}), ModelError, "constant or variable"),
        (dense_parts(x={"shape": (1, 0)}), UnsupportedOpError, "at least 1"),
        (dense_parts(x={"shape": (1, 1, 1, 1, 3)}), UnsupportedOpError, "5 dimensions"),
        (dense_parts(x={"shape": (2**12, 2**13)}), UnsupportedOpError, "33554432 elements"),
        (dense_parts(weights=None), UnsupportedOpError, "'w' are not constant"),
        (dense_parts(w={"type": tb.UINT8}), UnsupportedOpError, "both UINT8 and INT8 in one op"),
        (dense_parts(w={"sparse": True}), UnsupportedOpError, "sparse"),
        (dense_parts(w={"scale": None}), ModelError, "'w' have no quantisation"),
        (dense_parts(w={"scale": [0.5, 0.0]}), ModelError, "not a positive number"),
        (dense_parts(w={"scale": [0.5] * 3}), ModelError, "3 scales for 2 rows"),
        (
            dense_parts(w={"scale": [0.5] * 2, "dimension": 1}),
            UnsupportedOpError,
            "along dimension 1",
        ),
        (dense_parts(w={"zero_point": 1}), UnsupportedOpError, "zero point other than 0"),
        (dense_parts(w={"shape": (2, 3, 1)}), ModelError, "weights have the shape [2, 3, 1]"),
        (dense_parts(weights=ONES[:1]), ModelError, "'w': expected 6 bytes, got 3"),
        (dense_parts(b={"type": tb.INT64}), UnsupportedOpError, "INT64, not INT32"),
        (dense_parts(b={"shape": (3,)}), ModelError, "bias of shape [3] for 2 rows"),
        (dense_parts(b={"scale": 0.5}), ModelError, "scale of the bias 'b'"),
        (dense_parts(b={"scale": [0.25] * 3}), ModelError, "3 scales"),
        (dense_parts(b={"zero_point": 2}), ModelError, "zero point not 0"),
        (
            dense_parts(b={"data": np.zeros(1, np.int32)}),
            ModelError,
            "'b': expected 8 bytes, got 4",
        ),
        (dense_parts(y={"type": tb.INT16}), UnsupportedOpError, "int16 activations, expected int8"),
        (dense_parts(y={"type": tb.UINT8}), UnsupportedOpError, "both UINT8 and INT8 in one op"),
        (dense_parts(y={"shape": (1, 3)}), ModelError, "states the shape [1, 3] for 'y'"),
        (dense_parts(y={"scale": 1e-12}), UnsupportedOpError, "times as coarse"),
        (
            dense_parts(
                y={"scale": 2e-9}, x={"scale": 1e-9}, options=fused("RELU6"), b={"scale": None}
            ),
            ModelError,
            "too small for RELU6",
        ),
    ],
)
def test_dense(data: bytes, error: type[ModelError], says: str) -> None:
    text = message(data, error)
    assert says in text
    if not text.startswith("input") and not text.startswith("tensor"):
        assert "op 0, FULLY_CONNECTED with output 'y'" in text


@pytest.mark.parametrize(
    "data, says",
    [
        (tb.softmax_model(y_scale=0.1), "expected output scale 1/256, zero point -128, got 0.1"),
        (
            tb.softmax_model(y_zero_point=0),
            "expected output scale 1/256, zero point -128, got 0.00390625, 0",
        ),
        (tb.softmax_model(beta=0.0), "beta is 0.0"),
        (tb.softmax_model(beta=np.nan), "beta is nan"),
        (tb.softmax_model(x_scale=2.0**-26), "not above 2^-26"),
        (tb.softmax_model(shape=(1, 4096)), "the last dimension may be 1 to 4095"),
        (tb.softmax_model(shape=()), "shape []"),
    ],
)
def test_softmax(data: bytes, says: str) -> None:
    text = message(data, UnsupportedOpError if "dimension" in says or "[]" in says else ModelError)
    assert "op 0, SOFTMAX with output 'y'" in text
    assert says in text


def test_rescale_between_types_is_for_quantize_alone() -> None:
    text = message(tb.rescale_model("RELU", y_type=tb.UINT8, y_zero_point=3))
    assert "op 0, RELU with output 'y': from INT8 to UINT8" in text


def test_an_unknown_op_names_itself_and_what_is_supported() -> None:
    model = tb.ModelBuilder()
    x, y, z = (model.tensor((1, 4), scale=0.1, name=name) for name in ("x", "middle", "last"))
    model.op(CODE.RELU, [x], [y], version=2)
    model.op(CODE.ABS, [y], [z])
    text = message(model.build([x], [z]), UnsupportedOpError)
    assert text.startswith("ABS 1 is not supported (op 1, ABS with output 'last')")
    for code in LOWERINGS:
        assert op_name(code) in text


@pytest.mark.parametrize(
    "code, options, says",
    [
        ("RELU", tb.options_of("Add"), "expected NONE, got AddOptions"),
        ("SOFTMAX", tb.options_of("Sub"), "expected SoftmaxOptions, got SubOptions"),
        ("ADD", tb.options_of("Sub"), "expected AddOptions, got SubOptions"),
        ("EXPAND_DIMS", (200, tb.options_of("Add")[1]), "expected ExpandDimsOptions, got type 200"),
    ],
)
def test_options_of_another_op(code: str, options: tuple[int, tb.OptionsWriter], says: str) -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(getattr(CODE, code), [x], [y], options=options)
    assert f"op 0, {code}: options of another op, {says}" in message(model.build([x], [y]))


def test_a_custom_op_is_named() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1, name="y")
    model.op(CODE.CUSTOM, [x], [y], custom_code="FlexErf")
    text = message(model.build([x], [y]), UnsupportedOpError)
    assert "op 0, custom op 'FlexErf' with output 'y'" in text


def test_a_long_name_of_a_custom_op_is_cut() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(CODE.CUSTOM, [x], [y], custom_code="n" * 5000)
    assert len(message(model.build([x], [y]), UnsupportedOpError)) < 1500


@pytest.mark.parametrize("code", [200, 5000])
def test_an_op_younger_than_the_schema_has_its_number(code: int) -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(code, [x], [y])
    assert "op 0" in message(model.build([x], [y]), UnsupportedOpError)


def test_arithmetic_on_tensors_is_not_shape_arithmetic() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1, name="y")
    model.op(CODE.FLOOR_DIV, [x, x], [y])
    text = message(model.build([x], [y]), UnsupportedOpError)
    assert "FLOOR_DIV 1 is not supported (op 0, FLOOR_DIV with output 'y')" in text


def two_ops(first: Callable[[tb.ModelBuilder, int, int, int], None]) -> bytes:
    model = tb.ModelBuilder()
    x, y, z = (model.tensor((1, 4), scale=0.1, name=name) for name in ("x", "y", "z"))
    first(model, x, y, z)
    return model.build([x], [z])


def test_ops_out_of_order() -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, [y], [z], version=2)
        model.op(CODE.RELU, [x], [y], version=2)

    assert "input 0, 'y', is computed by no op before it" in message(two_ops(build))


def test_a_tensor_written_twice() -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, [x], [z], version=2)
        model.op(CODE.RELU, [x], [z], version=2)

    assert "op 1, RELU with output 'z': its output is an input" in message(two_ops(build))


def test_a_loop() -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, [x], [x], version=2)

    assert "its output is an input of the model" in message(two_ops(build))


def test_an_output_that_nothing_computes() -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, [x], [y], version=2)

    assert "output 'z' (INT8)" in message(two_ops(build), UnsupportedOpError)


@pytest.mark.parametrize("operands", [([0, 0], [2]), ([0], [2, 1]), ([], [2]), ([0], [])])
def test_wrong_numbers_of_operands(operands: tuple[list[int], list[int]]) -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, *operands, version=2)

    assert "expected 1 inputs and 1 outputs, got" in message(two_ops(build))


@pytest.mark.parametrize("code", sorted(LOWERINGS.keys() | FOLDINGS.keys()))
@pytest.mark.parametrize("with_options", [True, False])
def test_no_op_relies_on_operands_that_are_missing(code: int, with_options: bool) -> None:
    kind = op_name_of_options(code) if with_options else None
    options = None if kind is None else tb.options_of(kind)
    for inputs, outputs in (([], []), ([0], []), ([], [1]), ([0, 0, 0, 0, 0], [1]), ([-1], [1])):
        if code == CODE.VAR_HANDLE and not inputs and outputs:
            continue  # these are its operands
        model = tb.ModelBuilder()
        x, _ = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
        model.op(code, inputs, outputs, options=options)
        with pytest.raises(ModelError):
            load_tflite(model.build([x], [x]))


def op_name_of_options(code: int) -> str | None:
    name = options_name(OPTIONS_OF_OP[code])
    return None if name == "NONE" else name.removesuffix("Options")


@pytest.mark.parametrize("inputs, outputs", [([9], [2]), ([0], [9]), ([-2], [2]), ([0], [-1])])
def test_tensors_that_do_not_exist(inputs: list[int], outputs: list[int]) -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, inputs, outputs, version=2)

    assert "op 0 (RELU)" in message(two_ops(build))


def test_a_left_out_input() -> None:
    def build(model: tb.ModelBuilder, x: int, y: int, z: int) -> None:
        model.op(CODE.RELU, [-1], [z], version=2)

    assert "op 0, RELU with output 'z': input 0 is missing" in message(two_ops(build))


@pytest.mark.parametrize(
    "shape, says",
    [
        ([3, 3], "from the shape [1, 12] to [3, 3]"),
        ([-1, -1], "the new shape [-1, -1]"),
        ([0, 12], "the new shape [0, 12]"),
        ([-2, 6], "the new shape [-2, 6]"),
        ([-1, 5], "from the shape [1, 12] to [-1, 5]"),
    ],
)
def test_reshapes_that_do_not_fit(shape: list[int], says: str) -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 12), scale=0.1), model.tensor((1, 12), scale=0.1, name="y")
    wanted = model.tensor((2,), tb.INT32, data=np.array(shape, np.int32))
    model.op(CODE.RESHAPE, [x, wanted], [y])
    text = message(model.build([x], [y]))
    assert "op 0, RESHAPE with output 'y'" in text
    assert says in text


def test_a_reshape_by_a_computed_tensor() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 2), scale=0.1), model.tensor((1, 2), scale=0.1)
    model.op(CODE.RESHAPE, [x, x], [y])
    assert "must be known when the model is loaded" in message(
        model.build([x], [y]), UnsupportedOpError
    )


def test_a_division_of_shapes_by_zero() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 2), scale=0.1), model.tensor((1, 2), scale=0.1)
    dims, zero = model.tensor((2,), tb.INT32), model.tensor((1,), tb.INT32, data=bytes(4))
    model.op(CODE.SHAPE, [x], [dims])
    quotient = model.tensor((2,), tb.INT32, name="q")
    model.op(CODE.FLOOR_DIV, [dims, zero], [quotient])
    model.op(CODE.RESHAPE, [x, quotient], [y])
    assert "op 1, FLOOR_DIV with output 'q': a division by 0" in message(model.build([x], [y]))


@pytest.mark.parametrize("code", [CODE.MUL, CODE.ADD])
def test_shapes_that_overflow(code: int) -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 2), scale=0.1), model.tensor((1, 2), scale=0.1)
    large = model.tensor((2,), tb.INT32, data=np.full(2, 2**31 - 1, np.int32))
    wanted = model.tensor((2,), tb.INT32)
    model.op(code, [large, large], [wanted])
    model.op(CODE.RESHAPE, [x, wanted], [y])
    assert "shape arithmetic overflows INT32" in message(model.build([x], [y]))


def test_a_float_input_quantised_in_two_ways() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 4), tb.FLOAT32, name="x")
    a, b = model.tensor((1, 4), scale=0.5), model.tensor((1, 4), scale=0.25)
    model.op(CODE.QUANTIZE, [x], [a])
    model.op(CODE.QUANTIZE, [x], [b])
    assert "input 'x' is quantised in two ways" in message(
        model.build([x], [a, b]), UnsupportedOpError
    )


def test_a_float_input_that_nothing_quantises() -> None:
    model = tb.ModelBuilder()
    x, spare = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), tb.FLOAT32, name="spare")
    y = model.tensor((1, 4), scale=0.1)
    model.op(CODE.RELU, [x], [y], version=2)
    text = message(model.build([x, spare], [y]), UnsupportedOpError)
    assert "float32 input 'spare' is not quantised" in text


@pytest.mark.parametrize(
    "model, says",
    [
        (tb.ModelBuilder(schema_version=4), "schema version 4"),
        (tb.ModelBuilder(identifier=b"TFL2"), "not a .tflite file"),
        (tb.ModelBuilder(subgraphs=0), "0 subgraphs"),
        (tb.ModelBuilder(external_buffer=0), "buffer 0 is outside the flatbuffer"),
    ],
)
def test_files_of_another_kind(model: tb.ModelBuilder, says: str) -> None:
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(CODE.RELU, [x], [y], version=2)
    assert says in message(model.build([x], [y]))


@pytest.mark.parametrize("inputs, outputs", [([], [1]), ([0], [])])
def test_models_without_ends(inputs: list[int], outputs: list[int]) -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1)
    model.op(CODE.RELU, [x], [y], version=2)
    assert "no inputs or no outputs" in message(model.build(inputs, outputs))


def test_long_names_are_cut_in_messages() -> None:
    model = tb.ModelBuilder()
    x, y = model.tensor((1, 4), scale=0.1), model.tensor((1, 4), scale=0.1, name="n" * 5000)
    model.op(CODE.ABS, [x], [y])
    assert len(message(model.build([x], [y]), UnsupportedOpError)) < 1500
