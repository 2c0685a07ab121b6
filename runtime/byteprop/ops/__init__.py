"""Every op: one file each, with its class and its `OpSpec`. The list is made from the files.

A spec says how the op is laid into the image and read back, what the graph check refuses, whether
it works in place, how a .tflite file states it, and what it costs. Its arithmetic is in csrc/ops
and, independently, in `reference`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from typing import Any

from byteprop.errors import ModelError
from byteprop.graph.tensor import Op, Tensor
from byteprop.ops.concatenate import Concatenate
from byteprop.ops.conv import Conv
from byteprop.ops.dense import Dense
from byteprop.ops.depthwise import Depthwise
from byteprop.ops.pad import Pad
from byteprop.ops.rescale import Rescale
from byteprop.ops.reshape import Reshape
from byteprop.ops.slice import Slice
from byteprop.ops.softmax import Softmax
from byteprop.ops.spec import OpSpec, Placed
from byteprop.ops.transpose import Transpose
from byteprop.ops.transpose_conv import TransposeConv

__all__ = [
    "Concatenate", "Conv", "Dense", "Depthwise", "Pad", "Rescale", "Reshape", "Slice", "Softmax",
    "Transpose", "TransposeConv", "place", "spec_of", "spec_of_code", "specs",
]  # fmt: skip


@cache
def specs() -> tuple[OpSpec[Any], ...]:
    """One spec for each file of this package, by code."""
    found = []
    for module in iter_modules(__path__):
        content = vars(import_module(f"{__name__}.{module.name}")).values()
        kinds = [c for c in content if isinstance(c, type) and c.__module__.endswith(module.name)]
        found += [c() for c in kinds if issubclass(c, OpSpec) and not isabstract(c)]
    return tuple(sorted(found, key=lambda spec: spec.code))


def spec_of(op: Op) -> OpSpec[Any]:
    """The spec of an op of a graph."""
    for spec in specs():
        if type(op) is spec.kind:
            return spec
    raise ModelError(f"{type(op).__name__} is not an op of byteprop.ops")


def spec_of_code(code: int) -> OpSpec[Any]:
    """The spec of an op in an image."""
    for spec in specs():
        if spec.code == code:
            return spec
    raise ModelError(f"op code {code} has no file in byteprop.ops")


def place(tensors: Sequence[Tensor], op: Op, where: str = "") -> Placed[Any]:
    """The op with its tensors."""
    inputs = tuple(tensors[t] for t in op.inputs)
    return Placed(op, inputs, tuple(tensors[t] for t in op.outputs), where)
