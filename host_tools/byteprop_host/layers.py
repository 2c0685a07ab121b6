"""The layers of a model as rows of a table, with what a board measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from byteprop import LayerInfo, Model
from byteprop.graph import Dense, Op, Softmax
from byteprop_host.session import Session


@dataclass(frozen=True)
class LayerRow:
    """One op; the tensor is its output. ticks and instructions are None where nothing counted."""

    index: int
    op: str
    detail: str
    tensor: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    macs: int
    weight_bytes: int
    ticks: int | None = None
    instructions: int | None = None


def layer_rows(
    model: Model, ticks: Sequence[int] | None = None, session: Session | None = None
) -> tuple[LayerRow, ...]:
    """One row an op; `ticks` of every op as the board of `session` counted them."""
    if ticks is not None and len(ticks) != len(model.layers):
        ticks = None
    return tuple(
        _row(layer, model.graph.ops[i], None if ticks is None else ticks[i], session)
        for i, layer in enumerate(model.layers)
    )


def _row(layer: LayerInfo, op: Op, ticks: int | None, session: Session | None) -> LayerRow:
    instructions = None
    if ticks is not None and session is not None:
        instructions = session.instructions(ticks)
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
        ticks=ticks,
        instructions=instructions,
    )


def _detail(layer: LayerInfo, op: Op) -> str:
    parts = []
    if isinstance(op, Dense):
        n_out, n_in = op.weights.shape
        parts.append(f"{n_in} -> {n_out}")
        parts.append("per channel" if op.weight_scales.size > 1 else "per tensor")
    if layer.activation != "none":
        parts.append(layer.activation)
    if isinstance(op, Softmax) and float(op.beta) != 1.0:
        parts.append(f"beta {float(op.beta):g}")
    return ", ".join(parts)
