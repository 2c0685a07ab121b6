"""What element-wise ops of two inputs share: ADD, SUB, MUL, MAXIMUM, MINIMUM and PRELU.

Shapes go together as TensorFlow Lite and NumPy broadcast them; an input may be a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from byteprop.graph.tensor import Activation, DType, Op, Tensor
from byteprop.ops.spec import ChannelSource, ChannelSources, OpSpec, Placed, n_channels
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


P = TypeVar("P", bound="PairOp")


@dataclass(frozen=True)
class PairOp(Op):
    """An op that computes each element of its output from one of `input` and one of `second`."""

    second: int

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.input, self.second)

    def renumbered(self: P, number: Mapping[int, int]) -> P:
        return replace(Op.renumbered(self, number), second=number[self.second])


class PairSpec(OpSpec[P]):
    """Base of the specs of these ops."""

    def check(self, at: Placed[P]) -> None:
        for tensor in (*at.inputs, at.y):
            if tensor.dtype is not DType.INT8:
                at.refuse(f"expected INT8, got {tensor.dtype.name} of {tensor.name!r}")
        x1, x2 = (t.shape for t in at.inputs)
        shape = _broadcast(x1, x2)
        if shape != at.y.shape:
            at.refuse(f"inputs of the shapes {x1} and {x2} do not give the shape {at.y.shape}")

    def channel_sources(self, at: Placed[P]) -> ChannelSources:
        n = n_channels(at.y)
        return [_source(n_channels(x), n) for x in at.inputs]

    def overwrites(self, at: Placed[P]) -> tuple[int, ...]:
        return tuple(i for i, x in enumerate(at.inputs) if x.elems == at.y.elems)


def _source(n_in: int, n_out: int) -> ChannelSource:
    """Of an input that may be repeated along its last axis."""
    if n_in == n_out:
        return ChannelSource(np.arange(n_out))
    return ChannelSource(np.zeros(n_out, np.intp), is_repeated=True)


class Pair(NamedTuple):
    """Indices of the graph's tensors of an op of a file."""

    x1: int
    x2: int
    y: int


def read_pair(builder: Builder, op: RawOp) -> Pair:
    """Inputs and output of an op of a .tflite file, of which at least one input is computed."""
    builder.expect_operands(op, (2,))
    x1, x2 = builder.operand(op, 0), builder.operand(op, 1)
    shapes = (builder.tensors[x1].shape, builder.tensors[x2].shape)
    shape = _broadcast(*shapes)
    if shape is None:
        builder.fail(op, f"inputs of the shapes {list(shapes[0])} and {list(shapes[1])}")
    pair = Pair(x1, x2, builder.result(op, shape))
    for tensor in tensors_of(builder, pair):
        if tensor.dtype is not DType.INT8:
            builder.unsupported(op, f"{quoted(tensor.name)} is {tensor.dtype.name}, expected INT8")
    return pair


def tensors_of(builder: Builder, pair: Pair) -> tuple[Tensor, Tensor, Tensor]:
    x1, x2, y = (builder.tensors[t] for t in pair)
    return x1, x2, y


def read_fused(builder: Builder, op: RawOp, kind: type[Any]) -> Activation:
    """The activation that the op's options, of this kind, state."""
    options = builder.options(op, kind)
    if options is None:
        return Activation.NONE
    return builder.fused_activation(op, options.FusedActivationFunction())


def write_pair(
    at: Placed[Any], writer: Writer, name: str, *, version: int, activation: Activation
) -> None:
    """Adds an op with a fused activation to a .tflite file."""
    fused = writer.fused(activation)
    if fused is None:
        at.refuse(f"{name} of a .tflite file cannot end in {activation.name}")
    operands = [writer.tensors[t] for t in at.op.inputs]
    result = [writer.tensors[at.op.output]]
    writer.op(name, operands, result, version=version, FusedActivationFunction=fused)


def _broadcast(x1: tuple[int, ...], x2: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(x1, x2)
    except ValueError:
        return None
