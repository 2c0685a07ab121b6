"""The layers of a model as rows of a table, with what a board measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from byteprop import LayerInfo, Model
from byteprop.graph.tensor import Op
from byteprop.ops import spec_of


@dataclass(frozen=True)
class LayerRow:
    """One op; the tensor is its output. cost: in the session's unit, None without one."""

    index: int
    op: str
    detail: str
    tensor: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    macs: int
    weight_bytes: int
    cost: int | None = None


def layer_rows(model: Model, costs: Sequence[int | None] | None = None) -> tuple[LayerRow, ...]:
    """One row an op, with the cost of every op when it was measured."""
    if costs is None or len(costs) != len(model.layers):
        costs = [None] * len(model.layers)
    return tuple(_row(layer, model.graph.ops[i], costs[i]) for i, layer in enumerate(model.layers))


def _row(layer: LayerInfo, op: Op, cost: int | None) -> LayerRow:
    return LayerRow(
        index=layer.index,
        op=layer.op,
        detail=_detail(layer, op),
        tensor=layer.name,
        shape=layer.output_shape,
        scale=layer.scale,
        zero_point=layer.zero_point,
        macs=layer.macs,
        weight_bytes=layer.weight_bytes,
        cost=cost,
    )


def _detail(layer: LayerInfo, op: Op) -> str:
    activation = () if layer.activation == "none" else (layer.activation,)
    return ", ".join((*spec_of(op).detail(op), *activation))
