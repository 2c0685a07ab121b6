"""Kernels beside TensorFlow Lite's reference kernels, through models of one op: equal bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import builtin_ref
import byteprop
import tflite_builder
from byteprop import reference
from byteprop.importer import load_tflite


def check(model: bytes, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Both answers are equal; gives them."""
    wanted = builtin_ref.run(model, [x])[0]
    got = byteprop.load(model).run(x)
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)
    return np.asarray(wanted, np.int8)


def logits(rng: np.random.Generator, rows: int, n: int) -> npt.NDArray[np.int8]:
    """Rows that are spread over all values, and rows that are close together."""
    spread = rng.integers(1, 40, (rows, 1))
    return (rng.integers(-128, 128, (rows, n)) // spread).astype(np.int8)


@pytest.mark.parametrize("seed", range(8))
def test_softmax(seed: int) -> None:
    builtin_ref.require()
    rng = np.random.default_rng(seed)
    answers = []
    for _ in range(40):
        n, rows = int(rng.integers(1, 60)), 6
        model = tflite_builder.softmax_model(
            shape=(rows, n),
            x_scale=float(np.exp(rng.uniform(np.log(1e-4), np.log(8.0)))),
            x_zero_point=int(rng.integers(-128, 128)),
            beta=float(rng.choice([0.1, 0.5, 1.0, 1.0, 2.0])),
        )
        answers.append(check(model, logits(rng, rows, n)))
    assert len(np.unique(np.concatenate([y.ravel() for y in answers]))) > 50


def test_softmax_of_many_logits() -> None:
    """All equal, where the sum of the exponentials is largest, and as classifiers give them."""
    builtin_ref.require()
    rng = np.random.default_rng(8)
    for n in (128, 256, 510, 511):
        x = logits(rng, 4, n)
        x[0] = 5
        y = check(tflite_builder.softmax_model(shape=(4, n), x_scale=0.01), x)
        assert len(np.unique(y[0])) == 1
    for n in (1001, 4095):
        x = np.rint(rng.normal(-60, 20, (4, n)).clip(-128, 127)).astype(np.int8)
        y = check(tflite_builder.softmax_model(shape=(4, n)), x)
        assert len(np.unique(y)) > 5


@pytest.mark.parametrize("n", [512, 1001, 4095])
def test_softmax_of_too_many_equal_logits(n: int) -> None:
    """A share of each is below half a step. TensorFlow Lite's answer is of a shift that C leaves
    undefined."""
    file = tflite_builder.softmax_model(shape=(1, n), x_scale=0.1)
    for low in (0, -3):
        x = np.full((1, n), 0, np.int8)
        x[0, n // 2 :] = low
        exponentials = np.exp(0.1 * x.astype(np.float64)).sum()
        y = byteprop.load(file).run(x)
        assert (y == -128).all() == (exponentials >= 512), (n, low)
        assert (reference.run(load_tflite(file), [x])[0] == y).all()


def test_softmax_of_every_difference() -> None:
    """Two logits that are 0 .. 255 apart, at scales where the table is cut off and where not."""
    builtin_ref.require()
    low = np.arange(-128, 128).astype(np.int8)
    x = np.stack([np.full(256, 127, np.int8), low], axis=1)
    for scale in (2**-12, 0.01, 0.0625, 0.1, 0.5, 1.0, 3.7, 30.0):
        y = check(tflite_builder.softmax_model(shape=(256, 2), x_scale=scale), x)
        assert (y[:, 0] >= y[:, 1]).all()


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_dense(activation: str, per_channel: bool) -> None:
    builtin_ref.require()
    rng = np.random.default_rng(len(activation) + 100 * per_channel)
    clamped = 0
    for _ in range(25):
        n_in, n_out = int(rng.integers(1, 90)), int(rng.integers(1, 12))
        weight_scale = np.exp(rng.uniform(-8, -3, n_out if per_channel else 1)).astype(np.float32)
        model = tflite_builder.dense_model(
            weights=rng.integers(-127, 128, (n_out, n_in)).astype(np.int8),
            bias=rng.integers(-20000, 20000, n_out).astype(np.int32),
            x_scale=float(rng.uniform(0.005, 0.2)),
            x_zero_point=int(rng.integers(-128, 128)),
            weight_scale=weight_scale if n_out > 1 or not per_channel else weight_scale[:1],
            y_scale=float(rng.uniform(0.01, 0.5)),
            y_zero_point=int(rng.integers(-100, 100)),
            activation=activation,
        )
        y = check(model, rng.integers(-128, 128, (12, n_in)).astype(np.int8))
        clamped += len(np.unique(y))
    assert clamped > 25  # the layers give more than one value each


def test_dense_bias_wraps() -> None:
    builtin_ref.require()
    model = tflite_builder.dense_model(
        weights=np.array([[127], [-127]], np.int8),
        bias=np.array([(1 << 31) - 1, -(1 << 31)], np.int32),
        x_scale=1.0,
        weight_scale=2.0**-24,
        y_scale=1.0,
    )
    y = check(model, np.array([[1], [0], [-1]], np.int8))
    assert y[0, 0] == -128  # beyond the largest sum comes the smallest
    assert y[1, 0] == 127
