"""The models that figures are taken of: files of the test suite, one made here, and those of MLPerf
Tiny where they are; BYTEPROP_PUBLIC_MODELS names their folder.

python benchmarks/models.py ad01.bpm        # writes the random model of ad01's shapes
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

import byteprop
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Dense

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data" / "models"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))

_AD01_SIZES = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)


def _public(name: str) -> dict[str, Callable[[], byteprop.Model]]:
    path = PUBLIC / f"{name}.tflite"
    return {name: lambda: byteprop.load(path)} if path.exists() else {}


def ad01_shape() -> byteprop.Model:
    """Random weights in the shapes of MLPerf Tiny's anomaly detection model (ad01).

    Ten dense layers with ReLU between them, 264,192 multiply-accumulates."""
    draw = np.random.RandomState(1)
    tensors = [_tensor("input", _AD01_SIZES[0], 0.03, 0)]
    ops = []
    for i, (n_in, n_out) in enumerate(pairwise(_AD01_SIZES)):
        is_last = i == len(_AD01_SIZES) - 2
        # Products of this size give outputs that use the range and hardly saturate.
        scale = np.float32(1.0 / (64.0 * np.sqrt(n_in)))
        tensors.append(_tensor(f"dense_{i}", n_out, 0.03, 0 if is_last else -128))
        ops.append(
            Dense(
                input=i,
                output=i + 1,
                weights=draw.randint(-127, 128, (n_out, n_in)).astype(np.int8),
                bias=draw.randint(-2000, 2001, n_out).astype(np.int32),
                weight_scales=np.array([scale], np.float32),
                activation=Activation.NONE if is_last else Activation.RELU,
            )
        )
    return byteprop.Model(Graph(tuple(tensors), tuple(ops), (0,), (len(tensors) - 1,)))


def _tensor(name: str, n: int, scale: float, zero_point: int) -> Tensor:
    return Tensor(name, (1, n), DType.INT8, np.float32(scale), zero_point)


MODELS: dict[str, Callable[[], byteprop.Model]] = {
    "fashion_mlp_pertensor": lambda: byteprop.load(DATA / "fashion_mlp_pertensor.tflite"),
    "fashion_mlp_perchannel": lambda: byteprop.load(DATA / "fashion_mlp_perchannel.tflite"),
    "digits_mlp": lambda: byteprop.load(DATA / "digits_mlp.tflite"),
    "regression_1x1": lambda: byteprop.load(DATA / "regression_1x1.tflite"),
    "ad01_shape": ad01_shape,
    **_public("kws_dscnn"),
    **_public("ic01_resnet8"),
    **_public("vww_mobilenet_96"),
}


if __name__ == "__main__":
    ad01_shape().save(sys.argv[1])
