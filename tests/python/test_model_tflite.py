"""Model.run beside tflite-runtime's reference kernels where the host does part of the work: borders
in float32, fixed batches, and files that went through .bpm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop.engine import _raw
from byteprop.graph.quantization import quantize_multiplier


def check(model: bytes, x: np.ndarray[Any, Any]) -> None:
    wanted = builtin_ref.run(model, [x])[0]
    loaded = byteprop.load(model)
    for answer in (loaded.run(x), byteprop.load(loaded.image).run(x)):
        assert answer.dtype == wanted.dtype
        assert answer.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("type", [tb.INT8, tb.UINT8], ids=["int8", "uint8"])
@pytest.mark.parametrize("seed", range(20))
def test_float_borders(seed: int, type: int) -> None:
    rng = np.random.default_rng(seed)
    x_scale = float(np.float32(2 ** rng.uniform(-9, 3)))
    model = tb.float_border_model(
        type=type,
        scale=x_scale,
        zero_point=int(rng.integers(-128, 128)) + (128 if type == tb.UINT8 else 0),
        y_scale=float(np.float32(2 ** rng.uniform(-9, 3))),
    )
    halves = rng.integers(-400, 401, (40, 64)).astype(np.float32) / 2 * np.float32(x_scale)
    steps = rng.integers(-2, 3, halves.shape)
    nudged = np.where(steps > 0, np.nextafter(halves, np.float32(np.inf)), halves)
    nudged = np.where(steps < 0, np.nextafter(nudged, np.float32(-np.inf)), nudged)
    check(model, nudged.astype(np.float32))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches(batch: int) -> None:
    rng = np.random.default_rng(batch)
    model = tb.softmax_model(shape=(batch, 7), x_scale=0.1, x_zero_point=3)
    check(model, rng.integers(-128, 128, (3 * batch, 7)).astype(np.int8))


def first_above_half(mult_q31: int, lshift: int) -> int:
    """The smallest accumulator that becomes more than 100."""
    low, high = 0, 2**31 - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _raw.requant(middle, mult_q31, lshift) > 100 else (middle + 1, high)
        )
    return low


@pytest.mark.parametrize("seed", range(10))
def test_one_weight_scale_is_multiplied_in_float32_and_several_in_double(seed: int) -> None:
    """The bias lies where the two products of scales give different bytes."""
    rng = np.random.default_rng(seed)
    bias = [0, 0]
    while bias[0] == bias[1]:
        x, w = (np.float32(rng.uniform(0.5, 1)) for _ in range(2))
        y = np.float32(2**23 * rng.uniform(0.5, 1))
        products = float(x * w), float(x) * float(w)
        bias = [first_above_half(*quantize_multiplier(p / float(y))) for p in products]
    between = np.array([min(bias)] * 2)
    answers = []
    for weight_scale in (w, [w, w]):
        model = tb.dense_model(
            weights=np.zeros((2, 1)), bias=between, x_scale=x, weight_scale=weight_scale, y_scale=y
        )
        check(model, np.zeros((1, 1), np.int8))
        answers.append(byteprop.load(model).run(np.zeros((1, 1), np.int8)).tolist())
    assert sorted(answers) == [[[100, 100]], [[101, 101]]]


def test_relu_divides_scales_in_float32_and_quantize_in_double() -> None:
    """Scales whose quotient is a little below 0.75, and 0.75 in float32: 2 * 0.75 rounds up."""
    y_scale = np.float32(1 + 2**-23)
    x_scale = np.nextafter(np.float32(0.75) * y_scale, np.float32(0))
    while not (float(x_scale) / float(y_scale) < 0.75 and x_scale / y_scale == np.float32(0.75)):
        y_scale = np.nextafter(y_scale, np.float32(2))
        x_scale = np.nextafter(np.float32(0.75) * y_scale, np.float32(1))
        if float(x_scale) / float(y_scale) >= 0.75:
            x_scale = np.nextafter(x_scale, np.float32(0))
    x = np.full((1, 256), 2, np.int8)
    for op, wanted in (("RELU", 2), ("QUANTIZE", 1)):
        model = tb.rescale_model(op, x_scale=x_scale, y_scale=y_scale)
        check(model, x)
        assert byteprop.load(model).run(x)[0, 0] == wanted


@pytest.mark.parametrize(("exponent", "wanted"), [(-30, 2), (-31, 1), (-32, 0)])
def test_the_smallest_scales(exponent: int, wanted: int) -> None:
    """0.9 * 2^exponent of 2^31 - 1; below 2^-32 the multiplier is 0."""
    model = tb.dense_model(
        weights=np.zeros((1, 1)),
        bias=np.array([2**31 - 1]),
        x_scale=np.float32(0.9),
        weight_scale=1.0,
        y_scale=2.0**-exponent,
    )
    check(model, np.zeros((1, 1), np.int8))
    assert byteprop.load(model).run(np.zeros((1, 1), np.int8)).tolist() == [[wanted]]
