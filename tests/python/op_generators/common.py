"""What generators of ops have in common."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.graph import Activation, DType, Kind, Tensor
from byteprop.ops import spec_of
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
    """Anywhere, often at an end, as ReLU has it. 0 for int16."""
    if dtype is DType.INT16:
        return 0
    low = 0 if dtype is DType.UINT8 else -128
    return low + int(rng.choice([0, 255, 128, int(rng.integers(256))]))


def scale_near(rng: np.random.Generator, scale: float, octaves: float = 2.0) -> float:
    """A scale that neither saturates nor flattens all values of this one."""
    return float(np.float32(np.clip(scale * 2 ** rng.uniform(-octaves, octaves), 2**-14, 2**6)))


def is_readable(b: Builder, t: int) -> bool:
    """Whether other ops may read a tensor: no constant, and no state of a single op."""
    owned = (s for op in b.ops for s in spec_of(op).own_states(op))
    return b.tensors[t].kind is not Kind.CONSTANT and t not in owned


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


def constant(
    rng: np.random.Generator, b: Builder, shape: tuple[int, ...], scale: float | None = None
) -> int:
    """An int8 tensor of the model file."""
    data = rng.integers(-128, 128, shape).astype(np.int8).tobytes()
    scale = float(2 ** rng.uniform(-8, 0)) if scale is None else scale
    made = Tensor(
        f"t{len(b.tensors)}", shape, DType.INT8, np.float32(scale), zero_point(rng),
        kind=Kind.CONSTANT, data=data,
    )  # fmt: skip
    b.tensors.append(made)
    return len(b.tensors) - 1


def partner(rng: np.random.Generator, b: Builder, x: int) -> tuple[int, int, tuple[int, ...]]:
    """x and another tensor that goes together with it, in either order, and the shape that they
    give: a constant for a channel, for each element or one for all, or an activation, of which one
    may be repeated along axes behind the batch."""
    shape = b.tensors[x].shape
    if rng.random() < 0.4:
        shapes = [shape, shape[-1:], (1,) * len(shape)]
        other = constant(rng, b, shapes[int(rng.integers(3))])
    else:
        other = int(rng.choice([i for i in range(len(b.tensors)) if _go_together(b, x, i)]))
    pair = (x, other) if rng.random() < 0.5 else (other, x)
    together = np.broadcast_shapes(*(b.tensors[t].shape for t in pair))
    return (*pair, tuple(int(n) for n in together))


def _go_together(b: Builder, x: int, other: int) -> bool:
    s, t = b.tensors[x].shape, b.tensors[other]
    if not is_int8(t) or not is_readable(b, other) or len(t.shape) != len(s):
        return False
    fit = all(n in (1, m) or m == 1 for n, m in zip(s[1:], t.shape[1:], strict=True))
    return fit and s[:1] == t.shape[:1] and fits(*map(max, zip(s, t.shape, strict=True)))


def filters(
    rng: np.random.Generator,
    b: Builder,
    x: int,
    shape: tuple[int, ...],
    axis: int,
    y_shape: tuple[int, ...],
) -> tuple[int, tuple[npt.NDArray[Any], ...]]:
    """The output of a convolution, and its weights of this shape, its biases and its scales, one
    for each position of the axis."""
    n_out = shape[axis]
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    scales = rng.uniform(2**-9, 0.02, n_out).astype(np.float32)
    bias = (rng.integers(-(2**31), 2**31, n_out) >> int(rng.integers(14, 32))).astype(np.int32)
    gain = float(scales.mean()) * 70 * (weights.size / n_out) ** 0.5
    return rescaled(rng, b, x, y_shape, gain), (weights, bias, scales)
