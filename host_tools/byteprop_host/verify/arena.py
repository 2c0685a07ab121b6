"""The map of a model's arena: who has which bytes of RAM, and while which layers run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from byteprop.graph import Graph
from byteprop.graph.tensor import Kind
from byteprop.image import arena
from byteprop.image.plan import lifetimes


@dataclass(frozen=True)
class Occupied:
    """Bytes of the arena, while the layers first to last run, both included. name: of the tensor;
    scratch memory has none."""

    name: str
    is_scratch: bool
    offset: int
    size: int
    first: int
    last: int

    @property
    def end(self) -> int:
        return self.offset + self.size

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def arena_map(graph: Graph, image: bytes) -> tuple[Occupied, ...]:
    """All activations, states and scratch memory of a model, whose image this is."""
    planned = arena(image)
    final = len(graph.ops) - 1
    found = [
        Occupied(
            tensor.name,
            False,
            offset,
            tensor.arena_bytes,
            max(life.first, 0),
            min(life.last, final),
        )
        for tensor, offset, life in zip(
            graph.tensors, planned.offsets, lifetimes(graph), strict=True
        )
        if tensor.kind is not Kind.CONSTANT
    ]
    found += [Occupied("", True, s.offset, s.size, s.op, s.op) for s in planned.scratch]
    return tuple(found)


def bytes_in_use(occupied: Sequence[Occupied], layer: int) -> int:
    """Bytes of the arena that have a meaning while a layer runs; tensors may share some."""
    alive = sorted((o.offset, o.end) for o in occupied if o.first <= layer <= o.last)
    total = up_to = 0
    for begin, end in alive:
        total += max(end - max(begin, up_to), 0)
        up_to = max(up_to, end)
    return total
