"""Convolutional networks made from a description, in the words of Keras."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import builtin_ref
import byteprop
from byteprop import (
    Add,
    AveragePooling2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Sequential,
)
from byteprop.engine import _raw_train
from byteprop.errors import ArgumentError
from byteprop.training.initial import initial_filters
from training_data import noise

Array = npt.NDArray[Any]
SHAPE = (8, 8, 2)


def convolution(filters: int, size: int = 3, **more: Any) -> Conv2D:
    return Conv2D(filters, size, **{"padding": "same", "activation": "relu", **more})


def layers() -> list[Any]:
    """All words; 3 classes."""
    return [
        convolution(4, name="begin"),
        DepthwiseConv2D(3, padding="same", activation="relu"),
        convolution(4, 1),
        Add("begin"),
        MaxPooling2D(),
        DepthwiseConv2D((3, 2), depth_multiplier=2, activation="relu"),
        AveragePooling2D((2, 1), 1),
        convolution(6, strides=(1, 2)),
        GlobalAveragePooling2D(),
        Flatten(),
        Dense(5, "relu"),
        Dense(3, "softmax"),
    ]


def images(n: int = 120) -> tuple[Array, Array]:
    """Pixels around a pattern of each of 3 classes."""
    y = np.arange(n) % 3
    patterns = noise(3, math.prod(SHAPE), seed=5).astype(np.int64)
    x = (3 * patterns[y] + noise(n, math.prod(SHAPE)).astype(np.int64)) // 4
    return x.astype(np.uint8).reshape(n, *SHAPE), y


def test_shapes_and_parameters_are_those_of_keras() -> None:
    net = Sequential(layers(), SHAPE, input_range=(0, 1))
    by_name = {layer.name: tuple(layer.output_shape[1:]) for layer in net.layers}
    assert by_name == {
        "begin": (8, 8, 4),
        "depthwise_conv2d": (8, 8, 4),
        "conv2d_1": (8, 8, 4),
        "add": (8, 8, 4),
        "max_pooling2d": (4, 4, 4),
        "depthwise_conv2d_1": (2, 3, 8),
        "average_pooling2d": (1, 3, 8),
        "conv2d_2": (1, 2, 6),
        "global_average_pooling2d": (6,),
        "dense": (5,),
        "dense_1": (3,),
        "softmax": (3,),
    }
    weights = 4 * 19 + 4 * 10 + 4 * 5 + 8 * 7 + 6 * 73 + 5 * 7 + 3 * 6
    assert net.count_params() == weights
    unbuilt = Sequential(layers(), SHAPE)
    assert not unbuilt.built
    assert unbuilt.count_params() == weights
    assert f"{weights:,}" in unbuilt.summary() and "2x3x8" in unbuilt.summary()


def test_a_trained_network_is_saved_and_equals_tflite(tmp_path: Path) -> None:
    x, y = images()
    net = Sequential(layers(), SHAPE, seed=1)
    history = net.fit(x, y, epochs=15, seed=1)
    assert history.counters["rescales"] > 0
    assert net.evaluate(x, y)["accuracy"] > 0.9
    inputs = (x.astype(np.int16) - 128).astype(np.int8)
    wanted = net.run(inputs)
    for suffix in (".bpm", ".tflite"):
        net.save(tmp_path / f"net{suffix}")
        np.testing.assert_array_equal(byteprop.load(tmp_path / f"net{suffix}").run(inputs), wanted)
    builtin_ref.require()
    got = builtin_ref.run((tmp_path / "net.tflite").read_bytes(), [inputs])[0]
    np.testing.assert_array_equal(got, wanted)


def test_training_is_the_same_twice_and_can_be_resumed(tmp_path: Path) -> None:
    x, y = images(30)
    nets = [Sequential(layers(), SHAPE, seed=1) for _ in range(2)]
    nets[0].fit(x, y, epochs=2, window=7, checkpoint=tmp_path / "c")
    nets[1].fit(x, y, epochs=2, window=7, callbacks=Stop())
    assert nets[0].image != nets[1].image
    nets[1].save_checkpoint(tmp_path / "half")
    resumed = Sequential(layers(), SHAPE, seed=1)
    resumed.fit(x, y, epochs=2, window=7, resume=tmp_path / "half")
    assert resumed.image == nets[0].image


class Stop(byteprop.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.model.stop_training = True


def test_initial_filters_by_the_rule_in_the_numerics() -> None:
    weights, scale = initial_filters(3, 18, seed=9, number=2)
    exponent = -int(math.log2(scale))
    bound = math.isqrt((6 << 2 * exponent) // 18)
    assert 32 <= bound <= 64
    for j in range(3):
        for i in range(18):
            drawn = _raw_train.draw(9, i, 0xFFFF0002 + 16 * 258, j)
            assert weights[j, i] == (drawn * (2 * bound + 1) >> 32) - bound


def test_other_data_than_images_are_normalized_by_channel() -> None:
    """All positions alike, as a convolution treats them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 6, 5, 2)) * (0.8, 50) + (0, 200)
    net = Sequential([convolution(2), Flatten(), Dense(2, "softmax")])
    net.calibrate(x, np.arange(40) % 2)
    constants = net.graph.tensors[0].normalization
    assert constants is not None and constants.sub.shape == (2,)
    assert abs(constants.sub[1] - 200) < 10 and constants.mul.tolist() == [1, 1 / 64]


def test_the_default_rate_looks_at_a_window_of_the_image() -> None:
    x = np.full((2, 28, 28, 1), 90, np.uint8)
    y = np.arange(2)
    net = Sequential([convolution(2), Flatten(), Dense(2, "softmax")])
    flat = Sequential([Dense(2, "softmax")])
    rates = [n.fit(x, y, schedule="constant").history["learning_rate"][0] for n in (net, flat)]
    assert rates[0] == pytest.approx(0.02, rel=0.01)
    assert rates[1] < 0.006


same = convolution(2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv2D(0, 3), r"Conv2D.filters: expected 1\.\.32767, got 0"),
        (lambda: Conv2D(2, (3, 3, 3)), "Conv2D.kernel_size: expected a number or two"),
        (lambda: Conv2D(2, 3, 0), r"Conv2D.strides: expected 1\.\.255, got 0"),
        (lambda: Conv2D(2, 3, padding="full"), '"valid" or "same", got \'full\''),
        (lambda: Conv2D(2, 3, activation="softmax"), "expected linear, relu or None"),
        (lambda: MaxPooling2D(0), "MaxPooling2D.pool_size: expected 1"),
        (lambda: Sequential([Conv2D(2, 3), Flatten(), Dense(2)]), 'activation="relu"'),
        (lambda: Sequential([same, Dense(2)], (8, 8)), r"\(8, 8, 1\) and x\[..., None\]"),
        (lambda: Sequential([same, Flatten()], SHAPE), "byteprop.Dense as the last layer"),
        (lambda: Sequential([same, Dense(2)], SHAPE), r"put Flatten\(\) or Global"),
        (lambda: Sequential([Flatten(), same, Dense(2)], SHAPE), "it belongs before Flatten"),
        (
            lambda: Sequential([Conv2D(2, 9, activation="relu"), Flatten(), Dense(2)], SHAPE),
            "a window of 9x9 does not fit into 8x8",
        ),
        (lambda: Sequential([same, Add("c"), Dense(2)], SHAPE), r"layer \('conv2d'\), got 'c'"),
        (lambda: Sequential([same, same, Add(same), Dense(2)], SHAPE), "give them names"),
        (
            lambda: Sequential([same, MaxPooling2D(), Add(same), Dense(2)], SHAPE),
            r"of one shape, got \(4, 4, 2\) and \(8, 8, 2\)",
        ),
        (lambda: Sequential([same, Dense(2)]).count_params(), "input_shape= declares it"),
    ],
)
def test_what_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()
