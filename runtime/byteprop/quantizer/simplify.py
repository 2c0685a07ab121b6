"""Makes a float graph smaller without changing what it computes: a RELU moves into the op before
it, and a multiplication or addition per channel into the weights before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from byteprop.float_ops import float_ops
from byteprop.float_ops.spec import FUSED
from byteprop.graph.float_graph import NO_TENSOR, Array, FloatGraph, FloatTensor, Node

_RELUS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
_TAKES_RELU = ("ADD", "SUB", "MUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_PER_CHANNEL = ("ADD", "SUB", "MUL")


def simplified(graph: FloatGraph) -> FloatGraph:
    """The same network with fewer nodes."""
    return _Folding(graph).fold()


class _Folding:
    """Takes one node after the other; `made` has the place of the node that computes a tensor."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.nodes: list[Node] = []
        self.made: dict[int, int] = {}
        self.readers = graph.readers()

    def fold(self) -> FloatGraph:
        for node in self.graph.nodes:
            merged = self._relu(node) or self._affine(node)
            if merged is not None:
                place, node = merged
                self.nodes[place] = node
            else:
                place = len(self.nodes)
                self.nodes.append(node)
            self.made.update(dict.fromkeys(node.outputs, place))
        return replace(self.graph, tensors=tuple(self.tensors), nodes=tuple(self.nodes))

    def _before(self, index: int, kinds: tuple[str, ...]) -> tuple[int, Node] | None:
        """The node of these kinds, with no activation, that computes a tensor for one reader."""
        place = self.made.get(index)
        if place is None or self.readers[index] != 1:
            return None
        node = self.nodes[place]
        return (place, node) if node.name in kinds and not node.options.get(FUSED) else None

    def _relu(self, node: Node) -> tuple[int, Node] | None:
        before = self._before(node.inputs[0], _TAKES_RELU) if node.name in _RELUS else None
        if before is None:
            return None
        options = {**before[1].options, FUSED: _RELUS[node.name]}
        return before[0], replace(before[1], outputs=node.outputs, options=options)

    def _affine(self, node: Node) -> tuple[int, Node] | None:
        if node.name not in _PER_CHANNEL:
            return None
        for x, other in ((0, 1), (1, 0)):
            constant = self.tensors[node.inputs[other]].data
            before = self._before(
                node.inputs[x], ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
            )
            if constant is None or before is None or (node.name == "SUB" and x == 1):
                continue
            changed = self._folded(before[1], node, constant)
            if changed is not None:
                return before[0], changed
        return None

    def _folded(self, weighted: Node, node: Node, constant: Array) -> Node | None:
        """The op with the constant in its weights and bias; None where that is not per channel."""
        roles = float_ops()[weighted.name].weights
        assert roles is not None
        weights = self.tensors[weighted.inputs[roles.weights]].data
        if weights is None or constant.ndim > weights.ndim or weighted.options.get("KeepNumDims"):
            return None
        n = weights.shape[roles.axis]
        if constant.size not in (1, n) or (constant.ndim and constant.shape[-1] != constant.size):
            return None
        per_channel = np.broadcast_to(constant.reshape(-1), (n,))
        bias = np.zeros(n, weights.dtype)
        if len(weighted.inputs) > roles.bias and weighted.inputs[roles.bias] != NO_TENSOR:
            stated = self.tensors[weighted.inputs[roles.bias]].data
            if stated is None or stated.size != n:
                return None
            bias = stated.reshape(n)
        if node.name == "MUL":
            along = [-1 if a == roles.axis else 1 for a in range(weights.ndim)]
            weights, bias = weights * per_channel.reshape(along), bias * per_channel
        else:
            bias = bias + (per_channel if node.name == "ADD" else -per_channel)
        inputs = list(weighted.inputs) + [NO_TENSOR] * (roles.bias + 1 - len(weighted.inputs))
        for operand, data in ((roles.weights, weights), (roles.bias, bias)):
            name = self.tensors[weighted.inputs[roles.weights]].name
            self.tensors.append(FloatTensor(name, data.shape, data))
            inputs[operand] = len(self.tensors) - 1
        options = {**weighted.options, FUSED: node.options.get(FUSED, 0)}
        return replace(weighted, inputs=tuple(inputs), outputs=node.outputs, options=options)
