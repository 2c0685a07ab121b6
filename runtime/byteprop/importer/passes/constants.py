"""Which channels of a graph's tensors are constant: one value at all positions, whatever the
inputs. A channel is a position of the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from byteprop import image
from byteprop.engine._raw import Engine
from byteprop.errors import ModelError
from byteprop.graph import Graph
from byteprop.graph.tensor import Kind, Tensor
from byteprop.importer.passes.rows import Ints, Known, Mask, constant_outputs
from byteprop.ops import place, spec_of
from byteprop.ops.convolution import Convolution
from byteprop.ops.spec import ChannelSource, Placed, n_channels

# Values that ops are computed on to find constants, of which each op counts for some at least. What
# comes after that is taken for not constant, so that a hostile file costs no more than a second.
_MOST_ELEMS = 1 << 25
_LEAST_ELEMS_PER_OP = 1 << 17


def constant_channels(graph: Graph) -> dict[int, Known]:
    """By tensor; those that have none are left out."""
    found = {
        t: known
        for t, tensor in enumerate(graph.tensors)
        if tensor.kind is Kind.CONSTANT and (known := _of_constant(tensor)) is not None
    }
    left = _MOST_ELEMS
    for index, op in enumerate(graph.ops):
        at = place(graph.tensors, op, f"op {index}")
        inputs = [found.get(t) for t in op.inputs]
        known = None
        if isinstance(op, Convolution):
            known = constant_outputs(at, inputs[0])
        elif any(x is not None for x in inputs):
            sources = spec_of(op).channel_sources(at)
            elems = sum(t.elems for t in (*at.inputs, *at.outputs))
            left -= max(elems, _LEAST_ELEMS_PER_OP)
            if sources is not None and left >= 0:
                known = _computed(at, inputs, sources)
        if known is not None and at.y.kind is Kind.ACTIVATION:
            found[op.output] = known
    return found


def _of_constant(tensor: Tensor) -> Known | None:
    values = np.frombuffer(tensor.data, tensor.dtype.numpy).reshape(-1, n_channels(tensor))
    return _uniform(values.astype(np.int64), np.ones(n_channels(tensor), np.bool_))


def _uniform(values: Ints, among: Mask) -> Known | None:
    """Of values [positions, channels], the channels with one value that are among these."""
    is_constant = among & (values == values[0]).all(axis=0)
    return Known(is_constant, np.where(is_constant, values[0], 0)) if is_constant.any() else None


def _computed(
    at: Placed[Any], inputs: Sequence[Known | None], sources: Sequence[ChannelSource]
) -> Known | None:
    """The C library computes the op on the constants. A channel made of constant channels alone is
    constant if all its positions are equal."""
    among = np.ones(n_channels(at.y), np.bool_)
    for x, source in zip(inputs, sources, strict=True):
        among[source.places] &= False if x is None else x.is_constant[source.channels]
    if not among.any():
        return None
    values = _run(at, inputs)
    return None if values is None else _uniform(values.reshape(-1, len(among)), among)


def _run(at: Placed[Any], inputs: Sequence[Known | None]) -> Ints | None:
    """The op's output as the C library computes it, with 0 in channels that are not constant; None
    where no image can hold the op."""
    tensors = dict(zip(at.op.inputs, at.inputs, strict=True))
    number = {t: i for i, t in enumerate([*tensors, at.op.output])}
    given = [t for t, tensor in tensors.items() if tensor.kind is not Kind.CONSTANT]
    graph = Graph(
        tuple(_plain(tensor) for tensor in (*tensors.values(), at.y)),
        (at.op.renumbered(number),),
        tuple(number[t] for t in given),
        (number[at.op.output],),
    )
    known = dict(zip(at.op.inputs, inputs, strict=True))
    row = b"".join(_filled(tensors[t], known[t]) for t in given)
    try:
        engine = Engine(image.encode(graph, names=False))
    except ModelError:
        return None
    answer = engine.run(np.frombuffer(row, np.uint8).reshape(1, -1))
    return answer.view(at.y.dtype.numpy).astype(np.int64)


def _plain(tensor: Tensor) -> Tensor:
    return replace(tensor, float_border=False, normalization=None)


def _filled(tensor: Tensor, known: Known | None) -> bytes:
    n = n_channels(tensor)
    values = np.zeros(n, np.int64) if known is None else known.values
    rows = np.broadcast_to(values.astype(tensor.dtype.numpy), (tensor.elems // n, n))
    return rows.tobytes()
