"""Ops whose outputs are read by no op and are neither outputs of the model nor its state."""

from __future__ import annotations

from collections.abc import Sequence

from byteprop.graph import Graph, Kind
from byteprop.graph.tensor import Op, Tensor


def without_unread_ops(graph: Graph) -> Graph:
    """The graph without them, and without what they alone read."""
    states = {t for t, tensor in enumerate(graph.tensors) if tensor.kind is Kind.STATE}
    read = states.union(graph.outputs)
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if read.intersection(op.outputs):
            read.update(op.inputs)
            kept.append(op)
    if len(kept) == len(graph.ops):
        return graph
    return compact(graph, graph.tensors, kept[::-1])


def compact(graph: Graph, tensors: Sequence[Tensor], ops: Sequence[Op]) -> Graph:
    """The graph with these ops alone, and with those of these tensors that it still names."""
    used = {*graph.inputs, *graph.outputs}.union(*((*op.inputs, *op.outputs) for op in ops))
    order = sorted(used)
    number = {t: i for i, t in enumerate(order)}
    return Graph(
        tuple(tensors[t] for t in order),
        tuple(op.renumbered(number) for op in ops),
        tuple(number[t] for t in graph.inputs),
        tuple(number[t] for t in graph.outputs),
    )
