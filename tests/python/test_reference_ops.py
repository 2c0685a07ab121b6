"""The reference against tflite-runtime's reference kernels on random models of one op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import builtin_ref
import tflite_builder as tb
from byteprop import reference
from byteprop.importer import load_tflite

SEEDS = range(40)
ALL_BYTES = np.arange(256, dtype=np.uint8)[np.newaxis]


def check(model: bytes, x: np.ndarray[Any, Any]) -> None:
    wanted = builtin_ref.run(model, [x])[0]
    got = reference.run(load_tflite(model), [x])[0]
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def scale(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.float32(2 ** rng.uniform(low, high)))


def int8s(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    return rng.integers(-128, 128, shape).astype(np.int8)


def inputs_with_extremes(rng: np.random.Generator, n_in: int) -> np.ndarray[Any, Any]:
    x = int8s(rng, 8, n_in)
    x[0], x[1] = -128, 127
    return x


@pytest.mark.parametrize("per_row", [False, True], ids=["per tensor", "per row"])
@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_dense(activation: str, per_row: bool) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        n_in, n_out = (int(n) for n in rng.integers(1, 40, 2))
        scales = [scale(rng, -12, -4) for _ in range(n_out)]
        model = tb.dense_model(
            weights=rng.integers(-128, 128, (n_out, n_in)),
            bias=rng.integers(-5000, 5000, n_out) if seed % 3 else None,
            missing_bias="absent" if seed % 2 else "minus one",
            x_scale=scale(rng, -6, 2),
            x_zero_point=int(rng.integers(-128, 128)),
            weight_scale=scales if per_row else scales[0],
            y_scale=scale(rng, -8, 4),
            y_zero_point=int(rng.integers(-128, 128)),
            activation=activation,
        )
        check(model, inputs_with_extremes(rng, n_in))


@pytest.mark.parametrize("seed", SEEDS)
def test_dense_at_the_extremes_of_shifts_sums_and_zero_points(seed: int) -> None:
    """Multipliers down to 0 and up to 2^20 (sums lose their upper bits), biases of 31 bits."""
    rng = np.random.default_rng(1000 + seed)
    n_in, n_out = (int(n) for n in rng.integers(1, 20, 2))
    model = tb.dense_model(
        weights=rng.integers(-128, 128, (n_out, n_in)),
        bias=rng.integers(-(2**31), 2**31, n_out),
        x_scale=scale(rng, -10, 4),
        x_zero_point=int(rng.choice([-128, 127])),
        weight_scale=[scale(rng, -34, 6) for _ in range(n_out)],
        y_scale=scale(rng, -10, 8),
        y_zero_point=int(rng.choice([-128, 127])),
    )
    check(model, inputs_with_extremes(rng, n_in))


# 64 times this scale lies halfway between two integers.
HALFWAY = np.float32(45.5 / 64)


def just_below_halfway(
    rng: np.random.Generator, partner: Any, rounded: Any, exact: Any
) -> tuple[np.float32, np.float32]:
    """Two scales whose product or quotient is HALFWAY in float32, but less than that exactly."""
    while True:
        b = np.float32(rng.uniform(1, 2))
        a = np.float32(partner(HALFWAY, b))
        if rounded(a, b) == HALFWAY and exact(float(a), float(b)) < HALFWAY:
            return a, b


def test_dense_rounds_one_product_of_scales_to_float32() -> None:
    """One scale: the product is rounded up to the half. One a row: it is not."""
    x_scale, w_scale = just_below_halfway(
        np.random.default_rng(5), np.divide, np.multiply, float.__mul__
    )
    x = np.array([[64]], np.int8)
    for rows, wanted in ((1, [46]), (2, [45, 45])):
        model = tb.dense_model(
            weights=np.ones((rows, 1)), x_scale=x_scale, weight_scale=[w_scale] * rows
        )
        check(model, x)
        assert reference.run(load_tflite(model), [x])[0].tolist() == [wanted]


def test_relu_rounds_the_quotient_of_scales_to_float32_and_quantize_does_not() -> None:
    x_scale, y_scale = just_below_halfway(
        np.random.default_rng(6), np.multiply, np.divide, float.__truediv__
    )
    x = np.array([[64]], np.int8)
    for op, wanted in (("RELU", 46), ("QUANTIZE", 45)):
        model = tb.rescale_model(op, shape=(1, 1), x_scale=x_scale, y_scale=y_scale)
        check(model, x)
        assert reference.run(load_tflite(model), [x])[0].tolist() == [[wanted]]


@pytest.mark.parametrize(
    "x_shape, keep", [((4, 6), False), ((6,), False), ((2, 2, 6), False), ((2, 2, 6), True)]
)
def test_dense_takes_inputs_of_any_rank(x_shape: tuple[int, ...], keep: bool) -> None:
    rng = np.random.default_rng(9)
    model = tb.dense_model(
        weights=rng.integers(-127, 128, (5, 6)), x_shape=x_shape, keep_num_dims=keep
    )
    check(model, int8s(rng, 3 * x_shape[0], *x_shape[1:]))


@pytest.mark.parametrize("op", ["QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"])
@pytest.mark.parametrize("x_type", [tb.INT8, tb.UINT8], ids=["int8", "uint8"])
def test_rescale_on_every_byte(op: str, x_type: int) -> None:
    low = {tb.INT8: -128, tb.UINT8: 0}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        y_type = int(rng.choice([tb.INT8, tb.UINT8])) if op == "QUANTIZE" else x_type
        width = 20 if seed % 2 else 4
        model = tb.rescale_model(
            op,
            x_type=x_type,
            y_type=y_type,
            x_scale=scale(rng, -width / 2, width / 2),
            y_scale=scale(rng, -width / 2, width / 2),
            x_zero_point=int(rng.integers(0, 256)) + low[x_type],
            y_zero_point=int(rng.choice([0, 255, rng.integers(0, 256)])) + low[y_type],
        )
        check(model, ALL_BYTES if x_type == tb.UINT8 else ALL_BYTES.view(np.int8))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 128, 511])
def test_softmax_of_odd_scales(n: int) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        model = tb.softmax_model(
            shape=(2, n),
            x_scale=scale(rng, -18, 8),
            beta=scale(rng, -6, 6),
            x_zero_point=int(rng.integers(-128, 128)),
        )
        x = int8s(rng, 8, n) if seed % 2 else rng.integers(-4, 4, (8, n)).astype(np.int8)
        x[0], x[1], x[1, 0] = 7, -128, 127
        check(model, x)


@pytest.mark.parametrize("type", [tb.INT8, tb.UINT8], ids=["int8", "uint8"])
def test_float_border(type: int) -> None:
    """Halves between steps, values beyond the range, and dequantised results."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        step = scale(rng, -10, 10)
        zero_point = int(rng.integers(0, 128))
        model = tb.float_border_model(type=type, scale=step, zero_point=zero_point)
        halves = (
            np.arange(-300, 300).reshape(-1, 1) + rng.choice([0, 0.5, 0.4999, 1e-7], 64)
        ) * step
        x = halves.astype(np.float32)
        graph = load_tflite(model)
        tensor = graph.tensors[graph.inputs[0]]
        q = reference.quantize(x, tensor.scale, tensor.zero_point, tensor.dtype)
        target = graph.tensors[graph.outputs[0]]
        got = reference.dequantize(reference.run(graph, [q])[0], target.scale, target.zero_point)
        np.testing.assert_array_equal(got, builtin_ref.run(model, [x])[0])


def test_reshape_chain() -> None:
    model = tb.reshape_model([(2, 12), (3, -1), (2, 2, 2, 3), (2, 12)])
    check(model, int8s(np.random.default_rng(0), 6, 12))
