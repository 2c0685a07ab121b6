"""Dead channels: constant whatever the inputs, or read by no op. The graph is made without them.

A constant channel becomes a part of the biases of the convolutions and dense layers that read it.
Where it must stay, as in a sum or in an output of the model, the convolution that computes it
loses its weights there. Dense layers keep all rows and all columns of varying inputs, because
training may change them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from byteprop.graph import Graph, LeftOut
from byteprop.graph.tensor import Kind, Op, Tensor
from byteprop.importer.passes import rows
from byteprop.importer.passes.constants import constant_channels
from byteprop.importer.passes.kept import kept_channels
from byteprop.importer.passes.rows import Known, Mask
from byteprop.ops import Dense, place, spec_of
from byteprop.ops.convolution import Convolution
from byteprop.ops.spec import Placed, n_channels

# A graph with more channels, of all tensors together, stays as it is.
_MOST_CHANNELS = 1 << 20


def without_dead_channels(graph: Graph) -> Graph:
    """The graph without them; `left_out` says what it lacks."""
    if sum(n_channels(t) for t in graph.tensors) > _MOST_CHANNELS:
        return graph
    constants = constant_channels(graph)
    kept = kept_channels(graph, constants)
    changed = [
        _op(place(graph.tensors, op, f"op {index}"), constants, kept)
        for index, op in enumerate(graph.ops)
    ]
    ops = tuple(op for op, _ in changed)
    if all(new is old for new, old in zip(ops, graph.ops, strict=True)):
        return graph
    tensors = tuple(_tensor(t, k) for t, k in zip(graph.tensors, kept, strict=True))
    smaller = Graph(tensors, ops, graph.inputs, graph.outputs)
    return replace(smaller, left_out=_left_out(graph, smaller, sum(n for _, n in changed)))


def _op(at: Placed[Any], constants: Mapping[int, Known], kept: Sequence[Mask]) -> tuple[Op, int]:
    """The op between the kept channels, and how many of its rows lost their weights."""
    x, y = at.op.input, at.op.output
    if isinstance(at.op, Convolution):
        return rows.narrowed(at, constants.get(x), constants.get(y), kept[x], kept[y])
    if isinstance(at.op, Dense):
        return rows.narrowed_dense(at, constants.get(x), kept[x]), 0
    return (at.op if kept[x].all() else spec_of(at.op).with_channels(at, kept[x])), 0


def _tensor(tensor: Tensor, kept: Mask) -> Tensor:
    if kept.all():
        return tensor
    channels = tuple(np.flatnonzero(kept).tolist())
    data = tensor.data
    if tensor.kind is Kind.CONSTANT:
        values = np.frombuffer(data, tensor.dtype.numpy).reshape(-1, len(kept))
        data = values[:, kept].tobytes()
    shape = (*tensor.shape[:-1], len(channels))
    return replace(tensor, shape=shape, data=data, channels=channels)


def _left_out(before: Graph, after: Graph, constant: int) -> LeftOut:
    (n, macs, size), (n_left, macs_left, size_left) = _cost(before), _cost(after)
    return LeftOut(n - n_left, n, macs - macs_left, size - size_left, constant)


def _cost(graph: Graph) -> tuple[int, int, int]:
    """Output channels of the convolutions, multiplications and bytes of weights of all ops."""
    placed = [(spec_of(op), place(graph.tensors, op)) for op in graph.ops]
    return (
        sum(len(op.bias) for op in graph.ops if isinstance(op, Convolution)),
        sum(spec.macs(at) for spec, at in placed),
        sum(spec.weight_bytes(at.op) for spec, at in placed),
    )
