"""What generators of ops have in common."""

from __future__ import annotations

import math

import numpy as np

from byteprop.graph import Activation, DType, Tensor
from byteprop.ops.window import CHANNELS, HEIGHT, IMAGE_RANK, Axis, Window, pad_window
from random_graphs import Builder

MAX_ELEMS = 1200
# What a .tflite file can fuse into another op.
FUSED = [Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1]


def is_int8(t: Tensor) -> bool:
    return t.dtype is DType.INT8


def is_image(t: Tensor) -> bool:
    return is_int8(t) and len(t.shape) == IMAGE_RANK


def fused(rng: np.random.Generator) -> Activation:
    return FUSED[int(rng.integers(len(FUSED)))]


def zero_point(rng: np.random.Generator, dtype: DType = DType.INT8) -> int:
    """Anywhere, often at an end, as ReLU has it."""
    low = 0 if dtype is DType.UINT8 else -128
    return low + int(rng.choice([0, 255, 128, int(rng.integers(256))]))


def scale_near(rng: np.random.Generator, scale: float, octaves: float = 2.0) -> float:
    """A scale that neither saturates nor flattens all values of this one."""
    return float(np.float32(np.clip(scale * 2 ** rng.uniform(-octaves, octaves), 2**-14, 2**6)))


def like(b: Builder, x: int, shape: tuple[int, ...]) -> int:
    """A tensor with the scale and the zero point of x."""
    t = b.tensors[x]
    return b.tensor(shape, float(t.scale), t.zero_point, t.dtype)


def rescaled(
    rng: np.random.Generator, b: Builder, x: int, shape: tuple[int, ...], gain: float = 1.0
) -> int:
    """An int8 tensor for values gain times as large as those of x."""
    scale = scale_near(rng, float(b.tensors[x].scale) * gain)
    return b.tensor(shape, scale, zero_point(rng))


def fits(*shape: int) -> bool:
    return 1 <= math.prod(shape) <= MAX_ELEMS


def window(
    rng: np.random.Generator, x: tuple[int, ...], *, dilated: bool = False
) -> tuple[Window, tuple[int, ...]] | None:
    """A window over an image, and height and width of what it gives; None where it does not fit."""

    def axis() -> Axis:
        dilation = int(rng.integers(1, 4)) if dilated and rng.random() < 0.3 else 1
        stride = 1 if dilation > 1 else int(rng.integers(1, 4))
        return Axis(int(rng.integers(1, 6)), stride, dilation)

    padding = str(rng.choice(["SAME", "VALID"]))
    made, positions = pad_window(Window(axis(), axis()), x, padding)
    return (made, positions) if min(positions) >= 1 else None


def height_and_width(x: tuple[int, ...]) -> tuple[int, ...]:
    return x[HEIGHT:CHANNELS]
