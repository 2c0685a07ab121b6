"""Scale and zero point of every tensor, as TensorFlow Lite's int8 ops want them: tensors between
which an op only moves values have one scale, and some outputs have the one that the op states."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from byteprop.errors import ArgumentError
from byteprop.float_ops import float_ops
from byteprop.float_ops.spec import FUSED, LEAST_SCALE, Fixed, Scales
from byteprop.graph.float_graph import FloatGraph
from byteprop.quantizer.calibration import Observed, Range

LOWEST, HIGHEST = -128, 127


class Scale(NamedTuple):
    """real = scale * (integer - zero_point)."""

    scale: np.float32
    zero_point: int


class Plan(NamedTuple):
    """scales: by tensor. fixed: what an op gives where its readers want another scale, which is
    reached by a QUANTIZE."""

    scales: dict[int, Scale]
    fixed: dict[int, Scale]


def scale_of(limits: Range) -> Scale:
    """256 steps from the least to the largest value and 0, which is one of them."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    if low == high:
        return Scale(np.float32(1.0), 0)
    scale = np.float32((high - low) / (HIGHEST - LOWEST))
    if not (np.isfinite(scale) and scale > np.finfo(np.float32).tiny):
        raise ArgumentError(f"representative_data: values from {low:g} to {high:g} have no scale")
    zero_point = math.floor(LOWEST - low / float(scale) + 0.5)
    return Scale(scale, max(LOWEST, min(HIGHEST, zero_point)))


def unit_plan(graph: FloatGraph) -> Plan:
    """A plan without measurement: to see whether byteprop can run the network at all."""
    fixed = {t: Scale(np.float32(f.scale), f.zero_point) for t, f in _fixed(graph).items()}
    one = Scale(np.float32(1), 0)
    return Plan(dict.fromkeys(range(len(graph.tensors)), one), fixed)


def plan_scales(
    graph: FloatGraph, observed: Observed, method: str, known: dict[int, Range]
) -> Plan:
    """method: of calibration.METHODS, for tensors inside the network; inputs and outputs have the
    whole range that they take. known: ranges of inputs that are not measured."""
    fixed, least = _fixed(graph), _least_scales(graph)
    plan = Plan({}, {})
    for members in _groups(graph):
        stated = {fixed[t] for t in members if t in fixed}
        low, high = _range(graph, observed, method, known, members)
        scale = scale_of((low, high))
        floor = max(least[t] for t in members) / float(scale.scale)
        if floor > 1:
            scale = scale_of((low * floor, high * floor))
        if len(stated) == 1 and _covers(next(iter(stated)), low, high):
            (only,) = stated
            scale = Scale(np.float32(only.scale), only.zero_point)
        for t in members:
            plan.scales[t] = scale
            if t in fixed:
                own = Scale(np.float32(fixed[t].scale), fixed[t].zero_point)
                if own != scale:
                    plan.fixed[t] = own
    return plan


def _range(
    graph: FloatGraph, observed: Observed, method: str, known: dict[int, Range], members: list[int]
) -> Range:
    """Of tensors that have one scale."""
    ends = {*graph.inputs, *graph.outputs}
    seen = {t: observed.seen[t] for t in members if t in observed.seen}
    ranges = [
        known[t] if t in known else found.limits("minmax" if t in ends else method)
        for t, found in seen.items()
    ]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    if _feeds_softmax_alone(graph, members):
        low = max(low, min(found.least for found in seen.values()))
    return low, high


def _least_scales(graph: FloatGraph) -> dict[int, float]:
    """By tensor; 0 for most."""
    least: dict[int, float] = dict.fromkeys(range(len(graph.tensors)), 0.0)
    for node in graph.nodes:
        own = float_ops()[node.name].least_scale
        fused = LEAST_SCALE if node.options.get(FUSED, 0) > 1 else 0.0
        for t in graph.numbers((*node.inputs, *node.outputs)):
            least[t] = max(least[t], own)
        for t in node.outputs:
            least[t] = max(least[t], fused)
    return least


def _covers(fixed: Fixed, low: float, high: float) -> bool:
    """Whether values lose no more than the last step to saturation."""
    least = fixed.scale * (LOWEST - fixed.zero_point)
    most = fixed.scale * (HIGHEST + 1 - fixed.zero_point)
    return least <= low and high <= most * (1 + 1e-6)


def _fixed(graph: FloatGraph) -> dict[int, Fixed]:
    found = {}
    for node in graph.nodes:
        scales = float_ops()[node.name].scales
        if isinstance(scales, Fixed):
            found[node.outputs[0]] = scales
    return found


def _groups(graph: FloatGraph) -> Iterable[list[int]]:
    """Tensors that have one scale. Weights are not among them."""
    leader = list(range(len(graph.tensors)))

    def find(t: int) -> int:
        while leader[t] != t:
            leader[t] = leader[leader[t]]
            t = leader[t]
        return t

    used: set[int] = set(graph.inputs)
    for node in graph.nodes:
        op = float_ops()[node.name]
        roles = op.weights
        skipped = () if roles is None else (roles.weights, roles.bias)
        numbers = [*graph.numbers(tuple(t for i, t in enumerate(node.inputs) if i not in skipped)),
                   *node.outputs]  # fmt: skip
        used.update(numbers)
        if op.scales is Scales.SAME:
            for t in numbers[1:]:
                leader[find(t)] = find(numbers[0])
    groups: dict[int, list[int]] = defaultdict(list)
    for t in sorted(used):
        groups[find(t)].append(t)
    return groups.values()


def _feeds_softmax_alone(graph: FloatGraph, members: list[int]) -> bool:
    inside = set(members)
    if inside & {*graph.inputs, *graph.outputs}:
        return False
    readers = [n for n in graph.nodes if inside & set(n.inputs) and not inside & set(n.outputs)]
    return bool(readers) and all(n.name == "SOFTMAX" for n in readers)
