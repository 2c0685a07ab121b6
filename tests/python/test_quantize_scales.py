"""How quantize chooses scales, folds ops into weights, and takes inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop.engine import _raw
from byteprop.errors import ArgumentError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.ops import Conv, Dense, Depthwise, Rescale, place, spec_of
from byteprop.quantizer import float_network, layer_errors
from float_cases import CASES, reals
from training_data import MODELS, fashion_test_images

Array = npt.NDArray[Any]
CNN = Path(__file__).resolve().parents[2] / "examples/fashion_mnist/fashion_cnn_float.tflite"
CODE = tflite.BuiltinOperator


def fashion() -> tuple[Array, Array]:
    x, y = fashion_test_images()
    return x.reshape(-1, 28, 28, 1), y


def concatenation() -> bytes:
    """A sigmoid and the input next to each other, then a sum of both."""
    model = tb.ModelBuilder()
    x, s = (model.tensor((1, 6), tb.FLOAT32, name=n) for n in ("x", "s"))
    both, y, z = (model.tensor((1, n), tb.FLOAT32) for n in (12, 6, 12))
    model.op(CODE.LOGISTIC, [x], [s])
    options = tb.options_of("Concatenation", Axis=1, FusedActivationFunction=0)
    model.op(CODE.CONCATENATION, [s, x], [both], options=options)
    model.op(CODE.ADD, [s, x], [y], options=tb.options_of("Add"))
    weights = model.tensor((12, 12), tb.FLOAT32, data=reals(12, 12))
    model.op(CODE.FULLY_CONNECTED, [both, weights], [z], options=tb.options_of("FullyConnected"))
    return model.build([x], [y, z])


def test_a_fixed_scale_is_changed_only_for_ops_that_need_it_equal() -> None:
    x = np.random.default_rng(3).normal(0, 3, (50, 6)).astype(np.float32)
    file = concatenation()
    model = byteprop.quantize(file, x)
    rescales = [op for op in model.graph.ops if isinstance(op, Rescale)]
    assert len(rescales) == 1
    assert model.graph.tensors[rescales[0].input].scale == np.float32(1 / 256)
    for y, expected in zip(model.predict(x), float_network(file).run(x), strict=True):
        assert np.abs(y - expected).max() < 0.05 * np.abs(expected).max()


def test_a_fixed_scale_passes_through_ops_that_move() -> None:
    """A softmax, then a reshape, keep 1/256; nothing is rescaled."""
    model = tb.ModelBuilder()
    x, p, y = (model.tensor(s, tb.FLOAT32) for s in ((1, 6), (1, 6), (1, 2, 3)))
    shape = model.tensor((3,), tb.INT32, data=np.array([1, 2, 3], np.int32))
    model.op(CODE.SOFTMAX, [x], [p], options=tb.options_of("Softmax", Beta=1.0))
    model.op(CODE.RESHAPE, [p, shape], [y])
    quantized = byteprop.quantize(model.build([x], [y]), np.eye(6))
    assert quantized.outputs[0].scale == np.float32(1 / 256)
    assert len(quantized.graph.ops) == 2


def batch_norm() -> bytes:
    """A convolution, then MUL and ADD per channel and a RELU6."""
    model = tb.ModelBuilder()
    case = CASES["conv 1x1"]
    x = model.tensor((1, 7, 6, 4), tb.FLOAT32)
    at = [x, *(model.tensor(c.shape, tb.FLOAT32, data=c) for c in case.constants.values())]
    for op, operand, table in (
        ("CONV_2D", None, "Conv2D"), ("MUL", reals(3), "Mul"), ("ADD", reals(3), "Add"),
        ("RELU6", None, ""),
    ):  # fmt: skip
        y = model.tensor((1, 7, 6, 3), tb.FLOAT32)
        if operand is not None:
            at.append(model.tensor((3,), tb.FLOAT32, data=operand))
        fields = case.options if op == "CONV_2D" else {"FusedActivationFunction": 0}
        options = tb.options_of(table, **fields) if table else None
        model.op(getattr(CODE, op), at, [y], options=options)
        at = [y]
    return model.build([x], at)


def test_batch_normalization_is_folded_into_the_weights() -> None:
    x = CASES["conv 1x1"].samples(40)[0]
    file = batch_norm()
    model = byteprop.quantize(file, x)
    (op,) = model.graph.ops
    assert isinstance(op, Conv) and op.activation.name == "RELU6"
    expected = float_network(file).run(x)
    assert np.sqrt(np.mean((model.predict(x) - expected) ** 2)) < 0.02 * np.std(expected)


def test_weights_have_a_scale_per_channel() -> None:
    x, _ = fashion()
    model = byteprop.quantize(CNN, x[:50])
    weighted = [op for op in model.graph.ops if isinstance(op, (Conv, Dense))]
    assert len(weighted) == 3
    for op in weighted:
        assert len(np.unique(op.weight_scales)) > 1
        largest = np.abs(op.weights.astype(int)).reshape(len(op.weights), -1).max(axis=1)
        assert (largest == 127).all()


def test_two_inputs() -> None:
    case = CASES["sub"]
    x = case.samples(30)
    with pytest.raises(ArgumentError, match="expected 2 arrays, one per input, got 1"):
        byteprop.quantize(case.file(), x[:1])
    with pytest.raises(ArgumentError, match=r"as many samples of each input, got \[30, 20\]"):
        byteprop.quantize(case.file(), [x[0], x[1][:20]])


def test_float_borders_of_a_convolutional_network() -> None:
    x, _ = fashion()
    path = CNN
    model = byteprop.quantize(path, x[:50], float_border=True)
    assert model.inputs[0].dtype == model.outputs[0].dtype == np.float32
    reals_in = x[:20] / np.float32(255)
    expected = builtin_ref.run(write_tflite(model.graph), [reals_in])[0]
    np.testing.assert_array_equal(model.run(reals_in), expected)


@pytest.mark.parametrize("ranges", ["minmax", "mse", "percentile"])
def test_ranges(ranges: str) -> None:
    x, y = fashion()
    model = byteprop.quantize(CNN, x[:100], ranges=ranges)
    assert np.mean(model.predict(x).argmax(axis=1) == y) > 0.88


def test_a_way_to_choose_ranges_that_there_is_not() -> None:
    with pytest.raises(ArgumentError, match="expected auto, minmax, mse, percentile, got 'kl'"):
        byteprop.quantize(CNN, np.ones((1, 28, 28, 1)), ranges="kl")


def test_samples_on_which_the_network_overflows() -> None:
    with pytest.raises(ArgumentError, match="gets values that are not finite"):
        layers = [np.full((4, 3), 1e30, np.float32), np.zeros(3, np.float32)]
        byteprop.quantize(layers, np.full((2, 4), 1e30))


def test_load_says_that_quantize_takes_the_file() -> None:
    with pytest.raises(UnsupportedOpError, match="byteprop quantize FILE --data SAMPLES"):
        byteprop.load(MODELS / "float" / "fashion_dscnn_float.tflite")
    with pytest.raises(UnsupportedOpError, match="byteprop quantize FILE --data SAMPLES"):
        byteprop.load(MODELS / "float" / "digits_cnn_float16.tflite")


def test_errors_of_layers() -> None:
    x, _ = fashion()
    network = float_network(CNN)
    model = byteprop.quantize(network, x[:100])
    reals_in = x[100:110] / np.float32(255)
    layers = layer_errors(network, model, [reals_in])
    assert [layer.op for layer in layers] == ["Conv", "Conv", "Reshape", "Dense", "Softmax"]
    difference = model.predict(reals_in) - network.run(reals_in)
    expected = np.sqrt(np.mean(difference**2) / np.mean(network.run(reals_in) ** 2))
    assert layers[-1].error == pytest.approx(expected, rel=1e-4)
    # Logits far below the largest saturate on purpose.
    errors = [layer.error for layer in layers if layer.op != "Dense"]
    assert all(error is not None and 0 < error < 0.05 for error in errors)


def test_values_beyond_a_layers_range_are_counted() -> None:
    """Samples ten times as large as those that ranges were measured on."""
    case = CASES["conv 1x1"]
    x = case.samples(20)[0]
    network = float_network(case.file())
    model = byteprop.quantize(network, x)
    (usual,) = layer_errors(network, model, [x])
    (large,) = layer_errors(network, model, [10 * x])
    assert usual.saturated == 0
    assert large.saturated is not None and large.saturated > 0.3


@pytest.mark.parametrize("op", ["relu6", "hard swish", "elu", "softmax"])
def test_values_far_below_an_ops_bounds(op: str) -> None:
    """Steps of 1e-12 would have no multiplier."""
    case = CASES[op]
    x = case.samples(20)[0] * np.float32(1e-10)
    model = byteprop.quantize(case.file(), x)
    expected = float_network(case.file()).run(x)
    assert np.abs(model.predict(x) - expected).max() <= model.outputs[0].scale
    codes = np.random.default_rng(1).integers(-128, 128, x.shape).astype(np.int8)
    answers = builtin_ref.run(write_tflite(model.graph), [codes], case.resolver)[0]
    np.testing.assert_array_equal(model.run(codes), answers)


def has_fast_layers(model: byteprop.Model) -> list[bool]:
    """Whether layers with weights claim the short requantization (docs/format.md)."""
    graph, fast = model.graph, _raw.const("BP_OP_FAST")
    weighted = [op for op in graph.ops if isinstance(op, (Conv, Dense, Depthwise))]
    records = [spec_of(op).params(place(graph.tensors, op))[0] for op in weighted]
    return [bool(record[2] & fast) for record in records if isinstance(record, bytes)]


@pytest.mark.parametrize("path", sorted((MODELS / "float").glob("*.tflite")), ids=lambda p: p.stem)
def test_layers_take_the_short_requantization(path: Path) -> None:
    shape = float_network(path).graph.tensors[0].shape[1:]
    x = np.random.default_rng(1).uniform(0, 1, (30, *shape)).astype(np.float32)
    claims = has_fast_layers(byteprop.quantize(path, x))
    assert len(claims) > 1 and all(claims)


def test_a_channel_next_to_zero_does_too() -> None:
    """A scale from its weights alone would give a multiplier below 2^-22."""
    weights = np.random.default_rng(1).normal(size=(16, 4))
    weights[:, 2] *= 1e-9
    x = np.random.default_rng(2).normal(size=(50, 16))
    layers = [weights, np.array([0.1, 0.2, 3.0, 0.4])]
    model = byteprop.quantize(layers, x, activations=["relu"])
    assert has_fast_layers(model) == [True]
    expected = float_network(layers, ["relu"]).run(x)
    assert np.abs(model.predict(x) - expected)[:, 2].max() <= model.outputs[0].scale


@pytest.mark.parametrize("operand", [1, 2])
def test_weights_and_biases_that_are_computed_are_refused(operand: int) -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 4), tb.FLOAT32)
    sizes = {1: (4, 4), 2: (4,)}
    others = [model.tensor(sizes[i], tb.FLOAT32, data=reals(*sizes[i])) for i in (1, 2)]
    others[operand - 1] = model.tensor(sizes[operand], tb.FLOAT32, name="computed")
    y = model.tensor((1, 4), tb.FLOAT32)
    options = tb.options_of("FullyConnected")
    model.op(CODE.FULLY_CONNECTED, [x, *others], [y], options=options)
    file = model.build([x, others[operand - 1]], [y])
    with pytest.raises(UnsupportedOpError, match="takes 'computed', which is no constant"):
        byteprop.quantize(file, [np.ones((4, 4)), np.ones((4, *sizes[operand][1:]))])
