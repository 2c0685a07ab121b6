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
from byteprop.errors import ArgumentError
from byteprop.exporter import write_tflite
from byteprop.quantizer import FloatConv, FloatLayer, FloatPool, float_network
from float_cases import reals
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
