"""The model to train, from a file or by the sizes of a new network, and samples in its integers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop import image
from byteprop.errors import ArgumentError
from byteprop.graph import Graph
from byteprop.graph.boundary import Boundary
from byteprop.ops import Dense, Rescale, Reshape, Softmax
from byteprop.training.samples import (
    Samples,
    are_labels,
    check_classes,
    encode,
    has_classes,
    n_outputs,
)
from byteprop_host.data.reading import PIXEL_SCALE, Numbers, Reading, numbers_for, numbers_for_new
from byteprop_host.data.samples import real_units
from byteprop_host.training.data import Parts, RawPart

Array = npt.NDArray[Any]
Range = tuple[float, float]


@dataclass(frozen=True)
class Subject:
    """file or net: one of the two. Ranges are for `net`; None: taken from the samples.
    keep_dead_channels: of the file, as byteprop.load has it."""

    file: Path | None = None
    net: str | None = None
    input_range: Range | None = None
    output_range: Range | None = None
    keep_dead_channels: bool = False

    @property
    def name(self) -> str:
        return str(self.file) if self.file is not None else f"{self.net} from random weights"

    def sample_shape(self) -> tuple[int, ...] | None:
        """Of the input; None where it is not one, or not known."""
        if self.file is not None:
            graph = byteprop.load(self.file, keep_dead_channels=self.keep_dead_channels).graph
            return graph.tensors[graph.inputs[0]].shape[1:] if len(graph.inputs) == 1 else None
        first = re.match(r"\d{1,9}(?=-)", self.net or "")
        return None if first is None else (int(first[0]),)


@dataclass(frozen=True)
class Encoded:
    """A part in the model's integers. y: the labels or values that it was made from."""

    name: str
    samples: Samples
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.samples)


def make_model(
    subject: Subject, parts: Parts, reading: Reading, *, seed: int
) -> tuple[byteprop.Model, Parts]:
    """Loads the file, or makes the network with weights by `seed`; and the samples as it takes
    them."""
    if (subject.file is None) == (subject.net is None):
        raise ArgumentError("expected either --model FILE or --net SIZES, such as --net 784-20-10")
    if subject.file is not None:
        if subject.input_range or subject.output_range:
            raise ArgumentError(
                "--input-range, --output-range: expected with --net, got a model file, whose "
                "scales are fixed"
            )
        model = byteprop.load(subject.file, keep_dead_channels=subject.keep_dead_channels)
        tensor = model.graph.tensors[model.graph.inputs[0]]
        _check_words(parts, n_outputs(model.graph))
        return model, _read(parts, reading, partial(numbers_for, tensor))
    parts = _read(parts, reading, numbers_for_new)
    return _from_scratch(subject, parts, seed), parts


def _check_words(parts: Parts, outputs: int) -> None:
    if parts.classes is not None:
        check_classes(parts.classes, outputs, f"{parts.training.source}: y")


def _read(
    parts: Parts, reading: Reading, numbers: Callable[[Array, Reading, str], Numbers]
) -> Parts:
    """Infers the meaning of integers from the training samples, and applies it to all parts."""
    first = numbers(parts.training.x, reading, f"{parts.training.source}: x")
    judged = replace(reading, integers=first.judged) if first.judged else reading

    def read(part: RawPart) -> Array:
        its_own = judged if part.x.dtype.kind in "iu" else reading
        return numbers(part.x, its_own, f"{part.source}: x").x

    notes = (*parts.notes, first.how) if first.how else parts.notes
    return replace(parts.converted(read), notes=notes)


def _from_scratch(subject: Subject, parts: Parts, seed: int) -> byteprop.Model:
    text = subject.net or ""
    if not re.fullmatch(r"\d+(-\d+)+", text):
        raise ArgumentError(f"--net: expected sizes from input to output as 784-20-10, got {text}")
    n_in, *units = map(int, text.split("-"))
    training = parts.training
    if training.x.shape[1] != n_in:
        raise ArgumentError(
            f"--net: expected {training.x.shape[1]} inputs as in {training.source}, got {n_in} in "
            f"{text}"
        )
    _check_words(parts, units[-1])
    classes = are_labels(training.y, units[-1])
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


def encode_part(model: byteprop.Model, part: RawPart) -> Encoded:
    """A part in the model's integers. Bytes of the input's own type are taken as they are, uint8 as
    pixels, all else as real values; where the model normalizes, everything is a real value."""
    tensor = model.graph.tensors[model.graph.inputs[0]]
    if part.x.shape[1] != tensor.elems:
        raise ArgumentError(
            f"{part.source}: expected {tensor.elems} values per sample, got {part.x.shape[1]}; use "
            "samples with the model's input size"
        )
    shape = (-1, *tensor.shape[1:])
    names = (f"{part.source}: x", f"{part.source}: y")
    x, y = part.x, part.y
    # Classes are labels in any integer type, or whole floats.
    own_type = x.dtype == tensor.dtype.numpy and tensor.normalization is None
    if own_type and x.dtype.kind == "i":
        zeros = np.zeros((len(x), *tensor.shape[1:]), np.float32)
        answers = encode(model, zeros, y, names=names)
        return Encoded(part.name, Samples(x.view(np.uint8), answers.y), y)
    if not Boundary(tensor).takes_pixels:
        x = real_units(x, tensor, PIXEL_SCALE)
    return Encoded(part.name, encode(model, x.reshape(shape), y, names=names), y)


def strip_names(model: byteprop.Model) -> tuple[str, ...]:
    """Takes the tensors' names out of a model, which a board has no room for; gives them back."""
    names = tuple(tensor.name for tensor in model.graph.tensors)
    bare = with_names(model.graph, ("",) * len(names))
    model.adopt(bare, image.encode(bare))
    return names


def with_names(graph: Graph, names: tuple[str, ...]) -> Graph:
    tensors = tuple(replace(t, name=n) for t, n in zip(graph.tensors, names, strict=True))
    return replace(graph, tensors=tensors)


def sizes_text(graph: Graph) -> str:
    """The sizes of the dense layers at the end, such as 784-20-10, and how many are before them."""
    chain, before = _dense_chain(graph)
    sizes = "-".join(str(n) for n in (chain[0][1], *(shape[0] for shape in chain)))
    return f"{before} layers, {sizes}" if before else sizes


def _dense_chain(graph: Graph) -> tuple[list[tuple[int, ...]], int]:
    """Shapes of the last dense layers, with nothing else between, and the number of other layers
    before them."""
    shapes: list[tuple[int, ...]] = []
    before = 0
    for op in graph.ops:
        if isinstance(op, Dense):
            shapes.append(op.weights.shape)
        elif not isinstance(op, (Reshape, Rescale, Softmax)):
            before += 1 + len(shapes)
            shapes = []
    return shapes, before


def loss_text(graph: Graph) -> str:
    return "softmax and cross-entropy" if has_classes(graph) else "mean squared error"
