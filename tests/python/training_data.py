"""Small data sets for tests of training, made by integers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.data import load_samples
from byteprop.training.draws import draws

ROOT = Path(__file__).resolve().parents[2]
MODELS = Path(__file__).resolve().parents[1] / "data" / "models"

Array = npt.NDArray[Any]


def noise(n: int, width: int, seed: int = 1) -> Array:
    """Bytes [n, width]."""
    rows, columns = np.arange(n)[:, np.newaxis], np.arange(width)[np.newaxis]
    return (draws(seed, rows, 7, columns) >> np.uint32(24)).astype(np.uint8)


def blobs(n: int = 300, classes: int = 3, width: int = 12) -> tuple[Array, Array]:
    """Pixels around a pattern of each class, and the classes."""
    y = np.arange(n) % classes
    patterns = noise(classes, width, seed=5).astype(np.int64)
    x = (3 * patterns[y] + noise(n, width).astype(np.int64)) // 4
    return x.astype(np.uint8), y


def line(slope: float = 2.0, offset: float = -1.0) -> tuple[Array, Array]:
    """Six points of a line."""
    x = np.array([[-1.0], [0.0], [1.0], [2.0], [3.0], [4.0]])
    return x, slope * x[:, 0] + offset


def fashion_test_images() -> tuple[Array, Array]:
    """The 1,000 test images that come with the examples."""
    samples = load_samples(ROOT / "examples" / "fashion_mnist" / "t10k-1000.npz")
    assert samples.y is not None
    return samples.x.reshape(len(samples.x), -1), samples.y


def adc(n: int = 400, bits: int = 10) -> tuple[Array, Array]:
    """Eight channels of a converter, float32 counts, around a pattern of each of four classes."""
    y = np.arange(n) % 4
    largest = (1 << bits) - 1
    patterns = noise(4, 8, seed=9).astype(np.int64) * largest // 255
    spread = (noise(n, 8, seed=10).astype(np.int64) - 128) * largest // 2048
    return np.clip(patterns[y] + spread, 0, largest).astype(np.float32), y


def weather(n: int = 600) -> tuple[Array, Array]:
    """Degrees Celsius, pascals, and a share of humidity, float64; classes 0 and 1 by all three."""
    warm, pressed, humid = ((noise(n, 3, seed=11) / 127.5 - 1).T)[:3]
    x = np.stack([20 + 15 * warm, 101325 + 1500 * pressed, 0.5 + 0.4 * humid], axis=1)
    return x, (warm - pressed + humid > 0).astype(np.int64)
