"""The arena planner: the address of each tensor in the one block of RAM that inference needs.

Tensors that share their bytes form a buffer: a RESHAPE's output is its input, and an element-wise
op writes over its input when no op reads that afterwards. Scratch memory of an op is a buffer that
is alive while the op runs; state is alive always. Buffers that are alive at the same time must not
overlap. For a chain of layers the result is the smallest there is: the largest sum of two
neighbours, each rounded up to 4 bytes.

An op may allow that its output overlaps an input that is read for the last time, if one of them
begins so many bytes before the other that every byte has been read before it is overwritten.

Of a model that is fed row by row, all that its first ops read and write is alive until the last row
has come, and nothing of it overlaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


# Of pairs of buffers that may overlap, by how many bytes the first must begin before the second.
_Distances = Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class _Puzzle:
    """What is to be placed: buffers, and which of them may overlap while both are alive."""

    buffers: Sequence[_Buffer]
    distances: _Distances

    def forbidden(self, i: int, j: int, offset: int) -> tuple[int, int]:
        """While j is at this offset, buffer i may not be between these two, both excluded."""
        before = self.distances.get((i, j), self.buffers[i].size)
        after = self.distances.get((j, i), self.buffers[j].size)
        return offset - before, offset + after

    def end(self, offsets: Sequence[int]) -> int:
        ends = (o + b.size for o, b in zip(offsets, self.buffers, strict=True))
        return max(ends, default=0)


def plan(graph: Graph) -> Plan:
    """Offsets of all tensors. Several orders of placing them are tried, and the smallest arena is
    kept."""
    owner, buffers = _buffers(graph)
    distances = _distances(graph, owner, buffers)
    scratch = _scratch(graph)
    buffers += [_Buffer(_round_up(size), Lifetime(op, op)) for op, size in scratch]
    puzzle = _Puzzle(buffers, distances)
    offsets = _placed(puzzle, len(buffers) - len(scratch))
    behind = offsets[len(offsets) - len(scratch) :]
    return Plan(
        tuple(0 if b is None else offsets[b] for b in owner),
        tuple(Scratch(*s, offset) for s, offset in zip(scratch, behind, strict=True)),
        puzzle.end(offsets),
    )


def _placed(puzzle: _Puzzle, n_tensors: int) -> list[int]:
    """The first of the smallest. In reverse order of birth an output is placed before its input,
    because most ops require it to begin before that; scratch memory, behind the first n_tensors
    buffers, may be placed last."""
    from_both_ends = _place_from_both_ends(puzzle, _fullest_moment(puzzle.buffers))
    if from_both_ends is not None and not puzzle.distances:
        return from_both_ends
    by_birth = _by_birth(puzzle.buffers)
    by_size = sorted(range(len(puzzle.buffers)), key=lambda i: -puzzle.buffers[i].size)
    orders = [by_size, by_birth, by_birth[::-1]]
    orders += [sorted(order, key=lambda i: i >= n_tensors) for order in orders]
    placements = [] if from_both_ends is None else [from_both_ends]
    placements += [_first_fit(puzzle, order) for order in orders]
    return min(placements, key=puzzle.end)


def _distances(
    graph: Graph, owner: Sequence[int | None], buffers: Sequence[_Buffer]
) -> dict[tuple[int, int], int]:
    """Of inputs that die at an op, and the outputs that are born there."""
    found = {}
    for index, op in enumerate(graph.ops):
        overlap = spec_of(op).overlap(place(graph.tensors, op))
        x, y = owner[op.inputs[0]], owner[op.outputs[0]]
        if overlap is None or x is None or y is None or x == y:
            continue
        if buffers[x].life.last == index == buffers[y].life.first:
            pair = (y, x) if overlap.output_first else (x, y)
            found[pair] = min(_round_up(overlap.distance), buffers[pair[0]].size)
    return found


def _scratch(graph: Graph) -> list[tuple[int, int]]:
    """Index and scratch bytes of each op that takes some."""
    sizes = (spec_of(op).scratch_bytes(place(graph.tensors, op)) for op in graph.ops)
    return [(index, size) for index, size in enumerate(sizes) if size]


def lifetimes(graph: Graph) -> list[Lifetime]:
    """Lifetime of each tensor; an op or the graph's boundary uses each of them."""
    fed = fed_ops(graph)
    end = len(graph.ops)
    first = dict.fromkeys(graph.inputs, _BEFORE_FIRST_OP)
    last = dict(first)
    for index, op in enumerate(graph.ops):
        for t in (*op.inputs, *op.outputs):
            last[t] = index
            first.setdefault(t, index)
    last.update(dict.fromkeys(graph.outputs, end))
    for t, tensor in enumerate(graph.tensors):
        if tensor.kind in (Kind.CONSTANT, Kind.STATE):
            first[t], last[t] = _BEFORE_FIRST_OP, end
    for op in graph.ops[:fed]:
        first[op.inputs[0]] = first[op.outputs[0]] = _BEFORE_FIRST_OP
        last[op.inputs[0]] = fed - 1
    return [Lifetime(first[t], last[t]) for t in range(len(graph.tensors))]


def fed_ops(graph: Graph) -> int:
    """How many ops work row by row: the first ones."""
    return sum(graph.tensors[op.inputs[0]].kind is Kind.ROWS for op in graph.ops)


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
    buffers = [_Buffer(_round_up(graph.tensors[h].arena_bytes), life[h]) for h in order]
    return [number.get(h) for h in head], buffers


def _shared_input(graph: Graph, op: Op, dying: Sequence[int]) -> int | None:
    """The tensor whose bytes output 0 gets. dying: the inputs that no op reads afterwards."""
    spec = spec_of(op)
    if graph.tensors[op.inputs[0]].kind is Kind.ROWS:
        return None
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


def _place_from_both_ends(puzzle: _Puzzle, arena_bytes: int) -> list[int] | None:
    """Buffers in the order of their birth, by turns at the bottom and at the top of the arena: a
    chain fits exactly. None when two that live together overlap."""
    offsets = [0] * len(puzzle.buffers)
    for turn, i in enumerate(_by_birth(puzzle.buffers)):
        offsets[i] = 0 if turn % 2 == 0 else arena_bytes - puzzle.buffers[i].size
    return offsets if _is_free_of_overlaps(puzzle, offsets) else None


def _by_birth(buffers: Sequence[_Buffer]) -> list[int]:
    return sorted(range(len(buffers)), key=lambda i: buffers[i].life.first)


def _first_fit(puzzle: _Puzzle, order: Sequence[int]) -> list[int]:
    """Each in the lowest gap."""
    offsets = [0] * len(puzzle.buffers)
    placed: list[int] = []
    for i in order:
        life = puzzle.buffers[i].life
        rivals = [j for j in placed if puzzle.buffers[j].life.overlaps(life)]
        offset = 0
        for low, high in sorted(puzzle.forbidden(i, j, offsets[j]) for j in rivals):
            if low < offset < high:
                offset = high
        offsets[i] = offset
        placed.append(i)
    return offsets


def _is_free_of_overlaps(puzzle: _Puzzle, offsets: Sequence[int]) -> bool:
    """Whether buffers that live together are far enough apart."""
    alive: list[int] = []
    for i in _by_birth(puzzle.buffers):
        life = puzzle.buffers[i].life
        alive = [j for j in alive if puzzle.buffers[j].life.overlaps(life)]
        for j in alive:
            low, high = puzzle.forbidden(i, j, offsets[j])
            if low < offsets[i] < high:
                return False
        alive.append(i)
    return True
