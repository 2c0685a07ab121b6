"""int8 models of convolutional float networks."""

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
from byteprop.errors import ArgumentError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.ops import Conv, Dense, Rescale
from byteprop.quantizer import FloatConv, FloatLayer, FloatPool, float_network, layer_errors
from float_cases import CASES, reals
from training_data import MODELS, fashion_test_images

Array = npt.NDArray[Any]
FLOAT = MODELS / "float"
CNN = Path(__file__).resolve().parents[2] / "examples/fashion_mnist/fashion_cnn_float.tflite"
CODE = tflite.BuiltinOperator
FASHION = [CNN, FLOAT / "fashion_dscnn_float.tflite", FLOAT / "fashion_lenet_float.tflite"]
EACH = pytest.mark.parametrize("path", FASHION, ids=lambda path: path.stem)
CALIBRATED = 300


def fashion() -> tuple[Array, Array]:
    x, y = fashion_test_images()
    return x.reshape(-1, 28, 28, 1), y


def digits() -> tuple[Array, Array, Array]:
    """Images of the test, their labels, and images of the training to calibrate with."""
    with np.load(FLOAT / "digits.npz") as file:
        x, y, training = file["x"], file["y"], file["cx"]
    x, training = (images[..., np.newaxis] / np.float32(16) for images in (x, training))
    return x, y, training


def right(answers: Array, labels: Array) -> int:
    return int(np.sum(answers.argmax(axis=1) == labels))


@EACH
def test_clothing_is_within_half_a_point(path: Path) -> None:
    """Of the accuracy in floating point, on images that are not calibrated with."""
    x, y = fashion()
    model = byteprop.quantize(path, x[:CALIBRATED])
    unseen, labels = x[CALIBRATED:], y[CALIBRATED:]
    expected = right(float_network(path).run(unseen / np.float32(255)), labels)
    assert expected > 0.84 * len(labels)
    assert abs(right(model.predict(unseen), labels) - expected) * 200 <= len(labels)


@pytest.mark.parametrize("name", ["digits_cnn_float", "digits_cnn_float16"])
def test_digits_are_within_half_a_point(name: str) -> None:
    x, y, training = digits()
    path = FLOAT / f"{name}.tflite"
    model = byteprop.quantize(path, training)
    expected = right(float_network(path).run(x), y)
    assert expected > 0.97 * len(y)
    assert abs(right(model.predict(x), y) - expected) * 200 <= len(y)


@pytest.mark.parametrize(
    "path", [*FASHION, FLOAT / "digits_cnn_float.tflite"], ids=lambda path: path.stem
)
def test_the_files_bytes_are_those_of_the_runtime(path: Path) -> None:
    shape = float_network(path).graph.tensors[0].shape[1:]
    samples = digits()[2] if path.stem.startswith("digits") else fashion()[0][:100]
    model = byteprop.quantize(path, samples)
    assert model.inputs[0].shape[1:] == shape
    codes = np.random.default_rng(2).integers(-128, 128, (20, *shape)).astype(np.int8)
    file = write_tflite(model.graph)
    np.testing.assert_array_equal(model.run(codes), builtin_ref.run(file, [codes])[0])


@EACH
def test_corrected_biases_are_taken_only_where_they_help(path: Path) -> None:
    """Of four ways the one is kept whose outputs are closest to floating point."""
    x, _ = fashion()
    samples = x[:256]
    expected = float_network(path).run(samples / np.float32(255))

    def error(**ways: Any) -> float:
        model = byteprop.quantize(path, samples, **ways)
        return float(np.mean((model.predict(samples) - expected) ** 2))

    errors = [
        error(ranges=ranges, bias_correction=corrects)
        for ranges in ("minmax", "mse")
        for corrects in (False, True)
    ]
    assert error() == min(errors)
    assert error(ranges="minmax") == min(errors[:2])


def cnn_layers() -> list[Any]:
    """Layers as Keras gives their arrays, with the numbers of fashion_cnn_float."""
    graph = float_network(CNN).graph
    arrays = [
        [graph.tensors[t].data for t in node.inputs[1:3]]
        for node in graph.nodes
        if node.name in ("CONV_2D", "FULLY_CONNECTED")
    ]
    (w1, b1), (w2, b2), (w3, b3) = arrays
    assert w1 is not None and w2 is not None and w3 is not None
    return [
        FloatConv(w1.transpose(1, 2, 3, 0), b1, "relu", stride=2),
        FloatConv(w2.transpose(1, 2, 3, 0), b2, "relu", stride=(2, 2)),
        FloatLayer(w3.T, b3, "softmax"),
    ]


def test_layers_are_the_same_as_the_file() -> None:
    x, _ = fashion()
    from_file = byteprop.quantize(CNN, x[:100])
    model = byteprop.quantize(cnn_layers(), x[:100])
    assert [type(op) for op in model.graph.ops] == [type(op) for op in from_file.graph.ops]
    np.testing.assert_array_equal(model.predict(x[:50]), from_file.predict(x[:50]))


def test_pools_and_depthwise_layers() -> None:
    rng = np.random.default_rng(5)
    layers = [
        FloatConv(reals(3, 3, 1, 4), reals(4), "relu6", padding="valid"),
        FloatPool("max", 2),
        FloatConv(reals(3, 3, 4, 2), reals(8), "relu", depthwise=True),
        FloatPool("average", None),
        FloatLayer(reals(8, 3), reals(3), "sigmoid"),
    ]
    x = rng.uniform(0, 1, (60, 12, 12, 1)).astype(np.float32)
    model = byteprop.quantize(layers, x)
    expected = float_network(layers, input_shape=(12, 12, 1)).run(x).reshape(60, 3)
    assert np.abs(model.predict(x).reshape(60, 3) - expected).max() < 0.03


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([FloatConv(reals(3, 3, 2, 4), reals(4))], "weights 0: expected 1 input channels"),
        ([FloatConv(reals(3, 3, 1, 4), reals(3))], r"bias 0: expected shape \(4,\)"),
        ([FloatConv(reals(3, 3, 1, 4), reals(4), padding="full")], "padding same or valid"),
        ([FloatConv(reals(9, 9, 1, 4), reals(4), padding="valid")], "does not fit an image"),
        ([FloatConv(reals(1, 1, 1, 4), reals(4), "gelu")], "got 'gelu'"),
        ([FloatPool("least")], "expected max or average"),
        ([FloatPool("max"), FloatLayer(reals(15, 2), reals(2))], "weights 1: expected 16 inputs"),
        ([reals(3, 3, 1, 4), reals(4)], "do not say their strides"),
    ],
)
def test_layers_that_do_not_fit(layers: list[Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        byteprop.quantize(layers, np.ones((2, 8, 8, 1)))


# --- scales ---


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
    assert right(model.predict(x), y) > 0.88 * len(y)


def test_a_way_to_choose_ranges_that_there_is_not() -> None:
    with pytest.raises(ArgumentError, match="expected auto, minmax, mse, percentile, got 'kl'"):
        byteprop.quantize(CNN, np.ones((1, 28, 28, 1)), ranges="kl")


def test_samples_on_which_the_network_overflows() -> None:
    with pytest.raises(ArgumentError, match="gets values that are not finite"):
        layers = [np.full((4, 3), 1e30, np.float32), np.zeros(3, np.float32)]
        byteprop.quantize(layers, np.full((2, 4), 1e30))


def test_load_says_that_quantize_takes_the_file() -> None:
    with pytest.raises(UnsupportedOpError, match=r"byteprop\.quantize\(FILE, representative_data"):
        byteprop.load(FLOAT / "fashion_dscnn_float.tflite")
    with pytest.raises(UnsupportedOpError, match=r"byteprop\.quantize\(FILE, representative_data"):
        byteprop.load(FLOAT / "digits_cnn_float16.tflite")


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
