"""Windows of a signal from files, in a model's integers, and which of them have a fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.errors import ArgumentError
from byteprop.graph import DType
from byteprop.graph.boundary import Boundary
from byteprop.training.samples import encode_inputs
from byteprop_host.data.reading import PIXEL_SCALE, Reading, numbers_for
from byteprop_host.data.samples import check_lengths, real_units

NORMAL = "normal"  # the class of windows in order, where classes have words; else 0


@dataclass(frozen=True)
class Windows:
    """rows: uint8 [n, input bytes]. is_fault: of each; None where the file does not say."""

    source: str
    rows: npt.NDArray[np.uint8]
    is_fault: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def in_order(self) -> Windows:
        """Those without a fault."""
        if self.is_fault is None:
            return self
        return Windows(self.source, np.ascontiguousarray(self.rows[~self.is_fault]))


def read_windows(
    model: byteprop.Model,
    path: Path,
    reading: Reading,
    *,
    labels: Path | None = None,
    limit: int | None = None,
) -> Windows:
    """In the order of the file."""
    tensor = model.graph.tensors[model.graph.inputs[0]]
    samples = reading.samples(path, limit, tensor.shape[1:])
    answers = samples if labels is None else reading.labels(labels, limit)
    if len(samples.x) == 0:
        raise ArgumentError(f"{path}: expected windows, got none")
    if tensor.dtype is DType.INT16:
        raise ArgumentError(
            f"{path}: expected a model with an input of 8 bits or float32, got {tensor.name!r} of "
            "int16; use a model that takes features of int8"
        )
    x = np.ascontiguousarray(samples.x.reshape(len(samples.x), -1))
    if x.shape[1] != tensor.elems:
        raise ArgumentError(
            f"{path}: expected {tensor.elems} values per window, got {x.shape[1]}; use windows "
            "with the model's input size"
        )
    rows = _in_integers(model, numbers_for(tensor, x, reading, f"{path}: x").x, str(path))
    if answers.y is None:
        return Windows(str(path), rows)
    check_lengths(path, len(rows), labels or path, len(answers.y))
    return Windows(str(path), rows, _faults(answers.y, answers.classes, str(labels or path)))


def _in_integers(model: byteprop.Model, x: npt.NDArray[Any], source: str) -> npt.NDArray[np.uint8]:
    tensor = model.graph.tensors[model.graph.inputs[0]]
    if x.dtype == tensor.dtype.numpy and tensor.normalization is None and x.dtype.kind == "i":
        return x.view(np.uint8)
    if not Boundary(tensor).takes_pixels:
        x = real_units(x, tensor, PIXEL_SCALE)
    return encode_inputs(model, x.reshape((-1, *tensor.shape[1:])), f"{source}: x")


def _faults(
    y: npt.NDArray[Any], classes: tuple[str, ...] | None, source: str
) -> npt.NDArray[np.bool_]:
    if y.ndim != 1:
        raise ArgumentError(f"{source}: expected one label per window, got shape {y.shape}")
    normal = 0
    if classes is not None:
        words = [word.casefold() for word in classes]
        if NORMAL not in words:
            raise ArgumentError(
                f"{source}: expected a class named {NORMAL}, all others being faults, got "
                f"{', '.join(classes)}"
            )
        normal = words.index(NORMAL)
    return np.asarray(y != normal, np.bool_)
