"""The float ops against tflite-runtime's float kernels, to a small tolerance: floating point sums
have no one order, and the ranges that they measure do not depend on the last bits."""

from __future__ import annotations

import numpy as np
import pytest

import builtin_ref
import byteprop
from byteprop.exporter import write_tflite
from byteprop.float_ops import float_ops
from byteprop.quantizer import float_network
from float_cases import CASES, Case

EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def test_every_op_has_a_case() -> None:
    assert set(float_ops()) - {case.op for case in CASES.values()} <= {
        "PADV2", "RELU_0_TO_1", "RELU_N1_TO_1",
    }  # fmt: skip


def outputs(case: Case, file: bytes, x: list[np.ndarray]) -> list[np.ndarray]:
    found = float_network(file).run(x if len(x) > 1 else x[0])
    return found if len(case.results) > 1 else [found]


@EACH
def test_values_are_those_of_the_runtime(case: Case) -> None:
    x = case.samples(3)
    file = case.file()
    for got, expected in zip(
        outputs(case, file, x), builtin_ref.run(file, x, case.resolver), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


@EACH
def test_quantised_values_are_close(case: Case) -> None:
    x = case.samples(60)
    file = case.file()
    model = byteprop.quantize(file, x if len(x) > 1 else x[0])
    got = model.predict(x if len(x) > 1 else x[0])
    got = got if isinstance(got, tuple) else (got,)
    for y, expected in zip(got, outputs(case, file, x), strict=True):
        assert np.sqrt(np.mean((y - expected) ** 2)) < 0.03 * np.sqrt(np.mean(expected**2))


@EACH
def test_quantised_bytes_are_those_of_the_runtime(case: Case) -> None:
    """Of the .tflite that the model is saved as, whatever the input."""
    x = case.samples(20)
    model = byteprop.quantize(case.file(), x if len(x) > 1 else x[0])
    rng = np.random.default_rng(1)
    codes = [rng.integers(-128, 128, part.shape).astype(np.int8) for part in x]
    got = model.run(codes if len(codes) > 1 else codes[0])
    got = got if isinstance(got, tuple) else (got,)
    expected = builtin_ref.run(write_tflite(model.graph), codes, case.resolver)
    for y, wanted in zip(got, expected, strict=True):
        np.testing.assert_array_equal(y, wanted.reshape(y.shape))


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.constants], ids=lambda c: c.op)
def test_weights_in_float16_are_unpacked(case: Case) -> None:
    x = case.samples(3)
    rounded = case.file(half=True)
    for got, plain in zip(outputs(case, rounded, x), outputs(case, case.file(), x), strict=True):
        np.testing.assert_allclose(got, plain, rtol=0.02, atol=0.02)
