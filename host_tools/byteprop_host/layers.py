"""The layers of a model as rows of a table, with what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from byteprop.graph import Activation, Dense, Graph, Op, Rescale, Softmax
from byteprop_host.boards import Board


@dataclass(frozen=True)
class LayerRow:
    """One op. ticks and instructions are None where nothing was measured."""

    index: int
    kind: str
    detail: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    macs: int
    weight_bytes: int
    ticks: int | None = None
    instructions: int | None = None


def layer_rows(
    graph: Graph, ticks: Sequence[int] | None = None, board: Board | None = None
) -> tuple[LayerRow, ...]:
    """One row an op; `ticks` of every op as `board` counted them."""
    if ticks is not None and len(ticks) != len(graph.ops):
        ticks = None
    return tuple(
        _row(graph, i, op, None if ticks is None else ticks[i], board)
        for i, op in enumerate(graph.ops)
    )


def _row(graph: Graph, index: int, op: Op, ticks: int | None, board: Board | None) -> LayerRow:
    tensor = graph.tensors[op.output]
    instructions = None
    if ticks is not None and board is not None:
        instructions = board.instructions(ticks)
    return LayerRow(
        index=index,
        kind=type(op).__name__,
        detail=_detail(op),
        tensor=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype.name.lower(),
        scale=float(tensor.scale),
        zero_point=tensor.zero_point,
        macs=op_macs(graph, op),
        weight_bytes=int(op.weights.size + 4 * op.bias.size) if isinstance(op, Dense) else 0,
        ticks=ticks,
        instructions=None if instructions is None else round(instructions),
    )


def _detail(op: Op) -> str:
    parts = []
    if isinstance(op, Dense):
        n_out, n_in = op.weights.shape
        parts.append(f"{n_in} -> {n_out}")
        parts.append("per channel" if op.weight_scales.size > 1 else "per tensor")
    if isinstance(op, (Dense, Rescale)) and op.activation is not Activation.NONE:
        parts.append(op.activation.name.lower())
    if isinstance(op, Softmax) and float(op.beta) != 1.0:
        parts.append(f"beta {float(op.beta):g}")
    return ", ".join(parts)


def op_macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of an op."""
    if not isinstance(op, Dense):
        return 0
    rows = graph.tensors[op.output].elems // op.weights.shape[0]
    return int(op.weights.size) * rows
