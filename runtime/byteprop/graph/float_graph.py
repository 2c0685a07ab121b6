"""A network in floating point, before it is quantised: tensors and ops, as a .tflite file has them,
with all arithmetic on shapes done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

NO_TENSOR = -1
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FloatTensor:
    """shape: of an input, with the file's batch; what ops compute has the shape that they give it.
    data: of a constant, float or int64."""

    name: str
    shape: tuple[int, ...] = ()
    data: Array | None = None

    @property
    def is_index(self) -> bool:
        """Whether it has integers: sizes, axes, positions."""
        return self.data is not None and self.data.dtype.kind == "i"


@dataclass(frozen=True)
class Node:
    """name: of the op, as the schema has it. inputs: tensors, NO_TENSOR for one that is left out.
    options: the fields of its table of options."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FloatGraph:
    """Nodes in an order in which they can run."""

    tensors: tuple[FloatTensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def numbers(self, indices: tuple[int, ...]) -> Iterator[int]:
        """Of these tensors those with floating point numbers, constants included."""
        for t in indices:
            if t != NO_TENSOR and not self.tensors[t].is_index:
                yield t

    def activations(self, indices: tuple[int, ...]) -> Iterator[int]:
        """Of these tensors those that are computed, or inputs."""
        return (t for t in self.numbers(indices) if self.tensors[t].data is None)

    def readers(self) -> Counter[int]:
        """How often each tensor is read; an output of the graph counts as read once."""
        found = Counter(t for node in self.nodes for t in node.inputs)
        found.update(self.outputs)
        return found
