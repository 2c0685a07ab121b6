"""Networks made from a description: scales, initial weights, what is refused."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import byteprop
from byteprop import Dense, Sequential
from byteprop.engine import _raw_train
from byteprop.errors import ArgumentError, TrainingWarning
from byteprop.ops import Reshape, Softmax
from byteprop.training.draws import SHUFFLE_STREAM, below, draws, permutation
from byteprop.training.initial import initial_weights, input_scale, output_scale
from training_data import blobs, line


def test_draws_are_those_of_the_library() -> None:
    steps, rows = np.array([0, 1, 2**32 - 1]), np.array([0, 5, 65535])
    got = draws(7, steps, 0xFFFF0001, rows)
    assert got.tolist() == [
        _raw_train.draw(7, int(s), 0xFFFF0001, int(r)) for s, r in zip(steps, rows, strict=True)
    ]


def test_a_permutation_is_fisher_and_yates_from_the_end() -> None:
    order = list(range(50))
    for i in range(49, 0, -1):
        j = _raw_train.draw(3, 2, SHUFFLE_STREAM, i) * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    assert permutation(50, 3, 2).tolist() == order
    assert permutation(1, 0, 0).tolist() == [0]


def test_all_orders_of_three_are_about_equally_frequent() -> None:
    seen = [tuple(permutation(3, seed, 0).tolist()) for seed in range(1200)]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 6
    assert min(counts) > 150 and max(counts) < 250


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (784, 20), (20, 10), (3, 4000)])
def test_initial_weights_fill_glorots_range(n_in: int, n_out: int) -> None:
    weights, scale = initial_weights(n_in, n_out, seed=11, layer=1)
    limit = math.sqrt(6 / (n_in + n_out))
    assert weights.shape == (n_out, n_in)
    assert math.frexp(float(scale))[0] == 0.5
    bound = math.floor(limit / float(scale))
    assert 32 <= bound <= 64
    assert np.abs(weights.astype(int)).max() <= bound
    if weights.size > 100:
        assert {-bound, bound} <= set(weights.reshape(-1).tolist())
        assert abs(weights.mean()) < 0.2 * bound


def test_initial_weights_by_the_rule_in_the_numerics() -> None:
    weights, scale = initial_weights(5, 2, seed=9, layer=3)
    exponent = -int(math.log2(scale))
    bound = math.isqrt((6 << 2 * exponent) // 7)
    for j in range(2):
        for i in range(5):
            drawn = _raw_train.draw(9, i, 0xFFFF0002 + 48, j)
            assert weights[j, i] == (drawn * (2 * bound + 1) >> 32) - bound


def test_initial_weights_are_fixed() -> None:
    weights, _ = initial_weights(4, 2, seed=0, layer=0)
    assert weights.tolist() == FIXED_WEIGHTS


def test_below_is_within_its_bound() -> None:
    drawn = np.array([0, 2**31, 2**32 - 1], np.uint32)
    assert below(10, drawn).tolist() == [0, 5, 9]


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (0, 1, 2**-8, -128),
        (0, 255, 1, -128),
        (-10, 10, 2**-3, 0),
        (-1, 1, 2**-7, 0),
        (-1, 100, 2**-1, -126),
        (5, 6, 2**-5, -128),
        (0, 0, 1, -128),
    ],
)
def test_input_scales(low: float, high: float, scale: float, zero_point: int) -> None:
    assert input_scale(low, high) == (scale, zero_point)
    top = scale * (127 - zero_point)
    assert scale * (-128 - zero_point) <= low and top >= high - scale


def test_output_scales() -> None:
    assert output_scale(-20, 20) == 0.25
    assert output_scale(0, 127) == 1
    assert output_scale(-128, 0) == 2


def test_with_ranges_it_is_a_model_at_once() -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-20, 20))
    assert net.built
    assert isinstance(net, byteprop.Model)
    assert net.inputs[0].scale == 0.125 and net.outputs[0].scale == 0.25
    assert net.predict(np.zeros((3, 1))).shape == (3, 1)


def test_without_ranges_it_says_what_it_waits_for() -> None:
    net = Sequential([Dense(1)], input_shape=1)
    assert not net.built
    with pytest.raises(ArgumentError, match="input_range="):
        net.predict(np.zeros((1, 1)))
    assert not hasattr(net, "graph")
    net.calibrate(*line())
    assert net.built and net.outputs[0].scale == output_scale(-3, 7)


def test_what_it_waits_for_is_what_a_model_has() -> None:
    net = Sequential([Dense(1)], input_shape=1)
    before = set(vars(net))
    net.calibrate(*line())
    made = set(vars(net)) - before - {"masters"}  # there are none before a training
    unbuilt = Sequential([Dense(1)], input_shape=1)
    for name in made:
        with pytest.raises(ArgumentError, match="no scales yet"):
            getattr(unbuilt, name)
    with pytest.raises(AttributeError, match="has no attribute 'compile'"):
        unbuilt.compile()


def test_samples_of_one_number_need_no_second_axis() -> None:
    x, y = line()
    nets = [Sequential([Dense(1)], input_shape=np.int64(1)) for _ in range(2)]
    nets[0].fit(x, y, epochs=3)
    nets[1].fit(x[:, 0], y, epochs=3)
    assert nets[0].image == nets[1].image
    assert nets[0].predict(x[:, 0]).tolist() == nets[0].predict(x).tolist()
    assert nets[0].evaluate(x[:, 0], y) == nets[0].evaluate(x, y)


def test_images_of_several_dimensions_are_flattened() -> None:
    net = Sequential([Dense(3, "softmax")], input_shape=(4, 4), input_range=(0, 1))
    assert [type(op) for op in net.graph.ops][0::2] == [Reshape, Softmax]
    assert net.predict(np.zeros((2, 4, 4))).shape == (2, 3)


def test_pixels_and_their_share_of_256_are_the_same() -> None:
    x, y = blobs()
    net = Sequential([Dense(3, "softmax")], input_shape=(12,), seed=1)
    net.calibrate(x, y)
    assert (net.inputs[0].scale, net.inputs[0].zero_point) == (2**-8, -128)
    assert np.array_equal(net.predict(x), net.predict(x / 256))
    zero = np.zeros((1, 12), np.uint8)
    assert np.array_equal(net.predict(zero), net.run(np.full((1, 12), -128, np.int8)) / 256 + 0.5)


def test_values_that_saturate_are_told_once() -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-20, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.predict(np.array([[10.0], [-16.0]]))
    with pytest.warns(TrainingWarning, match="x: 2 of 3 values are outside -16 .. 15.875"):
        net.predict(np.array([[10.0], [-16.2], [100.0]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.predict(np.array([[100.0]]))


def test_answers_at_the_limit_are_told() -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-8, 8))
    net.fit(*line(), epochs=100)
    with pytest.warns(TrainingWarning, match="1 of 2 answers are at the limits of the output"):
        net.predict(np.array([[10.0], [1.0]]))


def test_repr() -> None:
    net = Sequential([Dense(1)], input_shape=(1,))
    assert repr(net) == "<byteprop.Sequential (1,) -> 1, not built>"
    net.calibrate(*line())
    assert "1 ops" in repr(net)


def test_seeds() -> None:
    x, y = blobs()

    def weights(seed: int | None, fit_seed: int) -> list[int]:
        net = Sequential([Dense(3, "softmax")], input_shape=(12,), seed=seed)
        net.calibrate(x, y, seed=fit_seed)
        return net.graph.ops[0].weights.reshape(-1).tolist()  # type: ignore[union-attr]

    assert weights(None, 1) == weights(1, 2) == weights(1, 1)
    assert weights(None, 1) != weights(None, 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dense(0), "units: expected 1..32767, got 0"),
        (lambda: Dense(2.5), "units: expected an integer"),  # type: ignore[arg-type]
        (lambda: Dense(3, "tanh"), "expected linear, relu, softmax or None, got 'tanh'"),
        (lambda: Sequential([3], 4), "expected byteprop.Dense"),  # type: ignore[list-item]
        (lambda: Sequential([Dense(3, "softmax"), Dense(2)], 4), "softmax is for the last layer"),
        (lambda: Sequential([Dense(3), Dense(2)], 4), "expected relu"),
        (lambda: Sequential([Dense(3, "relu")], 4), "linear or softmax last layer, got relu"),
        (lambda: Sequential([Dense(4096, "softmax")], 4), "4095 are supported"),
        (lambda: Sequential([Dense(1)] * 17, 4), "expected 16 at most, got 17 with weights"),
        (lambda: Sequential([Dense(1)], (70000,)), "65532 are supported"),
        (lambda: Sequential([Dense(1)], (0,)), "positive integers"),
        (lambda: Sequential([Dense(1)], (True,)), "positive integers"),
        (lambda: Sequential([Dense(1)], ((2,), 3)), "positive integers"),  # type: ignore[arg-type]
        (lambda: Sequential(Dense(1), 4), "expected a list"),  # type: ignore[arg-type]
        (lambda: Sequential([Dense(1)], 4, seed=-1), r"seed: expected 0\.\."),
        (lambda: Sequential([Dense(1)], 4, seed="a"), "integer"),  # type: ignore[arg-type]
        (lambda: Sequential([Dense(1)], 4, input_range=(1,)), "low, high"),  # type: ignore[arg-type]
        (
            lambda: Sequential([Dense(2, "softmax")], 4, input_range=(0, 1e300)),
            r"input_range 0 .. 1e\+300\): cannot be trained",
        ),
        (
            lambda: Sequential([Dense(1)], 4, input_range=(0, 1), output_range=(0, 1e300)),
            r"output_range 0 .. 1e\+300: cannot be trained",
        ),
        (lambda: Sequential([Dense(32767)], (60000,)), "268435456 are supported"),
        (lambda: Sequential([Dense(1)], 4, input_range=(2, 1)), "low below high"),
        (lambda: Sequential([Dense(1)], 4, output_range=(0, math.nan)), "low below high"),
    ],
)
def test_what_is_refused(make: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()  # type: ignore[operator]


FIXED_WEIGHTS = [[8, -40, 63, 49], [-58, -24, -20, -48]]
