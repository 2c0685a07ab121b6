"""Which channels of each tensor must stay so that every output keeps its bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from byteprop.graph import Graph
from byteprop.graph.tensor import Kind
from byteprop.importer.passes.rows import Known, Mask, is_grouped, read_by_dense, read_channels
from byteprop.ops import Dense, place, spec_of
from byteprop.ops.convolution import Convolution
from byteprop.ops.spec import ChannelSource, Placed, n_channels


def kept_channels(graph: Graph, constants: Mapping[int, Known]) -> list[Mask]:
    """By tensor. Inputs and outputs of the model keep all channels, every tensor at least one."""
    search = _Search(graph, constants)
    for t, tensor in enumerate(graph.tensors):
        if t in graph.inputs or t in graph.outputs or tensor.kind is Kind.STATE:
            search.keep(t, np.ones(n_channels(tensor), np.bool_))
    search.settle()
    for t, kept in enumerate(search.kept):
        if not kept.any():
            search.keep(t, np.arange(len(kept)) == 0)
            search.settle()
    return search.kept


class _Search:
    """Each op adds channels to its tensors, and is asked again when they have more."""

    def __init__(self, graph: Graph, constants: Mapping[int, Known]) -> None:
        self.kept = [np.zeros(n_channels(t), np.bool_) for t in graph.tensors]
        self._graph = graph
        self._constants = constants
        self._users: list[list[int]] = [[] for _ in graph.tensors]
        for index, op in enumerate(graph.ops):
            for t in {*op.inputs, *op.outputs}:
                self._users[t].append(index)
        # In the order in which most of them are settled at once.
        self._open = dict.fromkeys(reversed(range(len(graph.ops))))

    def keep(self, t: int, channels: Mask) -> None:
        """Adds channels to a tensor."""
        if (channels & ~self.kept[t]).any():
            self.kept[t] |= channels
            self._open.update(dict.fromkeys(self._users[t]))

    def settle(self) -> None:
        """Until no op adds anything."""
        while self._open:
            index = next(iter(self._open))
            del self._open[index]
            op = self._graph.ops[index]
            self._visit(place(self._graph.tensors, op, f"op {index}"))

    def _visit(self, at: Placed[Any]) -> None:
        x, y = at.op.input, at.op.output
        if isinstance(at.op, Dense):
            self._keep_all(at.op.outputs)
            self.keep(x, read_by_dense(at, self._constants.get(x)))
        elif (sources := spec_of(at.op).channel_sources(at)) is not None:
            self._keep_alike(at, sources)
        elif isinstance(at.op, Convolution) and not is_grouped(at):
            self.keep(x, read_channels(at, self._constants.get(x), self._varying(y)))
        else:
            self._keep_all((*at.op.inputs, *at.op.outputs))

    def _varying(self, t: int) -> Mask:
        """The kept channels that are not constant."""
        known = self._constants.get(t)
        return self.kept[t] if known is None else self.kept[t] & ~known.is_constant

    def _keep_all(self, tensors: Sequence[int]) -> None:
        for t in tensors:
            self.keep(t, np.ones(len(self.kept[t]), np.bool_))

    def _keep_alike(self, at: Placed[Any], sources: Sequence[ChannelSource]) -> None:
        """A channel stays in an input and in the output, or in neither."""
        y = at.op.output
        for t, source in zip(at.op.inputs, sources, strict=True):
            taken = np.zeros(len(self.kept[t]), np.bool_)
            taken[source.channels[self.kept[y][source.places]]] = True
            self.keep(t, taken)
            if not source.is_repeated:
                made = np.zeros(len(self.kept[y]), np.bool_)
                made[source.places] = self.kept[t][source.channels]
                self.keep(y, made)
