"""The arena planner: nothing that is still needed is overwritten, and chains need no spare byte."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings

from byteprop.graph import Graph, Kind, Op
from byteprop.image import arena, encode
from byteprop.image.plan import plan
from byteprop.ops import Rescale, Reshape, spec_of
from byteprop.ops import place as placed
from byteprop.ops.spec import InPlace
from random_graphs import Builder, graph_of_every_op, small_graph
from random_networks import chains, networks


def simulate(graph: Graph) -> None:
    """Writes each tensor's own mark into the arena when it is made, and looks for it when it is
    read. A RESHAPE keeps the marks of what it stands for, unless it copies a state."""
    made = plan(graph)
    arena = np.full(made.arena_bytes, -1)
    stands_for = list(range(len(graph.tensors)))

    def is_alias(op: Op) -> bool:
        kinds = {graph.tensors[t].kind for t in (op.input, op.output)}
        return isinstance(op, Reshape) and Kind.STATE not in kinds

    for op in graph.ops:
        if is_alias(op):
            stands_for[op.output] = stands_for[op.input]

    def place(t: int) -> slice:
        end = made.offsets[t] + graph.tensors[t].elems
        assert made.offsets[t] % 4 == 0
        assert end <= made.arena_bytes
        return slice(made.offsets[t], end)

    for t in graph.inputs:
        arena[place(t)] = t
    for t in graph.inputs:
        assert (arena[place(t)] == t).all()
    for op in graph.ops:
        at = placed(graph.tensors, op)
        inputs = [t for t, x in zip(op.inputs, at.inputs, strict=True) if x.kind is Kind.ACTIVATION]
        for t in inputs:
            assert (arena[place(t)] == stands_for[t]).all()
        if is_alias(op):
            assert made.offsets[op.output] == made.offsets[op.input]
            continue
        arena[place(op.output)] = op.output
        overwritten = [op.inputs[i] for i in spec_of(op).overwrites(at)]
        for t in inputs:
            intact = (arena[place(t)] == stands_for[t]).all()
            in_place = t in overwritten and made.offsets[t] == made.offsets[op.output]
            assert intact or in_place or may_overlap(graph, op, made.offsets)
    for t in graph.outputs:
        assert (arena[place(t)] == stands_for[t]).all()


def may_overlap(graph: Graph, op: Op, offsets: Sequence[int]) -> bool:
    """The op allows this overlap of its output and its input."""
    overlap = spec_of(op).overlap(placed(graph.tensors, op))
    if overlap is None:
        return False
    ahead = offsets[op.input] - offsets[op.output]
    return (ahead if overlap.output_first else -ahead) >= overlap.distance


def word(n: int) -> int:
    return -(-n // 4) * 4


@given(networks())
@settings(max_examples=300, deadline=None)
def test_what_is_needed_is_never_overwritten(graph: Graph) -> None:
    simulate(graph)


@given(networks())
@settings(max_examples=100, deadline=None)
def test_an_image_has_the_arena_that_was_planned(graph: Graph) -> None:
    assert arena(encode(graph)) == plan(graph)


@given(chains())
@settings(max_examples=200, deadline=None)
def test_chains_need_the_largest_pair_of_neighbours(graph: Graph) -> None:
    simulate(graph)
    needed = word(graph.tensors[0].elems)
    for op in graph.ops:
        x, y = (word(graph.tensors[t].elems) for t in (op.input, op.output))
        in_place = spec_of(op).in_place is not InPlace.NEVER
        needed = max(needed, x if in_place else x + y)
    assert plan(graph).arena_bytes == needed


def test_a_chain_that_neither_order_of_first_fit_gets_right() -> None:
    b = Builder()
    sizes = (12, 12, 16, 20)
    for n in sizes:
        b.tensor((1, n))
    for i in range(3):
        b.dense(i, np.ones((sizes[i + 1], sizes[i]), np.int8), i + 1)
    assert plan(b.graph((0,), (3,))).arena_bytes == 36


def test_known_arenas() -> None:
    assert plan(small_graph()).arena_bytes == 8 + 4
    assert plan(graph_of_every_op()).arena_bytes == 8 + 4


def test_an_input_that_is_read_later_is_kept() -> None:
    b = Builder()
    x, y, z = (b.tensor((1, 8)) for _ in range(3))
    b.add(Rescale(x, y))
    b.add(Rescale(x, z))
    graph = b.graph((x,), (y, z))
    simulate(graph)
    assert plan(graph).arena_bytes == 16


def test_an_output_that_is_an_input_is_kept() -> None:
    b = Builder()
    x, y = b.tensor((1, 8)), b.tensor((1, 8))
    b.add(Rescale(x, y))
    graph = b.graph((x,), (x, y))
    simulate(graph)
    assert plan(graph).arena_bytes == 16


def test_no_ops_at_all() -> None:
    b = Builder()
    graph = b.graph((b.tensor((1, 3)), b.tensor((1, 5))), (0, 1))
    simulate(graph)
    assert plan(graph).arena_bytes == 4 + 8
