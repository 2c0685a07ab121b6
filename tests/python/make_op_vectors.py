"""Writes tests/data/models/ops.vectors.npz: models of one op, inputs, and what tflite-runtime's
reference kernels answer, so that the ops are compared where the runtime cannot be installed.

Run it with Python 3.11 and tflite-runtime 2.14: python tests/python/make_op_vectors.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import builtin_ref
import tflite_builder as tb

TARGET = Path(__file__).resolve().parents[1] / "data" / "models" / "ops.vectors.npz"
ALL_BYTES = np.arange(256, dtype=np.uint8)[np.newaxis]
Case = tuple[bytes, np.ndarray[Any, Any]]


def _scale(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.float32(2 ** rng.uniform(low, high)))


def _int8s(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    return rng.integers(-128, 128, shape).astype(np.int8)


def dense_cases(rng: np.random.Generator) -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for activation in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        for rows in ("tensor", "row"):
            scales = [_scale(rng, -12, -4) for _ in range(9)]
            model = tb.dense_model(
                weights=rng.integers(-128, 128, (9, 13)),
                bias=rng.integers(-5000, 5000, 9) if activation != "RELU6" else None,
                x_scale=_scale(rng, -6, 2),
                x_zero_point=int(rng.integers(-128, 128)),
                weight_scale=scales if rows == "row" else scales[0],
                y_scale=_scale(rng, -6, 3),
                y_zero_point=int(rng.integers(-128, 128)),
                activation=activation,
            )
            cases[f"dense {activation} per {rows}"] = (model, _int8s(rng, 16, 13))
    return cases


def rescale_cases(rng: np.random.Generator) -> dict[str, Case]:
    cases: dict[str, Case] = {}
    names = {tb.INT8: "int8", tb.UINT8: "uint8"}
    for op in ("QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"):
        for x_type in names:
            for y_type in names if op == "QUANTIZE" else (x_type,):
                model = tb.rescale_model(
                    op,
                    x_type=x_type,
                    y_type=y_type,
                    x_scale=_scale(rng, -6, -2),
                    y_scale=_scale(rng, -7, -3),
                    x_zero_point=int(rng.integers(0, 128)),
                    y_zero_point=int(rng.integers(0, 128)),
                )
                x = ALL_BYTES if x_type == tb.UINT8 else ALL_BYTES.view(np.int8)
                cases[f"{op} {names[x_type]} to {names[y_type]}"] = (model, x)
    return cases


def softmax_cases(rng: np.random.Generator) -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for n, x_scale, beta in ((1, 0.1, 1.0), (10, 0.113, 1.0), (10, 3.7, 0.7), (300, 0.02, 2.5)):
        model = tb.softmax_model(shape=(1, n), x_scale=x_scale, beta=beta)
        cases[f"SOFTMAX {n} scale {x_scale} beta {beta}"] = (model, _int8s(rng, 16, n))
    return cases


def main() -> None:
    rng = np.random.default_rng(2024)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for make in (dense_cases, rescale_cases, softmax_cases):
        for name, (model, x) in make(rng).items():
            arrays[f"{name}/model"] = np.frombuffer(model, np.uint8)
            arrays[f"{name}/x"] = x
            arrays[f"{name}/y"] = builtin_ref.run(model, [x])[0]
    np.savez_compressed(TARGET, **arrays)


if __name__ == "__main__":
    main()
