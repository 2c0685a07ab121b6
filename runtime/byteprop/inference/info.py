"""What a model says of itself: its inputs, outputs and layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from byteprop.graph import Graph, LeftOut, Normalization
from byteprop.graph.normalization import describe
from byteprop.ops import place, spec_of


@dataclass(frozen=True)
class TensorInfo:
    """An input or an output. real = scale * (quantised - zero_point). Where dtype is float32 the
    model converts at its boundary, and scale and zero point are those it converts with; an input
    with a normalization is normalised first."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int
    normalization: Normalization | None = None


@dataclass(frozen=True)
class LayerInfo:
    """One op; name, scale and zero point are those of its output."""

    index: int
    name: str
    op: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    activation: str
    scale: float
    zero_point: int
    macs: int
    weight_bytes: int


def layer_info(graph: Graph, index: int) -> LayerInfo:
    """The op at this index of the graph."""
    op = graph.ops[index]
    spec, at = spec_of(op), place(graph.tensors, op)
    return LayerInfo(
        index=index,
        name=at.y.name,
        op=type(op).__name__,
        input_shape=at.x.value_shape,
        output_shape=at.y.value_shape,
        activation=spec.activation(op).name.lower(),
        scale=float(at.y.scale),
        zero_point=at.y.zero_point,
        macs=spec.macs(at),
        weight_bytes=spec.weight_bytes(op),
    )


def describe_inputs(graph: Graph) -> str:
    """What a model does to its inputs, one line for people; empty when it does nothing."""
    inputs = [graph.tensors[index] for index in graph.inputs]
    said = [(t.name, describe(t.normalization)) for t in inputs if t.normalization is not None]
    if len(inputs) == 1:
        return "".join(text for _, text in said)
    return "; ".join(f"{name}: {text}" for name, text in said)


def describe_left_out(left_out: LeftOut | None) -> str:
    """What a graph has not that its file has, one line for people; empty where it has all."""
    if left_out is None:
        return ""
    parts = []
    if left_out.channels:
        parts.append(
            f"{left_out.channels:,} of {left_out.of:,} channels are constant or never read, and "
            f"left out: {left_out.macs:,} MACs and {left_out.weight_bytes:,} bytes of weights less"
        )
    if left_out.constant:
        more = " more" if left_out.channels else f" of {left_out.of:,}"
        parts.append(f"{left_out.constant:,}{more} channels are constant and need no weights")
    return "; ".join(parts)
