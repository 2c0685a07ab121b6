"""The model between file formats: what an importer produces and the image encoder, the reference
and the exporters consume.

A graph is a list of ops in execution order over tensors named by index. Weights are stored in their
ops, whose classes are in `byteprop.ops`. Shapes are those of the file with a dynamic batch set
to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from byteprop.graph.normalization import Normalization
from byteprop.graph.tensor import Activation, DType, Kind, Op, Tensor

__all__ = [
    "Activation",
    "DType",
    "Graph",
    "Kind",
    "Normalization",
    "Op",
    "Tensor",
]


@dataclass(frozen=True)
class Graph:
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
