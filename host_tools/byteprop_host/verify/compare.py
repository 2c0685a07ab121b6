"""Compares a board's bytes with a reference: every output, then layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

import byteprop.reference
from byteprop.graph import Graph, Tensor
from byteprop_host.data.samples import Ints, SampleSet, batched

MAX_LISTED = 20
"""Differences that are listed; all of them are counted."""


@dataclass(frozen=True)
class Difference:
    """One output value that differs."""

    sample: int
    output: str
    position: tuple[int, ...]
    board: int
    reference: int

    def __str__(self) -> str:
        return (
            f"sample {self.sample}, output {self.output!r} at {list(self.position)}: "
            f"board {self.board}, reference {self.reference}"
        )


@dataclass(frozen=True)
class LayerDifference:
    """The first op whose result differs, for one sample; its inputs were equal. position: in the
    file's tensor."""

    sample: int
    op_index: int
    op: str
    tensor: str
    position: tuple[int, ...]
    board: int
    reference: int
    n_different: int
    n_elems: int

    def __str__(self) -> str:
        return (
            f"layer {self.op_index} ({self.op}, {self.tensor!r}) at {list(self.position)}: "
            f"board {self.board}, reference {self.reference} "
            f"({self.n_different} of {self.n_elems} values differ)"
        )


@dataclass(frozen=True)
class Comparison:
    """Counts, and the first differences."""

    n_samples: int
    samples_different: int
    bytes_total: int
    bytes_different: int
    differences: tuple[Difference, ...]

    @property
    def identical(self) -> bool:
        return self.bytes_different == 0 and self.samples_different == 0

    @property
    def samples_identical(self) -> int:
        return self.n_samples - self.samples_different

    @property
    def bytes_identical(self) -> int:
        return self.bytes_total - self.bytes_different


class LayerDevice(Protocol):
    """The part of a Device that locating a layer needs."""

    def write_state(self, state: bytes) -> None: ...

    def infer_upto(self, inputs: bytes, n_ops: int) -> None: ...

    def read_tensor(self, index: int, n: int) -> bytes: ...


def compare_outputs(
    graph: Graph, got: Sequence[Ints], expected: Sequence[Ints], *, first_sample: int = 0
) -> Comparison:
    """Compares every value of every output [n, elems]."""
    n = len(expected[0])
    wrong_samples = np.zeros(n, dtype=bool)
    total = different = 0
    listed: list[Difference] = []
    for index, a, b in zip(graph.outputs, got, expected, strict=True):
        tensor = graph.tensors[index]
        wrong = a != b
        wrong_samples |= wrong.any(axis=1)
        total += wrong.size * tensor.dtype.width
        different += int(np.count_nonzero(_bytes(a, tensor) != _bytes(b, tensor)))
        for sample, at in np.argwhere(wrong)[:MAX_LISTED]:
            position = _position(int(at), tensor.value_shape)
            listed.append(
                Difference(
                    first_sample + int(sample),
                    tensor.name,
                    position,
                    int(a[sample, at]),
                    int(b[sample, at]),
                )
            )
    listed.sort(key=lambda d: d.sample)
    return Comparison(n, int(wrong_samples.sum()), total, different, tuple(listed[:MAX_LISTED]))


def _bytes(values: Ints, tensor: Tensor) -> Ints:
    return np.ascontiguousarray(values.astype(tensor.dtype.value_numpy)).view(np.uint8)


def first_different_layer(
    device: LayerDevice,
    graph: Graph,
    samples: SampleSet,
    sample: int,
    hidden: Collection[int] = (),
) -> LayerDifference | None:
    """Runs the board op by op on one sample against the NumPy reference. Where the model has state,
    both begin with that which the reference has before this sample. hidden: tensors that the board
    never has as a whole; the next one that it has is compared.

    None: every layer equals the reference.
    """
    states = _states_before(graph, samples, sample)
    if states:
        device.write_state(b"".join(state.tobytes() for state in states.values()))
    layers = byteprop.reference.run_layers(graph, _inputs(graph, samples, sample), states=states)
    for k, (op, layer) in enumerate(zip(graph.ops, layers, strict=True)):
        if op.output in hidden:
            continue
        expected = layer.reshape(-1)
        tensor = graph.tensors[op.output]
        device.infer_upto(samples.bytes_of(sample), k + 1)
        raw = device.read_tensor(op.output, tensor.elems)
        got = np.frombuffer(raw, dtype=tensor.dtype.value_numpy)
        wrong = np.flatnonzero(got != expected)
        if wrong.size:
            at = int(wrong[0])
            return LayerDifference(
                sample,
                k,
                type(op).__name__,
                tensor.name,
                _position_in_file(at, tensor),
                int(got[at]),
                int(expected[at]),
                int(wrong.size),
                tensor.elems,
            )
    return None


def _inputs(graph: Graph, samples: SampleSet, sample: int) -> list[Ints]:
    return [
        batched(x[sample : sample + 1], graph.tensors[i])
        for i, x in zip(graph.inputs, samples.device, strict=True)
    ]


def _states_before(graph: Graph, samples: SampleSet, sample: int) -> dict[int, Ints]:
    """The values of each state, by tensor, before this sample."""
    states = byteprop.reference.first_states(graph)
    for i in range(sample if states else 0):
        states = byteprop.reference.run_states(graph, _inputs(graph, samples, i), states)
    return states


def _position_in_file(at: int, tensor: Tensor) -> tuple[int, ...]:
    """Where the file's tensor has this value, also where the importer left channels out."""
    position = _position(at, tensor.value_shape)
    if tensor.channels is None:
        return position
    return (*position[:-1], tensor.channels[position[-1]])


def _position(at: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(at, shape)) if shape else ()
