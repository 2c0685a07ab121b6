"""Model.run beside tflite-runtime's reference kernels where the host does part of the work: borders
in float32, fixed batches, and files that went through .bpm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import builtin_ref
import byteprop
import tflite_builder as tb


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
