"""The arena planner: the address of each tensor in the one block of RAM that inference needs.

Tensors that share their bytes form a buffer: a RESHAPE's output is its input, and an element-wise
op writes over its input when no op reads that afterwards. Scratch memory of an op is a buffer that
is alive while the op runs; state is alive always. Buffers that are alive at the same time must not
overlap. For a chain of layers the result is the smallest there is: the largest sum of two
neighbours, each rounded up to 4 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from byteprop.graph import Graph
from byteprop.graph.tensor import Kind, Op
from byteprop.ops import place, spec_of
from byteprop.ops.spec import InPlace

ALIGNMENT = 4
_BEFORE_FIRST_OP = -1


@dataclass(frozen=True)
class Scratch:
    """Memory that one op takes while it runs."""

    op: int
    size: int
    offset: int


@dataclass(frozen=True)
class Plan:
    """Arena offset of each tensor (0 for constants) and of scratch memory, and the arena's size."""

    offsets: tuple[int, ...]
    scratch: tuple[Scratch, ...]
    arena_bytes: int


@dataclass(frozen=True)
class Lifetime:
    """From the op that writes a tensor to the last op that reads it, both included. Graph inputs
    are written before op 0; graph outputs are read after the last op."""

    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last

    def union(self, other: Lifetime) -> Lifetime:
        return Lifetime(min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True)
class _Buffer:
    size: int
    life: Lifetime


def plan(graph: Graph) -> Plan:
    """Offsets of all tensors. A graph that branches is placed in two ways, and the smaller kept."""
    owner, buffers = _buffers(graph)
    scratch = _scratch(graph)
    buffers += [_Buffer(_round_up(size), Lifetime(op, op)) for op, size in scratch]
    offsets = _placed(buffers)
    behind = offsets[len(offsets) - len(scratch) :]
    return Plan(
        tuple(0 if b is None else offsets[b] for b in owner),
        tuple(Scratch(*s, offset) for s, offset in zip(scratch, behind, strict=True)),
        _end(buffers, offsets),
    )


def _placed(buffers: Sequence[_Buffer]) -> list[int]:
    fullest = _fullest_moment(buffers)
    offsets = _place_from_both_ends(buffers, fullest)
    if offsets is not None:
        return offsets
    placements = (_place_by_size(buffers), _place_by_time(buffers))
    return min(placements, key=lambda placement: _end(buffers, placement))


def _scratch(graph: Graph) -> list[tuple[int, int]]:
    """Index and scratch bytes of each op that takes some."""
    sizes = (spec_of(op).scratch_bytes(place(graph.tensors, op)) for op in graph.ops)
    return [(index, size) for index, size in enumerate(sizes) if size]


def lifetimes(graph: Graph) -> list[Lifetime]:
    """Lifetime of each tensor; an op or the graph's boundary uses each of them."""
    end = len(graph.ops)
    first = dict.fromkeys(graph.inputs, _BEFORE_FIRST_OP)
    last = dict(first)
    for index, op in enumerate(graph.ops):
        for t in (*op.inputs, *op.outputs):
            last[t] = index
            first.setdefault(t, index)
    last.update(dict.fromkeys(graph.outputs, end))
    for t, tensor in enumerate(graph.tensors):
        if tensor.kind is not Kind.ACTIVATION:
            first[t], last[t] = _BEFORE_FIRST_OP, end
    return [Lifetime(first[t], last[t]) for t in range(len(graph.tensors))]


def _buffers(graph: Graph) -> tuple[list[int | None], list[_Buffer]]:
    """Buffer index of each tensor, None for a constant; and the buffers."""
    lives = lifetimes(graph)
    life = list(lives)
    head = list(range(len(graph.tensors)))
    for index, op in enumerate(graph.ops):
        dying = [t for t in op.inputs if life[head[t]].last == index]
        if (shared := _shared_input(graph, op, dying)) is not None:
            source = head[shared]
            head[op.outputs[0]] = source
            life[source] = life[source].union(lives[op.outputs[0]])
    order = [h for h in sorted(set(head)) if graph.tensors[h].kind is not Kind.CONSTANT]
    number = {h: i for i, h in enumerate(order)}
    buffers = [_Buffer(_round_up(graph.tensors[h].elems), life[h]) for h in order]
    return [number.get(h) for h in head], buffers


def _shared_input(graph: Graph, op: Op, dying: Sequence[int]) -> int | None:
    """The tensor whose bytes output 0 gets. dying: the inputs that nobody reads afterwards."""
    spec = spec_of(op)
    if spec.in_place is InPlace.ALIAS:
        candidates = [op.inputs[0]]
    else:
        overwritten = spec.overwrites(place(graph.tensors, op))
        candidates = [op.inputs[i] for i in overwritten if op.inputs[i] in dying]
    if graph.tensors[op.outputs[0]].kind is not Kind.ACTIVATION:
        return None
    activations = (t for t in candidates if graph.tensors[t].kind is Kind.ACTIVATION)
    return next(activations, None)


def _round_up(n_bytes: int) -> int:
    return -(-n_bytes // ALIGNMENT) * ALIGNMENT


def _fullest_moment(buffers: Sequence[_Buffer]) -> int:
    """Bytes alive at once, at most. No plan needs less."""
    change: dict[int, int] = {}
    for b in buffers:
        change[b.life.first] = change.get(b.life.first, 0) + b.size
        change[b.life.last + 1] = change.get(b.life.last + 1, 0) - b.size
    alive = most = 0
    for moment in sorted(change):
        alive += change[moment]
        most = max(most, alive)
    return most


def _end(buffers: Sequence[_Buffer], offsets: Sequence[int]) -> int:
    return max((o + b.size for o, b in zip(offsets, buffers, strict=True)), default=0)


def _place_from_both_ends(buffers: Sequence[_Buffer], arena_bytes: int) -> list[int] | None:
    """Buffers in the order of their birth, by turns at the bottom and at the top of the arena: a
    chain fits exactly. None when two that live together overlap."""
    offsets = [0] * len(buffers)
    for turn, i in enumerate(_by_birth(buffers)):
        offsets[i] = 0 if turn % 2 == 0 else arena_bytes - buffers[i].size
    return offsets if _is_free_of_overlaps(buffers, offsets) else None


def _place_by_size(buffers: Sequence[_Buffer]) -> list[int]:
    """The largest first, each in the lowest gap."""
    return _first_fit(buffers, sorted(range(len(buffers)), key=lambda i: -buffers[i].size))


def _place_by_time(buffers: Sequence[_Buffer]) -> list[int]:
    """In the order of their birth, each in the lowest gap."""
    return _first_fit(buffers, _by_birth(buffers))


def _by_birth(buffers: Sequence[_Buffer]) -> list[int]:
    return sorted(range(len(buffers)), key=lambda i: buffers[i].life.first)


def _first_fit(buffers: Sequence[_Buffer], order: Sequence[int]) -> list[int]:
    offsets = [0] * len(buffers)
    placed: list[int] = []
    for i in order:
        rivals = [j for j in placed if buffers[j].life.overlaps(buffers[i].life)]
        offset = 0
        for j in sorted(rivals, key=lambda j: offsets[j]):
            if offset + buffers[i].size <= offsets[j]:
                break
            offset = max(offset, offsets[j] + buffers[j].size)
        offsets[i] = offset
        placed.append(i)
    return offsets


def _is_free_of_overlaps(buffers: Sequence[_Buffer], offsets: Sequence[int]) -> bool:
    """Whether buffers that are alive at the same time do not overlap."""
    alive: list[int] = []
    for i in _by_birth(buffers):
        alive = [j for j in alive if buffers[j].life.overlaps(buffers[i].life)]
        for j in alive:
            apart = (
                offsets[i] + buffers[i].size <= offsets[j]
                or offsets[j] + buffers[j].size <= offsets[i]
            )
            if not apart:
                return False
        alive.append(i)
    return True
