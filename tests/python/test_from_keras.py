"""Networks that begin with the weights of a Keras model. Layers here are stand-ins with the
attributes of Keras's own; the last test takes Keras itself where it is installed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from byteprop import ArgumentError, ModelError, Sequential
from training_data import blobs

Array = npt.NDArray[Any]
SHAPE = (4, 4)


def linear(x: Array) -> Array:
    return x


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Layer:
    name = "layer"

    def __call__(self, x: Array) -> Array:
        return x


class Flatten(Layer):
    def __call__(self, x: Array) -> Array:
        return x.reshape(len(x), -1)


class Lambda(Layer):
    pass


class Dropout(Layer):
    pass


class Rescaling(Layer):
    def __init__(self, scale: float, offset: float = 0.0) -> None:
        self.scale, self.offset = scale, offset

    def __call__(self, x: Array) -> Array:
        return x * self.scale + self.offset


class Normalization(Layer):
    def __init__(self, mean: Array, variance: Array) -> None:
        self.mean, self.variance = mean[np.newaxis], variance[np.newaxis]

    def __call__(self, x: Array) -> Array:
        return (x - self.mean) / np.sqrt(self.variance)


class Activation(Layer):
    def __init__(self, activation: Callable[[Array], Array]) -> None:
        self.activation = activation

    def __call__(self, x: Array) -> Array:
        return self.activation(x)


class ReLU(Layer):
    max_value, threshold = None, 0.0

    def __init__(self, negative_slope: float = 0.0) -> None:
        self.negative_slope = negative_slope

    def __call__(self, x: Array) -> Array:
        return relu(x)


class Dense(Layer):
    def __init__(
        self, n_in: int, n_out: int, activation: Any = linear, *, use_bias: bool = True
    ) -> None:
        draw = np.random.default_rng(n_in + n_out)
        self.name = f"dense_{n_out}"
        self.kernel = draw.normal(size=(n_in, n_out)).astype(np.float32) / math.sqrt(n_in)
        self.bias = draw.normal(size=n_out).astype(np.float32) * use_bias
        self.use_bias, self.activation = use_bias, activation

    def get_weights(self) -> list[Array]:
        return [self.kernel, self.bias][: 1 + self.use_bias]

    def __call__(self, x: Array) -> Array:
        return self.activation(x @ self.kernel + self.bias)


def windows(x: Array, layer: Any, fill: float) -> Array:
    """[n, rows, columns, taps, channels], with the padding that Keras has."""
    kernel, strides = layer.size, layer.strides
    ends = [(0, 0)]
    for n, k, s in zip(x.shape[1:3], kernel, strides, strict=True):
        more = max((math.ceil(n / s) - 1) * s + k - n, 0) if layer.padding == "same" else 0
        ends.append((more // 2, more - more // 2))
    x = np.pad(x, [*ends, (0, 0)], constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))
    seen = seen[:, :: strides[0], :: strides[1]]
    return np.moveaxis(seen.reshape(*seen.shape[:4], -1), 3, 4)


class Windowed(Layer):
    data_format, use_bias = "channels_last", True

    def __init__(
        self, size: int, strides: int = 1, padding: str = "valid", activation: Any = relu
    ) -> None:
        self.size, self.strides, self.padding = (size, size), (strides, strides), padding
        self.activation, self.output = activation, object()
        self.name = f"{type(self).__name__.lower()}_{id(self)}"

    def get_weights(self) -> list[Array]:
        return [self.kernel, self.bias]

    def drawn(self, *shape: int) -> None:
        draw = np.random.default_rng(sum(shape))
        fans = math.prod(shape[:-1])
        self.kernel = draw.normal(size=shape).astype(np.float32) / math.sqrt(fans)
        self.bias = draw.normal(size=(self.n_out,)).astype(np.float32) / 4


class Conv2D(Windowed):
    groups, dilation_rate = 1, (1, 1)

    def __init__(self, n_in: int, n_out: int, size: int, *more: Any, **options: Any) -> None:
        super().__init__(size, *more, **options)
        self.n_out = n_out
        self.drawn(size, size, n_in, n_out)

    def __call__(self, x: Array) -> Array:
        seen = windows(x, self, 0.0)
        kernel = self.kernel.reshape(-1, *self.kernel.shape[2:])
        return self.activation(np.einsum("nyxkc,kco->nyxo", seen, kernel) + self.bias)


class DepthwiseConv2D(Windowed):
    dilation_rate = (1, 1)

    def __init__(self, n_in: int, times: int, size: int, *more: Any, **options: Any) -> None:
        super().__init__(size, *more, **options)
        self.n_out, self.depth_multiplier = n_in * times, times
        self.drawn(size, size, n_in, times)

    def __call__(self, x: Array) -> Array:
        seen = windows(x, self, 0.0)
        kernel = self.kernel.reshape(-1, *self.kernel.shape[2:])
        y = np.einsum("nyxkc,kcm->nyxcm", seen, kernel)
        return self.activation(y.reshape(*y.shape[:3], -1) + self.bias)


class MaxPooling2D(Windowed):
    def __init__(self, size: int = 2, strides: int = 2, padding: str = "valid") -> None:
        super().__init__(size, strides, padding)
        self.pool_size = self.size

    def __call__(self, x: Array) -> Array:
        return windows(x, self, -np.inf).max(3)


class AveragePooling2D(MaxPooling2D):
    def __call__(self, x: Array) -> Array:
        return np.nanmean(windows(x, self, np.nan), 3)


class GlobalAveragePooling2D(Layer):
    keepdims = False

    def __call__(self, x: Array) -> Array:
        return x.mean((1, 2))


class Add(Layer):
    """Of the output of the layer before it and that of an earlier one."""

    name = "add"

    def __init__(self, before: Windowed, other: Windowed) -> None:
        self.input, self.output = [before.output, other.output], object()
        self.other = other


class Chain:
    """A model: its layers one after the other."""

    def __init__(self, *layers: Layer, shape: tuple[int, ...] = SHAPE) -> None:
        self.layers, self.input_shape = list(layers), (None, *shape)

    def predict(self, x: Array, verbose: int = 1) -> Array:
        outputs = {}
        for layer in self.layers:
            x = x + outputs[layer.other] if isinstance(layer, Add) else layer(x)
            outputs[layer] = x
        return x


class Branched(Chain):
    def predict(self, x: Array, verbose: int = 1) -> Array:
        return super().predict(x) + 1


def pictures(n: int = 40) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (n, *SHAPE)).astype(np.uint8)


def classifier(*before: Layer) -> Chain:
    return Chain(*before, Flatten(), Dense(16, 8, relu), Dropout(), Dense(8, 3, softmax))


def test_weights_keep_sixteen_bits() -> None:
    model = classifier()
    network = Sequential.from_keras(model)
    network.calibrate(np.random.default_rng(1).uniform(0, 1, (50, *SHAPE)))
    dense = [layer for layer in model.layers if isinstance(layer, Dense)]
    for (weights, bias), layer in zip(network.get_weights(), dense, strict=True):
        step = 2.0 ** math.ceil(math.log2(np.abs(layer.kernel).max() * 256 / 32639)) / 256
        assert np.abs(weights - layer.kernel).max() <= step / 2
        assert np.abs(bias - layer.bias).max() <= step / 2


def test_answers_are_those_of_the_float_network() -> None:
    model, x = classifier(), np.random.default_rng(1).uniform(0, 1, (200, *SHAPE))
    network = Sequential.from_keras(model)
    network.calibrate(x)
    expected = model.predict(x)
    sure = np.sort(expected)[:, -1] - np.sort(expected)[:, -2] > 0.1
    assert sure.sum() > 30
    assert (network.predict(x).argmax(1) == expected.argmax(1))[sure].all()


def test_training_goes_on_from_the_given_weights() -> None:
    """With a rate that is next to nothing they stay, to far less than a step of int8."""
    x, y = np.random.default_rng(1).uniform(0, 1, (20, *SHAPE)), np.arange(20) % 3
    network = Sequential.from_keras(classifier())
    network.calibrate(x, y)
    before = network.get_weights()
    network.fit(x, y, learning_rate=1e-6, rounding="nearest")
    for (weights, _), (given, _) in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, given)
    history = network.fit(x, y, epochs=30)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.parametrize("before", [(), (Rescaling(1 / 255),), (Rescaling(1 / 127.5, -1.0),)])
def test_pixels_are_taken_as_keras_takes_them(before: tuple[Layer, ...]) -> None:
    """uint8 count as 0 to 255, as the same numbers in float32 do."""
    networks = [Sequential.from_keras(classifier(*before)) for _ in range(2)]
    x = pictures()
    x[0] = 255
    networks[0].calibrate(x)
    networks[1].calibrate(x.astype(np.float32), seed=3)  # there is nothing random in it
    for (a, b), (c, d) in zip(*(n.get_weights() for n in networks), strict=True):
        np.testing.assert_array_equal(a if a.shape[0] == 8 else a / 256, c)
        np.testing.assert_array_equal(b, d)
    np.testing.assert_array_equal(networks[0].predict(x), networks[1].predict(x.astype(float)))


def test_a_normalization_becomes_part_of_the_first_layer() -> None:
    x, _ = blobs()
    x = x.astype(np.float64) * 1000 + 50
    model = Chain(
        Normalization(x.mean(0), x.var(0)), Dense(x.shape[1], 4, use_bias=False), ReLU(),
        Dense(4, 2), Activation(softmax), shape=x.shape[1:],
    )  # fmt: skip
    network = Sequential.from_keras(model)
    network.calibrate(x)
    expected = model.predict(x)
    assert np.abs(network.predict(x) - expected).max() < 0.1


def test_a_regression_takes_the_range_of_its_answers() -> None:
    model, x = Chain(Flatten(), Dense(16, 1)), np.random.default_rng(1).uniform(0, 1, (50, *SHAPE))
    network = Sequential.from_keras(model)
    network.calibrate(x)
    answers = model.predict(x)
    assert network.outputs[0].scale * 127 >= np.abs(answers).max()
    assert np.abs(network.predict(x) - answers).max() < 4 * network.outputs[0].scale


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Chain(Lambda(), Flatten(), Dense(16, 3, softmax)), "'layer' .Lambda. is not"),
        (Chain(Flatten(), Dense(16, 1, sigmoid)), "'dense_1' .*got sigmoid; two outputs"),
        (Chain(Flatten(), Dense(16, 3, relu)), "linear or softmax last layer"),
        (Chain(Flatten(), Dense(16, 8), Dense(8, 3)), "expected relu in hidden layers"),
        (Chain(Flatten(), Dense(16, 8), ReLU(0.2), Dense(8, 3)), "without limits and slopes"),
        (Chain(Flatten(), Dense(16, 8, relu), Rescaling(2), Dense(8, 3)), "before the first Dense"),
        (Chain(Dense(4, 3)), "expected 16 inputs, got 4; a Flatten"),
        (Branched(Flatten(), Dense(16, 3)), "expected a chain of layers"),
        (Chain(Flatten()), "expected at least one Dense"),
        (Chain(Flatten(), Dense(16, 3), shape=(None, 4)), "expected one input of a fixed shape"),
        ([1, 2], "expected a model of Keras or its file, got list"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named(model: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Sequential.from_keras(model)


IMAGE = (8, 7, 2)


def image_net(*before: Layer, pool: Layer | None = None, padding: str = "same") -> Chain:
    """Every kind of layer, and a residual block."""
    stem, last = Conv2D(2, 4, 3, 2, padding), Conv2D(4, 4, 1)
    dense = Dense(6, 3, softmax)
    dense.kernel *= 8
    return Chain(
        *before, stem, DepthwiseConv2D(4, 1, 3, 1, "same"), last, Add(last, stem), ReLU(),
        pool or MaxPooling2D(2, 2, "same"), DepthwiseConv2D(4, 2, 2), Dropout(),
        Conv2D(8, 6, 1, activation=linear), ReLU(), GlobalAveragePooling2D(), dense,
        shape=IMAGE,
    )  # fmt: skip


def images(n: int = 60) -> Array:
    draw = np.random.default_rng(3)
    return draw.uniform(0, 1, (n, *IMAGE)) * draw.uniform(0, 1, (n, 1, 1, 2))


def test_filters_keep_sixteen_bits() -> None:
    model = image_net()
    network = Sequential.from_keras(model)
    network.calibrate(images())
    layers = [layer for layer in model.layers if hasattr(layer, "get_weights")]
    layers = [layer for layer in layers if hasattr(layer, "kernel")]
    for (weights, bias), layer in zip(network.get_weights(), layers, strict=True):
        largest = max(np.abs(layer.kernel).max(), 2.0**-20)
        step = 2.0 ** math.ceil(math.log2(largest * 256 / 32639)) / 256
        assert np.abs(weights - layer.kernel.reshape(weights.shape)).max() <= step / 2
        assert np.abs(bias - layer.bias).max() <= step / 2


@pytest.mark.parametrize(
    ("model", "scale", "offset"),
    [
        (image_net(), 1.0, 0.0),
        (image_net(pool=AveragePooling2D(3, 2, "same"), padding="valid"), 1.0, 0.0),
        (image_net(Rescaling(1 / 255)), 255.0, 0.0),
        (image_net(Rescaling(1 / 127.5, -1.0)), 255.0, 0.0),
        (image_net(Rescaling(1 / 127.5, -1.0), padding="valid"), 255.0, 0.0),
        (image_net(Normalization(np.array([5.0, -300]), np.array([9.0, 1e4]))), 40.0, -60.0),
        (Chain(Conv2D(2, 3, 3, 1, "same"), Flatten(), Dense(168, 3), shape=IMAGE), 3.0, -1.0),
    ],
)
def test_convolutional_networks_answer_as_in_floats(
    model: Chain, scale: float, offset: float
) -> None:
    """Zeros beyond the edge are what the model has there, whatever is done to its inputs."""
    x = (images(300) * scale + offset).astype(np.float32)
    network = Sequential.from_keras(model)
    network.calibrate(x)
    expected = model.predict(x)
    varies = np.ptp(expected, axis=0).max()
    assert varies > 0.1
    assert np.abs(network.predict(x) - expected).max() < 0.3 * varies


@pytest.mark.parametrize("offset", [0.0, -1.0])
def test_pixels_of_images_are_taken_as_keras_takes_them(offset: float) -> None:
    x = np.random.default_rng(5).integers(0, 256, (80, *IMAGE)).astype(np.uint8)
    x[0] = 255
    networks = [Sequential.from_keras(image_net(Rescaling(1 / 127.5, offset))) for _ in range(2)]
    networks[0].calibrate(x)
    networks[1].calibrate(x.astype(np.float32))
    np.testing.assert_array_equal(networks[0].predict(x), networks[1].predict(x.astype(float)))
    expected = image_net(Rescaling(1 / 127.5, offset)).predict(x.astype(float))
    assert np.abs(networks[0].predict(x) - expected).max() < 0.06


def test_a_convolutional_network_is_trained_further() -> None:
    x, y = images(40), np.arange(40) % 3
    network = Sequential.from_keras(image_net())
    network.calibrate(x, y)
    before = network.get_weights()
    network.fit(x, y, learning_rate=1e-6, rounding="nearest", window=0)
    for (weights, _), (given, _) in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, given)
    history = network.fit(x, y, epochs=12)
    assert history.history["loss"][-1] < history.history["loss"][0]


def with_changed(layer: Windowed, **attributes: Any) -> Chain:
    for name, value in attributes.items():
        setattr(layer, name, value)
    return Chain(layer, GlobalAveragePooling2D(), Dense(layer.n_out, 3), shape=IMAGE)


def test_layers_of_images_that_cannot_be_taken_are_named() -> None:
    conv, early = Conv2D(2, 2, 1), Conv2D(2, 2, 1)
    for model, message in (
        (with_changed(Conv2D(2, 4, 3), groups=2), "conv2d_.*groups of channels"),
        (with_changed(Conv2D(2, 4, 3), dilation_rate=(2, 1)), "conv2d_.*a dilation"),
        (with_changed(DepthwiseConv2D(2, 2, 3), dilation_rate=2), "depthwise.*a dilation"),
        (with_changed(Conv2D(2, 4, 3), data_format="channels_first"), "channels_last"),
        (with_changed(Conv2D(2, 4, 3), activation=softmax), "relu in a convolution, got softmax"),
        (with_changed(Conv2D(2, 4, 3), activation=linear), "expected relu in hidden layers"),
        (with_changed(Conv2D(2, 4, 9)), "window of 9x9 does not fit"),
        (Chain(Conv2D(2, 4, 3), Dense(4, 3), shape=IMAGE), "a Flatten before it joins"),
        (
            Chain(early, conv, Add(Conv2D(2, 2, 1), early), Flatten(), Dense(112, 3), shape=IMAGE),
            "'add' .Add.: expected the outputs of the layer right before it",
        ),
        (
            Chain(
                Rescaling(np.ones(IMAGE) + np.eye(8, 7)[..., None]), conv, Flatten(),
                Dense(112, 3), shape=IMAGE,
            ),
            "alike at all positions",
        ),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            Sequential.from_keras(model)
    for net, normalization in (
        (image_net(), (0.5, 0.25)),
        (image_net(), True),
        (image_net(Rescaling(1, -1)), False),
    ):
        network = Sequential.from_keras(net, normalization=normalization)
        with pytest.raises(ArgumentError, match="pads with zeros, so inputs cannot be shifted"):
            network.calibrate(images())


def test_weights_that_are_not_finite_are_refused() -> None:
    model = classifier()
    model.layers[1].kernel[3, 2] = math.nan  # type: ignore[attr-defined]
    with pytest.raises(ArgumentError, match="'dense_8' .*finite"):
        Sequential.from_keras(model)


@pytest.mark.parametrize("largest", [0.0, 1e-30, 1e15])
def test_weights_of_any_size_have_a_scale_or_are_refused(largest: float) -> None:
    model = Chain(Flatten(), Dense(16, 3, softmax))
    dense = model.layers[1]
    assert isinstance(dense, Dense)
    dense.kernel, dense.bias = dense.kernel * np.float32(largest), dense.bias * np.float32(0)
    network = Sequential.from_keras(model)
    try:
        network.calibrate(pictures())
    except ArgumentError as error:
        assert "cannot be trained" in str(error) or "range of float32" in str(error)
        assert not network.built
    else:
        assert network.predict(pictures()).shape == (40, 3)


def test_samples_of_another_shape_are_refused() -> None:
    network = Sequential.from_keras(classifier(), input_range=(0, 1))
    assert not network.built
    with pytest.raises(ArgumentError, match=r"x: expected shape \(N, 4, 4\)"):
        network.calibrate(np.zeros((3, 5)))
    with pytest.raises(ArgumentError, match="not trained, of random weights"):
        network.add(network.specification[0])


def test_a_file_without_keras(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with pytest.raises(FileNotFoundError):
        Sequential.from_keras(path)
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="net.keras: (needs Keras|Keras cannot read it)"):
        Sequential.from_keras(path)


def test_with_keras_itself(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="needs Keras, which the extra keras installs")
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Flatten(),
            layers.Dense(12, "relu"), layers.Dropout(0.5), layers.Dense(3), layers.Softmax(),
        ]
    )  # fmt: skip
    x = pictures(100)
    expected = model.predict(x.astype(np.float32), verbose=0)
    model.save(tmp_path / "net.keras")
    networks = [Sequential.from_keras(m) for m in (model, tmp_path / "net.keras")]
    for network in networks:
        network.calibrate(x)
        assert np.abs(network.predict(x) - expected).max() < 0.05
    assert networks[0].image == networks[1].image


def test_a_residual_network_of_keras_itself() -> None:
    keras = pytest.importorskip("keras", reason="needs Keras, which the extra keras installs")
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = keras.Input(IMAGE)
    y = layers.Rescaling(1 / 127.5, -1.0)(x)
    y = stem = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(y)
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)
    y = layers.ReLU()(layers.Conv2D(4, 1, use_bias=False)(y))
    y = layers.MaxPooling2D()(layers.Add()([stem, y]))
    y = layers.AveragePooling2D(2, strides=1, padding="same")(y)
    model = keras.Model(x, layers.Dense(3)(layers.Flatten()(y)))
    pixels = np.random.default_rng(5).integers(0, 256, (90, *IMAGE)).astype(np.uint8)
    expected = model.predict(pixels.astype(np.float32), verbose=0)
    network = Sequential.from_keras(model)
    network.calibrate(pixels)
    varies = np.ptp(expected, axis=0).max()
    assert np.abs(network.predict(pixels) - expected).max() < 0.2 * varies
    y = layers.Add()([layers.Conv2D(4, 1, activation="relu")(stem) for _ in range(2)])
    branches = keras.Model(x, layers.Dense(3)(layers.Flatten()(y)))
    with pytest.raises(ArgumentError, match="expected a chain of layers"):
        Sequential.from_keras(branches)
