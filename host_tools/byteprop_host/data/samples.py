"""Inputs for a comparison: from a file, or generated, always the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop.reference as reference
from byteprop.errors import ArgumentError
from byteprop.graph import DType, Graph, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.training.samples import (
    are_labels,
    check_classes,
    has_classes,
    labels_of,
    outside_text,
)
from byteprop_host.data.reading import PIXEL_SCALE, Reading, labels_note, numbers_for

Ints = npt.NDArray[Any]

DEFAULT_SAMPLES = 64
_SEED = 2026
_ONE_TOO_MANY = ", and labels in a column titled label, y, class or target"


@dataclass(frozen=True)
class SampleSet:
    """n samples for a graph.

    `device` holds one array [n, elems] per input in the device's integers, `file` the same in the
    model file's own dtype. labels: class numbers [n]. expected: outputs [n, elems]
    of the first output in device integers. Both may be None. warnings: about the values. classes:
    their names, if the file has words.
    """

    source: str
    file: tuple[npt.NDArray[np.generic], ...]
    device: tuple[Ints, ...]
    labels: npt.NDArray[np.int64] | None = None
    expected: Ints | None = None
    warnings: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return int(self.device[0].shape[0])

    def bytes_of(self, i: int) -> bytes:
        """All inputs of sample i, one after the other, as the device gets them."""
        return b"".join(x[i].tobytes() for x in self.device)


def choose(
    graph: Graph,
    data: Path | None,
    n: int | None,
    *,
    labels: Path | None = None,
    reading: Reading | None = None,
) -> SampleSet:
    """Samples from `data`, or generated ones if it is None; at most `n` if that is given."""
    if data is None:
        (reading or Reading()).check_used()
        if labels is not None:
            raise ArgumentError("--labels: expected --data with it, got generated samples")
        return generated(graph, n or DEFAULT_SAMPLES)
    return from_file(graph, data, n, labels=labels, reading=reading)


def generated(graph: Graph, n: int) -> SampleSet:
    """All-minimum, all-maximum, all-zero-point, then pseudo-random bytes: the same on every run.

    Random samples alternate between dense noise and mostly "zero" inputs, as images are.
    """
    draw = np.random.RandomState(_SEED)  # Its stream never changes; that of default_rng may.
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
    reading: Reading | None = None,
) -> SampleSet:
    """The first `n` samples of a data file (all when None)."""
    reading = reading or Reading()
    reading.check_used(data, labels)
    shapes = [graph.tensors[i].value_shape[1:] for i in graph.inputs]
    loaded = reading.samples(data, n, shapes[0] if len(shapes) == 1 else None)
    answers = loaded if labels is None else reading.labels(labels, n)
    if answers.y is not None:
        check_lengths(data, len(loaded), labels or data, len(answers.y))
    if len(loaded) == 0:
        raise ArgumentError(f"{data}: expected samples, got none")
    tensors = [graph.tensors[i] for i in graph.inputs]
    given = inputs_of([(t.name, t.value_shape) for t in tensors], loaded.x, data)
    read = [numbers_for(t, p, reading, f"{data}: x") for p, t in zip(given, tensors, strict=True)]
    parts = [r.x for r in read]
    device = [_quantized(p, t, data) for p, t in zip(parts, tensors, strict=True)]
    known, expected = (
        (None, None)
        if answers.y is None
        else _labels_or_outputs(graph, answers.y, answers.classes, labels or data)
    )
    notes = [*loaded.notes, *dict.fromkeys(r.how for r in read if r.how)]
    if labels is not None:
        notes += answers.notes
    notes += labels_note(answers.classes)
    if answers.y is not None and known is None and expected is None:
        found = f"{answers.y.dtype} {list(answers.y.shape)}"
        notes.append(f"its y, {found}, is neither labels nor outputs of this model")
    reals = [real_units(p, t, PIXEL_SCALE) for p, t in zip(parts, tensors, strict=True)]
    return replace(
        _sample_set("; ".join([f"{len(loaded)} from {data}", *notes]), reals, device, tensors),
        labels=known,
        expected=expected,
        warnings=tuple(_saturating(parts, tensors, data)),
        classes=answers.classes or (),
    )


def check_lengths(data: Path, samples: int, labels: Path, n: int) -> None:
    if samples != n:
        raise ArgumentError(
            f"{labels}: expected one label per sample, got {n} for {samples} samples of {data}"
            + (
                "; is the first line a title? --header yes or no decides"
                if n == samples + 1
                else ""
            )
        )


def _saturating(
    parts: Sequence[npt.NDArray[Any]], tensors: Sequence[Tensor], data: Path
) -> Iterator[str]:
    """A warning for each input with values outside its range."""
    for x, tensor in zip(parts, tensors, strict=True):
        if x.dtype.kind == "f":
            outside = Boundary(tensor).quantize(x, f"{data}: x").outside
            if outside:
                yield f"{data}: {outside_text(outside, x.size, tensor)}"


def inputs_of(
    inputs: Sequence[tuple[str, tuple[int, ...]]], x: npt.NDArray[np.generic], data: Path
) -> list[Ints]:
    """The values of each input, [n, elems]. inputs: name and shape of each."""
    flat = x.reshape(len(x), -1)
    sizes = [math.prod(shape) for _, shape in inputs]
    if flat.shape[1] != sum(sizes):
        shapes = ", ".join(f"{name} {list(shape)}" for name, shape in inputs)
        raise ArgumentError(
            f"{data}: expected {sum(sizes)} values per sample ({shapes}), got {flat.shape[1]} "
            f"(shape {list(x.shape[1:])}); use data with the model's input size"
            + (_ONE_TOO_MANY if flat.shape[1] == sum(sizes) + 1 else "")
        )
    return np.split(flat, np.cumsum(sizes)[:-1], axis=1)


def _quantized(x: npt.NDArray[np.generic], tensor: Tensor, data: Path) -> Ints:
    """Device integers of codes, pixels (uint8) or real values (float). A model that normalizes
    takes real values of any type."""
    boundary = Boundary(tensor)
    if tensor.normalization is not None:
        return boundary.quantize(real_units(x, tensor, PIXEL_SCALE), f"{data}: x").integers
    if x.dtype == tensor.dtype.numpy:
        return np.ascontiguousarray(x)
    if x.dtype == np.uint8 and boundary.takes_pixels:
        return np.ascontiguousarray(boundary.quantize(x, "x").integers)
    real = real_units(x, tensor, PIXEL_SCALE).astype(np.float32)
    if not np.isfinite(real).all():
        raise ArgumentError(f"{data}: expected finite numbers, got {_not_finite(real)}")
    return np.ascontiguousarray(
        reference.quantize(real, tensor.scale, tensor.zero_point, tensor.dtype)
    )


def _not_finite(x: npt.NDArray[np.float32]) -> str:
    row, column = (int(v) for v in np.argwhere(~np.isfinite(x))[0])
    return f"{x[row, column]} in sample {row}, value {column}"


def _labels_or_outputs(
    graph: Graph, y: npt.NDArray[np.generic], classes: tuple[str, ...] | None, data: Path
) -> tuple[npt.NDArray[np.int64] | None, Ints | None]:
    """y as class numbers [n], or as expected outputs [n, elems]."""
    output = graph.tensors[graph.outputs[0]]
    name = f"{data}: y"
    if classes is not None:
        check_classes(classes, output.elems, name)
    flat = y.reshape(len(y), -1)
    is_row = y.ndim > 1 and flat.shape[1] == output.elems
    is_output = is_row and y.dtype == output.dtype.numpy
    # A row of a softmax's outputs is never a single 1 among zeros.
    if is_output and not (has_classes(graph) and are_labels(flat, output.elems)):
        return None, np.ascontiguousarray(flat)
    if output.elems > 1 and (flat.shape[1] == 1 or are_labels(flat, output.elems)):
        return labels_of(flat, output.elems, name).astype(np.int64), None
    if is_row and y.dtype.kind == "f" and output.float_border:
        return None, to_codes(flat.astype(np.float32), output)
    return None, None


def _sample_set(
    source: str,
    reals: Sequence[npt.NDArray[np.generic]],
    device: Sequence[Ints],
    tensors: Sequence[Tensor],
) -> SampleSet:
    """Inputs as the model file takes them: real values if it normalizes them, else the device's
    integers or their real values."""
    taken, file = [], []
    for real, x, tensor in zip(reals, device, tensors, strict=True):
        values: npt.NDArray[np.generic] = x.view(tensor.dtype.value_numpy)
        if tensor.normalization is not None:
            values = real.astype(np.float32)
            x = Boundary(tensor).quantize(values, "x").integers
        elif tensor.float_border:
            values = reference.dequantize(x, tensor.scale, tensor.zero_point)
        taken.append(x)
        file.append(values)
    return SampleSet(source, tuple(file), tuple(taken))


def real_units(x: npt.NDArray[Any], tensor: Tensor, pixel_scale: float) -> npt.NDArray[Any]:
    """Real values. Pixels (uint8) are scaled to the range in which models are usually trained,
    unless the model normalizes its inputs itself."""
    if x.dtype != np.uint8 or (tensor.normalization is not None and pixel_scale == PIXEL_SCALE):
        return x
    return x.astype(np.float32) * np.float32(pixel_scale)


def _in_units(x: Ints, tensor: Tensor) -> npt.NDArray[np.float32]:
    """Real values for about these integers, in the units of a model that normalizes."""
    reals = reference.dequantize(x, tensor.scale, tensor.zero_point)
    if tensor.normalization is None:
        return reals
    at = np.arange(x.shape[1]) % len(tensor.normalization.sub)
    sub, mul = tensor.normalization.sub[at], tensor.normalization.mul[at]
    units: npt.NDArray[np.float32] = reals / np.where(mul == 0, np.float32(1), mul) + sub
    return units


def batched(x: Ints, tensor: Tensor) -> Ints:
    """[n, elems] as a batch of the tensor's shape, as `byteprop.Model.run` takes it.

    The first axis is the batch; a model made for a fixed batch has it n times side by side.
    """
    values = x.view(tensor.dtype.value_numpy) if tensor.dtype is DType.INT16 else x
    return values.reshape(-1, *tensor.value_shape[1:])


def limits(dtype: DType) -> tuple[int, int]:
    """The least and the greatest element."""
    return (0, 255) if dtype is DType.UINT8 else (-128, 127)


def to_codes(real: npt.NDArray[np.float32], tensor: Tensor) -> Ints:
    """The integers whose dequantised values these are, bit for bit.

    Raises ArgumentError for a value that is not one of the 256 of the tensor: rounding would hide
    a difference.
    """
    low, high = limits(tensor.dtype)
    codes = np.arange(low, high + 1).astype(tensor.dtype.numpy)
    values = reference.dequantize(codes, tensor.scale, tensor.zero_point).astype(np.float32)
    at = np.clip(np.searchsorted(values, real), 0, len(values) - 1)
    wrong = values[at] != real
    if wrong.any():
        i = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ArgumentError(
            f"sample {i[0]}: expected one of the 256 values of output {tensor.name!r}, got "
            f"{real[i]!r}"
        )
    return codes[at]
