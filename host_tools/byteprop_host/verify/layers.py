"""The layers of a model, with their costs on a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from byteprop import LayerInfo, Model
from byteprop.graph.tensor import Op
from byteprop.ops import spec_of
from byteprop_host.verify.arena import arena_map, bytes_in_use


@dataclass(frozen=True)
class MeasuredLayer:
    """A layer of a model. detail: its sizes and options in words. ram_bytes: of the arena, in use
    while it runs. cost: of one inference, in the unit of the deployment, and its share of all
    layers' costs; None: not measured."""

    info: LayerInfo
    detail: str
    ram_bytes: int
    cost: int | None = None
    share: float | None = None

    @property
    def per_mac(self) -> float | None:
        """Cost per multiplication; None without one or the other."""
        return None if self.cost is None or not self.info.macs else self.cost / self.info.macs

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        layer = self.info
        return {
            "index": layer.index,
            "op": layer.op,
            "detail": self.detail,
            "tensor": layer.name,
            "shape": layer.output_shape,
            "scale": layer.scale,
            "zero_point": layer.zero_point,
            "macs": layer.macs,
            "weight_bytes": layer.weight_bytes,
            "ram_bytes": self.ram_bytes,
            "cost": self.cost,
            "per_mac": self.per_mac,
            "share": self.share,
        }


def measured_layers(
    model: Model, costs: Sequence[int | None] | None = None
) -> tuple[MeasuredLayer, ...]:
    """The layers in order, with the cost of every op when it was measured."""
    if costs is None or len(costs) != len(model.layers):
        costs = [None] * len(model.layers)
    total = sum(cost or 0 for cost in costs)
    occupied = arena_map(model.graph, model.image)
    return tuple(
        MeasuredLayer(
            layer,
            _detail(layer, op),
            bytes_in_use(occupied, layer.index),
            cost,
            None if cost is None or total == 0 else cost / total,
        )
        for layer, op, cost in zip(model.layers, model.graph.ops, costs, strict=True)
    )


def _detail(layer: LayerInfo, op: Op) -> str:
    activation = () if layer.activation == "none" else (layer.activation,)
    return ", ".join((*spec_of(op).detail(op), *activation))
