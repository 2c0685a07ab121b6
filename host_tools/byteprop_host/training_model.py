"""What is to be trained: a model file, or a network described by its sizes; with samples as its
integers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop import image
from byteprop._boundary import Boundary
from byteprop.errors import ArgumentError
from byteprop.graph import Dense, Graph
from byteprop.samples import Samples, encode, has_classes
from byteprop_host.samples import PIXEL_SCALE, real_units
from byteprop_host.training_data import Parts, RawPart

Range = tuple[float, float]


@dataclass(frozen=True)
class Subject:
    """file or net: one of the two. Ranges are for `net`; None: taken from the samples."""

    file: Path | None = None
    net: str | None = None
    input_range: Range | None = None
    output_range: Range | None = None
    pixel_scale: float = PIXEL_SCALE

    @property
    def name(self) -> str:
        return str(self.file) if self.file is not None else f"{self.net} from random weights"


@dataclass(frozen=True)
class Encoded:
    """A part in the model's integers; beside it the labels or values that it was made from."""

    name: str
    samples: Samples
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.samples)


def make_model(subject: Subject, parts: Parts, *, seed: int) -> byteprop.Model:
    """Loads the file, or makes the network with weights by `seed`."""
    if (subject.file is None) == (subject.net is None):
        raise ArgumentError("wanted either --model FILE or --net SIZES, such as --net 784-20-10")
    if subject.file is not None:
        if subject.input_range or subject.output_range:
            raise ArgumentError("--input-range, --output-range: a model file has its own scales")
        return byteprop.load(subject.file)
    return _from_scratch(subject, parts, seed)


def _from_scratch(subject: Subject, parts: Parts, seed: int) -> byteprop.Model:
    text = subject.net or ""
    if not re.fullmatch(r"\d+(-\d+)+", text):
        raise ArgumentError(f"--net: wanted sizes from input to output as 784-20-10, given {text}")
    n_in, *units = map(int, text.split("-"))
    training = parts.training
    if training.x.shape[1] != n_in:
        raise ArgumentError(
            f"--net: {text} takes {n_in} values, but a sample of {training.source} has "
            f"{training.x.shape[1]}"
        )
    classes = _are_labels(training.y) and units[-1] > 1
    last = "softmax" if classes else "linear"
    layers = [
        byteprop.Dense(n, "relu" if i < len(units) - 1 else last) for i, n in enumerate(units)
    ]
    net = byteprop.Sequential(
        layers,
        input_shape=(n_in,),
        input_range=subject.input_range,
        output_range=subject.output_range,
        seed=seed,
    )
    try:
        net.calibrate(training.x, training.y, seed=seed)
    except ArgumentError as error:
        raise ArgumentError(f"{training.source}: {error}") from None
    return net


def _are_labels(y: npt.NDArray[Any]) -> bool:
    flat = y.reshape(len(y), -1)
    return flat.shape[1] == 1 and bool(np.array_equal(flat, np.trunc(flat)))


def encode_part(
    model: byteprop.Model, part: RawPart, *, pixel_scale: float = PIXEL_SCALE
) -> Encoded:
    """A part in the model's integers. Bytes of the input's own type are taken as they are, uint8 as
    pixels, all else as real values; where the model normalises, everything is a real value."""
    tensor = model.graph.tensors[model.graph.inputs[0]]
    if part.x.shape[1] != tensor.elems:
        raise ArgumentError(
            f"{part.source}: a sample has {part.x.shape[1]} values, but the model takes "
            f"{tensor.elems}; give samples cut for this model"
        )
    shape = (-1, *tensor.shape[1:])
    names = (f"{part.source}: x", f"{part.source}: y")
    x, y = part.x, part.y
    # What ends in a softmax takes labels in any integer type and in floats that are whole.
    own_type = x.dtype == tensor.dtype.numpy and tensor.normalization is None
    if own_type and x.dtype.kind == "i":
        zeros = np.zeros((len(x), *tensor.shape[1:]), np.float32)
        answers = encode(model, zeros, y, names=names)
        return Encoded(part.name, Samples(x.view(np.uint8), answers.y), y)
    fits = Boundary(tensor).takes_pixels and pixel_scale == PIXEL_SCALE
    if not fits:
        x = real_units(x, tensor, pixel_scale)
    return Encoded(part.name, encode(model, x.reshape(shape), y, names=names), y)


def strip_names(model: byteprop.Model) -> tuple[str, ...]:
    """Takes the tensors' names out of a model, which a board has no room for; gives them back."""
    names = tuple(tensor.name for tensor in model.graph.tensors)
    bare = with_names(model.graph, ("",) * len(names))
    model._adopt(bare, image.encode(bare), None, None)
    return names


def with_names(graph: Graph, names: tuple[str, ...]) -> Graph:
    tensors = tuple(replace(t, name=n) for t, n in zip(graph.tensors, names, strict=True))
    return replace(graph, tensors=tensors)


def sizes_text(graph: Graph) -> str:
    """As 784-20-10."""
    layers = [op.weights.shape for op in graph.ops if isinstance(op, Dense)]
    return "-".join(str(n) for n in (layers[0][1], *(shape[0] for shape in layers)))


def loss_text(graph: Graph) -> str:
    return "softmax and cross-entropy" if has_classes(graph) else "mean squared error"
