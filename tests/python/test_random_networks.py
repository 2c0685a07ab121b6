"""A slice of the random graphs over all ops; benchmarks/random_ops.py runs more of them."""

from __future__ import annotations

import pytest

import random_networks
from byteprop import reference
from byteprop.ops import specs
from op_generators import generators


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_every_way_to_compute_gives_the_same_bytes(first: int) -> None:
    for seed in range(first, first + 20):
        graph = random_networks.random_network(seed)
        random_networks.check(graph, seed)


def test_inner_tensors_are_equal_too() -> None:
    for seed in range(1000, 1020):
        graph = random_networks.with_every_tensor(random_networks.random_network(seed))
        random_networks.check(graph, seed)


def test_no_samples_give_no_answers() -> None:
    """Of every op: the seeds of the test below."""
    for seed in range(120):
        graph = random_networks.random_network(seed)
        none = random_networks.samples(graph, seed, n=0)
        for y, t in zip(reference.run(graph, none), graph.outputs, strict=True):
            assert y.shape == (0, *graph.tensors[t].value_shape[1:]), seed


def test_every_op_has_a_generator_that_contributes() -> None:
    assert set(generators()) == {spec.name for spec in specs()}
    ops = [op for seed in range(120) for op in random_networks.random_network(seed).ops]
    assert {type(op).__module__.rpartition(".")[2] for op in ops} == set(generators())
