"""Makes an int8 model of a float file and measures what that costs: `byteprop quantize`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.errors import ArgumentError
from byteprop.quantizer import FloatNetwork, LayerError, float_network, layer_errors
from byteprop.training.samples import are_labels, check_classes, labels_of
from byteprop_host.console import printable, table
from byteprop_host.data.reading import PIXEL_SCALE, Reading, labels_note, numbers_for_new
from byteprop_host.data.samples import check_lengths, inputs_of

Array = npt.NDArray[Any]
Quantizer = Callable[[FloatNetwork, Any], byteprop.Model]

_MOST_REPRESENTATIVE = 500
_CHUNK = 256
_BAR = 20  # letters of the largest error


@dataclass(frozen=True)
class Samples:
    """x: samples of each input. labels: class numbers, or None. notes: how the file was read."""

    x: tuple[Array, ...]
    labels: npt.NDArray[np.int64] | None
    source: str

    def part(self, at: npt.NDArray[np.bool_]) -> Samples:
        labels = None if self.labels is None else self.labels[at]
        return Samples(tuple(x[at] for x in self.x), labels, self.source)

    def __len__(self) -> int:
        return len(self.x[0])


@dataclass(frozen=True)
class Quantization:
    """float_accuracy, int8_accuracy: on held-out samples with labels, else None. difference: root
    mean square of int8 outputs minus float outputs, of held-out samples."""

    model: byteprop.Model
    source: str
    representative: int
    held_out: int
    float_accuracy: float | None
    int8_accuracy: float | None
    difference: float
    layers: tuple[LayerError, ...]

    @property
    def largest_error(self) -> float:
        """Of the layers."""
        return max((layer.error for layer in self.layers if layer.error is not None), default=0.0)

    def text(self) -> str:
        lines = [
            f"samples    {self.source}: {self.representative} to measure ranges, "
            f"{self.held_out} to compare",
            f"outputs    root mean square difference from the float network {self.difference:.3g}",
        ]
        if self.float_accuracy is not None and self.int8_accuracy is not None:
            before, after = self.float_accuracy, self.int8_accuracy
            lines.append(
                f"accuracy   {before:.4f} in float32, {after:.4f} in int8 "
                f"({100 * (after - before):+.2f} points)"
            )
        lines.append(f"model      arena {self.model.arena_bytes:,} bytes, {self.model.macs:,} MACs")
        return "\n".join([*lines, "", _layer_table(self.layers, self.largest_error)])

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "representative": self.representative,
            "held_out": self.held_out,
            "float_accuracy": self.float_accuracy,
            "int8_accuracy": self.int8_accuracy,
            "difference": self.difference,
            "arena_bytes": self.model.arena_bytes,
            "macs": self.model.macs,
            "layers": [asdict(layer) for layer in self.layers],
        }


def quantize_file(
    file: Path,
    data: Path,
    quantizer: Quantizer,
    *,
    samples: int | None = None,
    labels: Path | None = None,
    reading: Reading | None = None,
) -> Quantization:
    """quantizer: makes the model from the network and its representative data. Every
    second sample, or 500 at equal distances, are representative; the model is compared on the
    others."""
    network = float_network(file)
    found = _samples(network, data, samples, labels, reading or Reading())
    if len(found) < 2:
        raise ArgumentError(f"{data}: expected at least 2 samples, got {len(found)}")
    n = min(_MOST_REPRESENTATIVE, len(found) // 2)
    # From the whole file: it may be sorted by class.
    chosen = np.zeros(len(found), bool)
    chosen[np.arange(n) * len(found) // n] = True
    first, rest = found.part(chosen), found.part(~chosen)
    model = quantizer(network, list(first.x) if len(first.x) > 1 else first.x[0])
    reals = [_reals(x) for x in rest.x]
    difference, float_accuracy, int8_accuracy = _compared(network, model, reals, rest.labels)
    layers = layer_errors(network, model, reals)
    return Quantization(
        model, found.source, n, len(rest), float_accuracy, int8_accuracy, difference, layers
    )


def _samples(
    network: FloatNetwork, data: Path, n: int | None, labels: Path | None, reading: Reading
) -> Samples:
    reading.check_used(data, labels)
    inputs = [network.graph.tensors[t] for t in network.graph.inputs]
    loaded = reading.samples(data, n, inputs[0].shape[1:] if len(inputs) == 1 else None)
    answers = loaded if labels is None else reading.labels(labels, n)
    if answers.y is not None:
        check_lengths(data, len(loaded), labels or data, len(answers.y))
    shapes = [(t.name, t.shape) for t in inputs]
    columns, notes = [], list(loaded.notes)
    for x, t in zip(inputs_of(shapes, loaded.x, data), inputs, strict=True):
        numbers = numbers_for_new(x, reading, f"{data}: x")
        notes += [numbers.how] if numbers.how else []
        columns.append(numbers.x.reshape(-1, *t.shape[1:]))
    notes += labels_note(answers.classes)
    source = "; ".join([f"{len(loaded)} from {data}", *dict.fromkeys(notes)])
    return Samples(tuple(columns), _labels(network, columns, answers, labels or data), source)


def _labels(
    network: FloatNetwork, columns: list[Array], answers: Any, path: Path
) -> npt.NDArray[np.int64] | None:
    """Class numbers, if the file has such and the network has one output per class."""
    if answers.y is None or len(network.graph.outputs) > 1:
        return None
    classes = _run(network, [_reals(x[:1]) for x in columns]).size
    if classes < 2 or not are_labels(answers.y, classes):
        return None
    if answers.classes is not None:
        check_classes(answers.classes, classes, f"{path}: y")
    return labels_of(answers.y, classes, f"{path}: y").astype(np.int64)


def _reals(x: Array) -> Array:
    """float32; pixels (uint8) are 0 to 1."""
    if x.dtype == np.uint8:
        return x.astype(np.float32) * np.float32(PIXEL_SCALE)
    return x.astype(np.float32)


def _run(network: FloatNetwork, x: list[Array]) -> Array:
    """All outputs of each sample, [n, elems]."""
    outputs = network.run(x if len(x) > 1 else x[0])
    columns = outputs if isinstance(outputs, list) else [outputs]
    return np.concatenate([y.reshape(len(x[0]), -1) for y in columns], axis=1)


def _compared(
    network: FloatNetwork, model: byteprop.Model, x: list[Array], labels: Array | None
) -> tuple[float, float | None, float | None]:
    """Difference of the outputs, and accuracy of both."""
    n, squares, elems, right = len(x[0]), 0.0, 0, np.zeros(2, np.int64)
    for i in range(0, n, _CHUNK):
        some = [column[i : i + _CHUNK] for column in x]
        expected = _run(network, some).astype(np.float64)
        outputs = model.predict(some if len(some) > 1 else some[0])
        columns = outputs if isinstance(outputs, tuple) else (outputs,)
        got = np.concatenate([y.reshape(len(expected), -1) for y in columns], axis=1)
        squares += float(np.sum((got - expected) ** 2))
        elems += expected.size
        if labels is not None:
            answers = (expected.argmax(axis=1), got.argmax(axis=1))
            right += [int(np.sum(a == labels[i : i + _CHUNK])) for a in answers]
    difference = float(np.sqrt(squares / elems))
    return (difference, None, None) if labels is None else (difference, *(right / n).tolist())


def _layer_table(layers: tuple[LayerError, ...], most: float) -> str:
    rows = [
        [
            f"{layer.index} {printable(layer.tensor)[-40:]}",
            layer.op,
            "x".join(map(str, layer.shape)),
            "" if layer.error is None else f"{100 * layer.error:.2f}%",
            "" if layer.saturated is None else f"{100 * layer.saturated:.2f}%",
            "#" * round(_BAR * (layer.error or 0.0) / most) if most else "",
        ]
        for layer in layers
    ]
    header = ["layer", "op", "output shape", "error", "saturated", "error as a bar"]
    return table(rows, header=header, right=frozenset({3, 4}))
