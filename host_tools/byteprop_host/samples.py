"""Inputs for a comparison: from a file, or made the same way every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop.reference as reference
from byteprop._boundary import Boundary
from byteprop.data import load_samples
from byteprop.errors import ArgumentError
from byteprop.graph import DType, Graph, Tensor

Ints = npt.NDArray[Any]

DEFAULT_SAMPLES = 64
PIXEL_SCALE = 1 / 255
_SEED = 2026


@dataclass(frozen=True)
class SampleSet:
    """n samples for a graph.

    `device` holds one array [n, elems] per input in the device's integers, `file` the same in the
    model file's own dtype. labels: class numbers [n]. expected: outputs [n, elems]
    of the first output in device integers. Both may be None.
    """

    source: str
    file: tuple[npt.NDArray[np.generic], ...]
    device: tuple[Ints, ...]
    labels: npt.NDArray[np.int64] | None = None
    expected: Ints | None = None

    @property
    def n(self) -> int:
        return int(self.device[0].shape[0])

    def bytes_of(self, i: int) -> bytes:
        """What the device gets for sample i: all inputs, one after the other."""
        return b"".join(x[i].tobytes() for x in self.device)


def choose(
    graph: Graph,
    data: Path | None,
    n: int | None,
    *,
    labels: Path | None = None,
    pixel_scale: float = PIXEL_SCALE,
) -> SampleSet:
    """Samples from `data`, or generated ones when it is None; at most `n` when that is given."""
    if data is None:
        return generated(graph, n or DEFAULT_SAMPLES)
    return from_file(graph, data, n, labels=labels, pixel_scale=pixel_scale)


def generated(graph: Graph, n: int) -> SampleSet:
    """All-minimum, all-maximum, all-zero-point, then pseudo-random bytes: the same on every run.

    Random samples alternate between dense noise and mostly "zero" inputs, as images are.
    """
    draw = np.random.RandomState(_SEED)  # Its stream is frozen for ever, default_rng's is not.
    device = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        low, high = limits(tensor.dtype)
        x = draw.randint(low, high + 1, size=(n, tensor.elems)).astype(tensor.dtype.numpy)
        sparse = draw.randint(0, 2, size=x.shape) == 0
        x[1::2][sparse[1::2]] = tensor.zero_point
        for i, value in enumerate((low, high, tensor.zero_point)[:n]):
            x[i] = value
        device.append(x)
    source = f"{n} generated: all-minimum, all-maximum, zero, pseudo-random"
    tensors = [graph.tensors[i] for i in graph.inputs]
    return _sample_set(
        source, [_in_units(x, t) for x, t in zip(device, tensors, strict=True)], device, tensors
    )


def from_file(
    graph: Graph,
    data: Path,
    n: int | None,
    *,
    labels: Path | None = None,
    pixel_scale: float = PIXEL_SCALE,
) -> SampleSet:
    """The first `n` samples of a data file (all when None)."""
    loaded = load_samples(data, limit=n)
    x, y = loaded.x, loaded.y
    if labels is not None:
        y = load_samples(labels, limit=n).x
    if y is not None and len(y) != len(x):
        raise ArgumentError(f"{data}: {len(x)} samples, but {len(y)} labels")
    if len(x) == 0:
        raise ArgumentError(f"{data}: holds no samples")
    tensors = [graph.tensors[i] for i in graph.inputs]
    parts = _parts(tensors, x, data)
    device = [_quantized(p, t, data, pixel_scale) for p, t in zip(parts, tensors, strict=True)]
    source = f"{len(x)} from {data}"
    known, expected = (None, None) if y is None else _labels_or_outputs(graph, y, data)
    if y is not None and known is None and expected is None:
        source += f"; its {y.dtype} {list(y.shape)} are neither labels nor outputs of this model"
    reals = [real_units(p, t, pixel_scale) for p, t in zip(parts, tensors, strict=True)]
    return replace(_sample_set(source, reals, device, tensors), labels=known, expected=expected)


def _parts(tensors: Sequence[Tensor], x: npt.NDArray[np.generic], data: Path) -> list[Ints]:
    """The values of each input, [n, elems]."""
    flat = x.reshape(len(x), -1)
    wanted = sum(t.elems for t in tensors)
    if flat.shape[1] != wanted:
        shapes = ", ".join(f"{t.name} {list(t.shape)}" for t in tensors)
        raise ArgumentError(
            f"{data}: a sample has {flat.shape[1]} values (shape {list(x.shape[1:])}), but the "
            f"model takes {wanted} ({shapes}); give data cut for this model"
        )
    return np.split(flat, np.cumsum([t.elems for t in tensors])[:-1], axis=1)


def _quantized(x: npt.NDArray[np.generic], tensor: Tensor, data: Path, pixel_scale: float) -> Ints:
    """Device integers of data: its own integers, pixels (uint8) or real values (float). A model
    that normalises takes real values of any type."""
    boundary = Boundary(tensor)
    if tensor.normalization is not None:
        return boundary.quantize(real_units(x, tensor, pixel_scale), f"{data}: x").integers
    if x.dtype == tensor.dtype.numpy:
        return np.ascontiguousarray(x)
    if x.dtype == np.uint8 and boundary.takes_pixels and pixel_scale == PIXEL_SCALE:
        return np.ascontiguousarray(boundary.quantize(x, "x").integers)
    x = real_units(x, tensor, pixel_scale)
    if x.dtype.kind == "f":
        real = x.astype(np.float32)
        if not np.isfinite(real).all():
            raise ArgumentError(f"{data}: has values that are not finite")
        return np.ascontiguousarray(
            reference.quantize(real, tensor.scale, tensor.zero_point, tensor.dtype)
        )
    raise ArgumentError(
        f"{data}: dtype {x.dtype} does not fit input {tensor.name!r}; give {tensor.dtype.numpy} "
        "(raw), uint8 (pixels) or floats (real values)"
    )


def _labels_or_outputs(
    graph: Graph, y: npt.NDArray[np.generic], data: Path
) -> tuple[npt.NDArray[np.int64] | None, Ints | None]:
    """y as class numbers [n], or as expected outputs [n, elems]."""
    output = graph.tensors[graph.outputs[0]]
    flat = y.reshape(len(y), -1)
    is_expected = y.ndim > 1 and flat.shape[1] == output.elems
    if is_expected and y.dtype == output.dtype.numpy:
        return None, np.ascontiguousarray(flat)
    if is_expected and y.dtype.kind == "f" and output.float_border:
        return None, to_codes(flat.astype(np.float32), output)
    if flat.shape[1] == 1 and y.dtype.kind in "iu" and output.elems > 1:
        known = flat[:, 0].astype(np.int64)
        if known.min() < 0 or known.max() >= output.elems:
            raise ArgumentError(
                f"{data}: labels reach from {known.min()} to {known.max()}, but the model has "
                f"{output.elems} outputs"
            )
        return known, None
    return None, None


def _sample_set(
    source: str,
    reals: Sequence[npt.NDArray[np.generic]],
    device: Sequence[Ints],
    tensors: Sequence[Tensor],
) -> SampleSet:
    """With inputs as the model file takes them: reals where it normalises them, and the device's
    integers, or what they stand for, elsewhere."""
    taken, file = [], []
    for real, x, tensor in zip(reals, device, tensors, strict=True):
        values: npt.NDArray[np.generic] = x
        if tensor.normalization is not None:
            values = real.astype(np.float32)
            x = Boundary(tensor).quantize(values, "x").integers
        elif tensor.float_border:
            values = reference.dequantize(x, tensor.scale, tensor.zero_point)
        taken.append(x)
        file.append(values)
    return SampleSet(source, tuple(file), tuple(taken))


def real_units(x: npt.NDArray[Any], tensor: Tensor, pixel_scale: float) -> npt.NDArray[Any]:
    """Real values: of pixels (uint8) in the range that they are usually trained in, but where the
    model itself says what is done to its inputs."""
    if x.dtype != np.uint8 or (tensor.normalization is not None and pixel_scale == PIXEL_SCALE):
        return x
    return x.astype(np.float32) * np.float32(pixel_scale)


def _in_units(x: Ints, tensor: Tensor) -> npt.NDArray[np.float32]:
    """Real values whose integers are about these, in the units of a model that normalises."""
    reals = reference.dequantize(x, tensor.scale, tensor.zero_point)
    if tensor.normalization is None:
        return reals
    at = np.arange(x.shape[1]) % len(tensor.normalization.sub)
    sub, mul = tensor.normalization.sub[at], tensor.normalization.mul[at]
    units: npt.NDArray[np.float32] = reals / np.where(mul == 0, np.float32(1), mul) + sub
    return units


def batched(x: Ints, tensor: Tensor) -> Ints:
    """[n, elems] as a batch of the tensor's shape, the way `byteprop.Model.run` takes it.

    The first axis is the batch; a model made for a fixed batch has it n times side by side.
    """
    return x.reshape(-1, *tensor.shape[1:])


def limits(dtype: DType) -> tuple[int, int]:
    """The least and the greatest value."""
    return (-128, 127) if dtype is DType.INT8 else (0, 255)


def to_codes(real: npt.NDArray[np.float32], tensor: Tensor) -> Ints:
    """The integers whose dequantised values these are, bit for bit.

    Raises ArgumentError when a value is none of the 256 that the tensor can have: rounding here
    would hide a difference.
    """
    low, high = limits(tensor.dtype)
    codes = np.arange(low, high + 1).astype(tensor.dtype.numpy)
    values = reference.dequantize(codes, tensor.scale, tensor.zero_point).astype(np.float32)
    at = np.clip(np.searchsorted(values, real), 0, len(values) - 1)
    wrong = values[at] != real
    if wrong.any():
        i = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ArgumentError(
            f"sample {i[0]}: {real[i]!r} is none of the 256 values that output {tensor.name!r} "
            "can have"
        )
    return codes[at]
