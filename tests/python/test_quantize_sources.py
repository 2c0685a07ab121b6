"""Networks of Keras and scikit-learn as what quantize takes."""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop.errors import ArgumentError, ModelError
from byteprop.quantizer import float_network

has_tensorflow = importlib.util.find_spec("tensorflow") is not None


# --- scikit-learn ---


def digits() -> tuple[Any, Any]:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("classes", [2, 10])
def test_a_classifier_keeps_its_answers(activation: str, classes: int) -> None:
    network = pytest.importorskip("sklearn.neural_network")
    x, y = digits()
    y = y % classes
    trained = network.MLPClassifier((16,), activation=activation, max_iter=60, random_state=1)
    with warnings.catch_warnings():  # it may not converge
        warnings.simplefilter("ignore")
        trained.fit(x, y)
    floats = float_network(trained).run(x)
    assert np.allclose(floats, trained.predict_proba(x), atol=1e-5)
    model = byteprop.quantize(trained, x[:300])
    assert (model.predict(x).argmax(axis=1) == trained.predict(x)).mean() > 0.98


def test_a_regression_keeps_its_answers() -> None:
    network = pytest.importorskip("sklearn.neural_network")
    x, y = digits()
    trained = network.MLPRegressor(hidden_layer_sizes=(16, 8), max_iter=80, random_state=1)
    trained.fit(x, y)
    assert np.allclose(float_network(trained).run(x)[:, 0], trained.predict(x), atol=1e-4)
    model = byteprop.quantize(trained, x[:300])
    error = np.abs(model.predict(x)[:, 0] - trained.predict(x)).mean()
    assert error < 0.1


def test_a_network_that_was_not_fitted_is_refused() -> None:
    network = pytest.importorskip("sklearn.neural_network")
    with pytest.raises(ArgumentError, match="expected a fitted MLPClassifier; call fit first"):
        byteprop.quantize(network.MLPClassifier(), np.zeros((1, 4), np.float32))


# --- Keras ---


def without_tensorflow(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "tensorflow", None)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_without_tensorflow_three_lines_are_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_tensorflow(monkeypatch)
    path = tmp_path / name
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ModelError) as caught:
        byteprop.quantize(path, np.zeros((1, 4), np.float32))
    first, *lines = str(caught.value).splitlines()
    assert first.startswith(f"{path}: a Keras model needs TensorFlow to be read: pip install")
    assert [line.strip() for line in lines] == [
        "import tensorflow as tf",
        "converter = tf.lite.TFLiteConverter.from_keras_model("
        f'tf.keras.models.load_model("{path}"))',
        'open("model.tflite", "wb").write(converter.convert())',
    ]


def test_a_saved_model_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_tensorflow(monkeypatch)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12")
    with pytest.raises(ModelError, match=r"a SavedModel needs TensorFlow(?s:.*)from_saved_model"):
        byteprop.quantize(tmp_path, np.zeros((1, 4), np.float32))


def test_the_converter_is_given_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """What TensorFlow gives back is quantised: here a float file of ours stands for it."""
    converted = Path("examples/fashion_mnist/fashion_cnn_float.tflite").read_bytes()
    seen = []

    class Converter:
        @staticmethod
        def from_keras_model(model: Any) -> Any:
            seen.append(model)
            return types.SimpleNamespace(convert=lambda: converted)

    fake: Any = types.ModuleType("tensorflow")
    fake.lite = types.SimpleNamespace(TFLiteConverter=Converter)
    monkeypatch.setitem(sys.modules, "tensorflow", fake)
    kind = type("Sequential", (), {"__module__": "keras.src.models.sequential"})
    model = kind()
    floats = float_network(model)
    assert seen == [model]
    assert floats.graph.nodes


@pytest.mark.skipif(not has_tensorflow, reason="tensorflow is not installed")
def test_keras_files_and_models(tmp_path: Path) -> None:
    import tensorflow as tf

    net = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            tf.keras.layers.Conv2D(4, 3, activation="relu"),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(10, activation="softmax"),
        ]
    )
    x = np.random.default_rng(1).random((50, 8, 8, 1)).astype(np.float32)
    expected = net.predict(x, verbose=0)
    net.save(tmp_path / "net.keras")
    net.save(tmp_path / "net.h5")
    net.export(tmp_path / "saved")
    for source in (net, tmp_path / "net.keras", tmp_path / "net.h5", tmp_path / "saved"):
        assert np.allclose(float_network(source).run(x), expected, atol=1e-5)
        model = byteprop.quantize(source, x)
        assert np.abs(model.predict(x) - expected).max() < 0.05
