"""The model between file formats: what an importer produces and the image encoder, the reference
and the exporters consume.

A graph is a list of ops in execution order over tensors named by index. Weights are stored in their
ops, whose classes are in `byteprop.ops`. Shapes are those of the file with a dynamic batch set
to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from byteprop.graph.normalization import Normalization
from byteprop.graph.tensor import Activation, DType, Kind, Op, Tensor

__all__ = [
    "Activation",
    "DType",
    "Graph",
    "Kind",
    "LeftOut",
    "Normalization",
    "Op",
    "Tensor",
]


@dataclass(frozen=True)
class LeftOut:
    """What convolutions of a file have and their graph has not, since no output depends on it.
    macs and weight_bytes: of all ops. constant: channels that are constant and had to stay; they
    have no weights."""

    channels: int
    of: int
    macs: int
    weight_bytes: int
    constant: int


@dataclass(frozen=True)
class Graph:
    """left_out: by the importer; None for nothing."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    left_out: LeftOut | None = field(default=None, compare=False)
