"""States that have the last values of a sequence are kept in place.

Streaming models have, for each layer that looks back, a variable with the last values: they append
new ones, compute with all of them, and assign the last of them to the variable again. One state
with all of them and PUSH stand for that: no second copy, and nothing is moved twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from byteprop.graph import Graph, Kind
from byteprop.graph.tensor import Op, Tensor
from byteprop.importer.passes.unread import compact
from byteprop.ops import Concatenate, Reshape, Slice
from byteprop.ops.push import Push, push_axis


@dataclass(frozen=True)
class _Ring:
    """state: the variable. window: the tensor with all values, which becomes the state. values: the
    new ones. gone: ops that are no longer there; joined: the one that becomes PUSH."""

    state: int
    window: int
    values: int
    joined: int
    gone: frozenset[int]


def with_rings(graph: Graph) -> Graph:
    """The graph with PUSH wherever that is the same."""
    uses = _Uses(graph)
    found = [ring for i in range(len(graph.ops)) if (ring := _ring_of(graph, uses, i)) is not None]
    if not found:
        return graph
    pushes = {r.joined: Push(r.window, r.window, r.values) for r in found}
    gone = frozenset().union(*(r.gone for r in found))
    ops = [pushes.get(i, op) for i, op in enumerate(graph.ops) if i not in gone]
    tensors = list(graph.tensors)
    for r in found:
        data = _first_values(graph.tensors[r.state], graph.tensors[r.window])
        tensors[r.window] = replace(tensors[r.window], kind=Kind.STATE, data=data)
    return compact(graph, tensors, ops)


def _first_values(state: Tensor, window: Tensor) -> bytes:
    """With those of the state last; the ones before them are pushed out by the first new values."""
    before = np.full(window.elems - state.elems, window.zero_point, window.dtype.numpy)
    return before.tobytes() + state.data if state.data else b""


def _ring_of(graph: Graph, uses: _Uses, index: int) -> _Ring | None:
    """The ring whose variable op `index` assigns."""
    assign = graph.ops[index]
    if not isinstance(assign, Reshape) or not _is_state(graph, assign.output):
        return None
    return _slice_assigned(graph, uses, index, assign) or _all_assigned(graph, uses, index, assign)


class _Uses:
    """Who writes and reads the tensors of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.writers = {t: i for i, op in enumerate(graph.ops) for t in op.outputs}
        self.n_writers = Counter(t for op in graph.ops for t in op.outputs)
        self.n_readers = Counter(t for op in graph.ops for t in op.inputs)

    def writer(self, t: int, kind: type[Op]) -> int | None:
        """The op that writes a tensor, if it is of this kind."""
        i = self.writers.get(t)
        return i if i is not None and isinstance(self.graph.ops[i], kind) else None

    def is_private(self, t: int) -> bool:
        """One op writes it and one reads it."""
        return (
            self.n_writers[t] == self.n_readers[t] == 1
            and t not in self.graph.outputs
            and t not in self.graph.inputs
        )


def _slice_assigned(graph: Graph, uses: _Uses, index: int, assign: Reshape) -> _Ring | None:
    """window = state + new; state = the last of window."""
    state, part = assign.output, assign.input
    cut = uses.writer(part, Slice)
    if cut is None or not uses.is_private(part) or not uses.is_private(state):
        return None
    window = graph.ops[cut].inputs[0]
    joined = uses.writer(window, Concatenate)
    values = _appended(graph, joined, state)
    if values is None or window in graph.outputs or not _is_tail(graph, graph.ops[cut]):
        return None
    if graph.tensors[state].elems != graph.tensors[part].elems or joined is None:
        return None
    return _Ring(state, window, values, joined, frozenset({cut, index}))


def _all_assigned(graph: Graph, uses: _Uses, index: int, assign: Reshape) -> _Ring | None:
    """window = the last of state + new; state = window."""
    state, window = assign.output, assign.input
    joined = uses.writer(window, Concatenate)
    if joined is None or window in graph.outputs or not uses.is_private(state):
        return None
    part = graph.ops[joined].inputs[0]
    cut = uses.writer(part, Slice)
    values = _appended(graph, joined, part)
    if values is None or cut is None or not uses.is_private(part):
        return None
    if graph.ops[cut].inputs[0] != state or not _is_tail(graph, graph.ops[cut]):
        return None
    if graph.tensors[state].elems != graph.tensors[window].elems:
        return None
    return _Ring(state, window, values, joined, frozenset({cut, index}))


def _appended(graph: Graph, joined: int | None, first: int) -> int | None:
    """What a CONCATENATION appends to this tensor, one value after the other."""
    if joined is None:
        return None
    op = graph.ops[joined]
    if not isinstance(op, Concatenate) or op.inputs[0] != first or len(op.inputs) != 2:
        return None
    window, values = graph.tensors[op.output], graph.tensors[op.inputs[1]]
    is_pushed = values.kind is Kind.ACTIVATION and op.inputs[1] != first
    return op.inputs[1] if is_pushed and push_axis(window.shape, values.shape) == op.axis else None


def _is_tail(graph: Graph, op: Op) -> bool:
    """Whether a slice takes the last positions along one axis, all that are there along others."""
    assert isinstance(op, Slice)
    x, y = (graph.tensors[t].shape for t in (op.input, op.output))
    ends = tuple(b + n for b, n in zip(op.begin, y, strict=True))
    return set(op.step) <= {1} and ends == x and push_axis(x, y) is not None


def _is_state(graph: Graph, t: int) -> bool:
    tensor: Tensor = graph.tensors[t]
    return tensor.kind is Kind.STATE
