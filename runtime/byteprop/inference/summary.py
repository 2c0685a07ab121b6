"""The table that Model.summary prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from byteprop.graph import Graph
from byteprop.graph.normalization import describe
from byteprop.image import without_names
from byteprop.inference.info import LayerInfo, TensorInfo, describe_left_out

_TITLES = (
    "layer", "op", "output shape", "activation", "scale", "zero point", "MACs", "weight bytes",
)  # fmt: skip
_RIGHT_FROM = 4  # numbers from this column on
_MAX_NAME = 32


class Summarised(Protocol):
    """What a summary reads of a model."""

    graph: Graph
    image: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    layers: tuple[LayerInfo, ...]
    macs: int

    @property
    def arena_bytes(self) -> int: ...


def summary(model: Summarised) -> str:
    """Inputs and outputs, one line per layer, totals."""
    rows = [_row(layer) for layer in model.layers]
    weight_bytes = sum(layer.weight_bytes for layer in model.layers)
    total = ("total", f"{len(rows)} ops", "", "", "", "", f"{model.macs:,}", f"{weight_bytes:,}")
    widths = [max(map(len, column)) for column in zip(_TITLES, total, *rows, strict=True)]
    rule = "  ".join("-" * width for width in widths)
    ends = [line for info in model.inputs for line in _end("input", info)]
    ends += [line for info in model.outputs for line in _end("output", info)]
    table = [_line(_TITLES, widths), rule, *(_line(r, widths) for r in rows), rule]
    image_bytes = len(without_names(model.image))
    sizes = f"arena {model.arena_bytes:,} bytes, model image {image_bytes:,} bytes without names"
    left_out = describe_left_out(model.graph.left_out)
    notes = [sizes, left_out] if left_out else [sizes]
    return "\n".join([*ends, "", *table, _line(total, widths), "", *notes])


def _end(kind: str, info: TensorInfo) -> list[str]:
    line = (
        f"{kind:6}  {_short(info.name)}  {info.dtype}{list(info.shape)}  "
        f"scale {info.scale:.9g}  zero point {info.zero_point}"
    )
    if info.normalization is None:
        return [line]
    return [line, f"        normalized: {describe(info.normalization)}"]


def _row(layer: LayerInfo) -> tuple[str, ...]:
    return (
        f"{layer.index} {_short(layer.name)}",
        layer.op,
        "x".join(map(str, layer.output_shape)) or "scalar",
        layer.activation,
        f"{layer.scale:.6g}",
        str(layer.zero_point),
        f"{layer.macs:,}",
        f"{layer.weight_bytes:,}",
    )


def _short(name: str) -> str:
    """Shortens a name to its end: converters make long names that differ only there."""
    return name if len(name) <= _MAX_NAME else "..." + name[3 - _MAX_NAME :]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(width) if i >= _RIGHT_FROM else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()
