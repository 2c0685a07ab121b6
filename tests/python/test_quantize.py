"""int8 models of float networks."""

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
from byteprop.errors import ArgumentError, DataError, ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.ops import Dense
from byteprop.quantizer import FloatLayer, float_network
from training_data import MODELS, fashion_test_images

Array = npt.NDArray[Any]
WEIGHTS = MODELS / "fashion_mlp_float_weights.npz"
CODE = tflite.BuiltinOperator


def float_accuracy(x: Array, y: Array) -> float:
    """By the definition of the network, in NumPy."""
    w1, b1, w2, b2 = (np.load(WEIGHTS)[f"arr_{i}"].astype(np.float64) for i in range(4))
    hidden = np.maximum(x / 255.0 @ w1 + b1, 0)
    return float(np.mean((hidden @ w2 + b2).argmax(1) == y))


def network_file(w1: Array, b1: Array, w2: Array, b2: Array, *, fused: bool = True) -> bytes:
    """float32: reshape, dense, ReLU, dense, softmax, as converters write them."""
    model = tb.ModelBuilder()
    x = model.tensor((1, 28, 28), tb.FLOAT32, name="image")
    shape = model.tensor((2,), tb.INT32, data=np.array([1, 784], np.int32))
    flat = model.tensor((1, 784), tb.FLOAT32)
    model.op(CODE.RESHAPE, [x, shape], [flat])
    hidden = _dense(model, flat, w1, b1, "RELU" if fused else "NONE")
    if not fused:
        active = model.tensor((1, w1.shape[1]), tb.FLOAT32)
        model.op(CODE.RELU, [hidden], [active])
        hidden = active
    logits = _dense(model, hidden, w2, b2, "NONE")
    p = model.tensor((1, w2.shape[1]), tb.FLOAT32, name="p")
    model.op(CODE.SOFTMAX, [logits], [p], options=tb.options_of("Softmax", Beta=1.0))
    return model.build([x], [p])


def _dense(model: tb.ModelBuilder, x: int, w: Array, b: Array, activation: str) -> int:
    weights = model.tensor(w.T.shape, tb.FLOAT32, data=np.ascontiguousarray(w.T, np.float32))
    bias = model.tensor(b.shape, tb.FLOAT32, data=b.astype(np.float32))
    y = model.tensor((1, len(b)), tb.FLOAT32)
    code = getattr(tflite.ActivationFunctionType, activation)
    options = tb.options_of("FullyConnected", FusedActivationFunction=code)
    model.op(CODE.FULLY_CONNECTED, [x, weights, bias], [y], options=options)
    return y


def test_accuracy_is_within_half_a_point() -> None:
    x, y = fashion_test_images()
    model = byteprop.quantize(WEIGHTS, x[:500])
    assert abs(model.evaluate(x, y)["accuracy"] - float_accuracy(x, y)) <= 0.005


def test_answers_are_close_to_float() -> None:
    x, _ = fashion_test_images()
    model = byteprop.quantize(WEIGHTS, x[:200])
    wanted = float_network(WEIGHTS).run(x / 255)
    assert np.abs(model.predict(x) - wanted).mean() < 0.01


def test_every_way_to_give_the_weights_is_the_same() -> None:
    x, _ = fashion_test_images()
    arrays = dict(np.load(WEIGHTS))
    flat = list(arrays.values())
    pairs = [(flat[0], flat[1]), (flat[2], flat[3])]
    layers = [FloatLayer(*pairs[0], "relu"), FloatLayer(*pairs[1], "softmax")]
    images = {
        byteprop.quantize(given, x).image for given in (WEIGHTS, str(WEIGHTS), arrays, flat, pairs)
    }
    assert len(images) == 1
    assert byteprop.quantize(layers, x).image in images


@pytest.mark.parametrize("fused", [True, False])
def test_float_tflite_files(tmp_path: Path, fused: bool) -> None:
    x, _ = fashion_test_images()
    data = network_file(*np.load(WEIGHTS).values(), fused=fused)
    images = x.reshape(-1, 28, 28)
    model = byteprop.quantize(data, images)
    assert model.inputs[0].name == "image" and model.inputs[0].shape == (1, 28, 28)
    assert np.array_equal(model.predict(images), byteprop.quantize(WEIGHTS, x).predict(x))
    path = tmp_path / "float.tflite"
    path.write_bytes(data)
    assert byteprop.quantize(path, images).image == model.image


def test_float_borders() -> None:
    x, _ = fashion_test_images()
    model = byteprop.quantize(WEIGHTS, x, float_border=True)
    assert model.inputs[0].dtype == model.outputs[0].dtype == np.float32
    plain = byteprop.quantize(WEIGHTS, x)
    reals = (x / 255).astype(np.float32)
    assert np.array_equal(model.run(reals), plain.predict(reals))


def test_a_regression() -> None:
    x = np.linspace(-3, 3, 50)[:, np.newaxis]
    model = byteprop.quantize([(np.array([[2.0]]), np.array([-1.0]))], x)
    assert np.abs(model.predict(x)[:, 0] - (2 * x[:, 0] - 1)).max() <= 1.5 * model.outputs[0].scale


def test_an_output_without_weights_keeps_its_bias() -> None:
    weights, bias = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.0, 0.5])
    model = byteprop.quantize([weights, bias], np.eye(2), activations=["linear"])
    assert abs(model.predict(np.eye(2))[0, 1] - 0.5) <= model.outputs[0].scale


def test_it_can_be_tuned_afterwards() -> None:
    x, y = fashion_test_images()
    model = byteprop.quantize(WEIGHTS, x)
    before = model.evaluate(x, y)["loss"]
    model.fit(x, y, epochs=2)
    assert model.evaluate(x, y)["loss"] < before


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e-20, 1e-30])
@pytest.mark.parametrize("weight", [1e-3, 1e-12, 1e-37, 1e-42, 0.0])
def test_a_row_of_small_weights_keeps_its_bias(unit: float, weight: float) -> None:
    """Its scale is widened until the bias fits 32 bits with any sum; the answer is the bias."""
    rng = np.random.default_rng(7)
    weights, bias = rng.normal(size=(6, 3)), np.array([0.25, -0.5, 0.1])
    weights[:, 1] = weight * rng.uniform(-1, 1, 6)
    x = rng.uniform(-1, 1, (50, 6)) * unit
    layers = [weights, bias]
    model = byteprop.quantize(layers, x, activations=["linear"])
    expected = float_network(layers, ["linear"]).run(x)
    dense = model.graph.ops[0]
    assert isinstance(dense, Dense)
    largest = 255 * np.abs(dense.weights.astype(np.int64)).sum(axis=1)
    assert (np.abs(dense.bias.astype(np.int64)) + largest < 2**31).all()
    # Half a step of the output, and those of six inputs through the weights.
    assert np.abs(model.predict(x) - expected).max() <= 2 * model.outputs[0].scale


def test_widened_rows_give_the_bytes_of_the_runtime() -> None:
    """Of the file that the model is saved as."""
    rng = np.random.default_rng(8)
    weights, bias = rng.normal(size=(6, 3)), np.array([0.25, -0.5, 0.1])
    weights[:, 2] = 1e-14
    x = rng.uniform(-1, 1, (50, 6))
    model = byteprop.quantize([weights, bias], x, activations=["relu"])
    codes = rng.integers(-128, 128, (64, 6)).astype(np.int8)
    expected = builtin_ref.run(write_tflite(model.graph), [codes])[0]
    np.testing.assert_array_equal(model.run(codes), expected)


def test_the_rows_that_need_no_wider_scale_keep_theirs() -> None:
    weights = np.array([[1.0, 1e-14], [-0.5, 1e-14]])
    x = np.eye(2)
    model = byteprop.quantize([weights, np.array([0.1, 0.1])], x, activations=["linear"])
    dense = model.graph.ops[0]
    assert isinstance(dense, Dense)
    assert dense.weight_scales[0] == np.float32(1 / 127)
    assert not dense.weights[1].any()


W, B = np.ones((4, 3)), np.zeros(3)
X = np.ones((2, 4))


@pytest.mark.parametrize(
    ("network", "x", "more", "words"),
    [
        ([], X, {}, "weights and bias in turn"),
        ([W], X, {}, "weights and bias in turn"),
        ([W, np.zeros(2)], X, {}, r"bias 0: expected shape \(3,\)"),
        ([W, B, W, B], X, {}, "weights 1: expected 3 inputs"),
        (
            [np.full((4, 3), np.nan), B],
            X,
            {},
            "weights 0: expected finite numbers, got nan at position",
        ),
        ([np.ones(4), B], X, {}, "weights 0: expected numbers with 2 dimensions"),
        ([W, B], np.ones((2, 5)), {}, r"expected shape \(N, 4\)"),
        ([W, B], np.ones((0, 4)), {}, "at least 1"),
        ([W, B], np.full((1, 4), np.inf), {}, r"got inf at position \(0, 0\)"),
        ([W, B], X, {"activations": ["gelu"]}, "got 'gelu'"),
        ([W, B], X, {"activations": []}, "expected 1, one per layer"),
        ([W, B, np.ones((3, 3)), B], X, {"activations": ["softmax"] * 2}, "last layer only"),
        ([W * -1e60, B], X, {"activations": ["relu"]}, "output 0: expected .* range of float32"),
        (3, X, {}, "got int"),
    ],
)
def test_what_does_not_fit(network: Any, x: Array, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        byteprop.quantize(network, x, **more)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError, match="takes float32"):
        byteprop.quantize(MODELS / "digits_mlp.tflite", np.ones((1, 64)))
    with pytest.raises(ModelError):
        byteprop.quantize(b"TFL3", X)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="bad.npz: damaged"):
        byteprop.quantize(tmp_path / "bad.npz", X)
    with pytest.raises(FileNotFoundError):
        byteprop.quantize(tmp_path / "none.npz", X)


def test_ops_that_it_does_not_take_are_named_and_counted() -> None:
    model = tb.ModelBuilder()
    x, y, z, last = (model.tensor((1, 4), tb.FLOAT32, name=n) for n in "xyzv")
    model.op(CODE.EXP, [x], [y])
    model.op(CODE.EXP, [y], [z])
    model.op(CODE.RSQRT, [z], [last])
    words = "EXP 2, RSQRT 1: quantize does not take them .the first is op 0, EXP with output 'y'.; "
    with pytest.raises(UnsupportedOpError, match=words + "build the model without"):
        byteprop.quantize(model.build([x], [last]), X)
