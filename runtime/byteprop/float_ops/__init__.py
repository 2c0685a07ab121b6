"""The ops of a network in float32, in NumPy: one file each. They measure the ranges of a network
that is to be quantised, so they are close to TensorFlow Lite's kernels and not equal to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

import numpy as np

from byteprop.errors import ModelError
from byteprop.float_ops.spec import FloatOp
from byteprop.graph.float_graph import NO_TENSOR, Array, FloatGraph, Node

__all__ = ["chunk_size", "float_ops", "run", "run_node", "walk"]

_MOST_ELEMS = 1 << 21  # of one tensor of a chunk of samples
_MOST_SAMPLES = 1024
# What NumPy raises for shapes that do not go together.
_MISFITS = (ValueError, IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError,
            MemoryError, AttributeError)  # fmt: skip


@cache
def float_ops() -> Mapping[str, FloatOp]:
    """Every op by its name in the schema; the list is made from the files."""
    found: dict[str, FloatOp] = {}
    for module in iter_modules(__path__):
        content = vars(import_module(f"{__name__}.{module.name}")).values()
        kinds = [c for c in content if isinstance(c, type) and c.__module__.endswith(module.name)]
        for kind in kinds:
            if issubclass(kind, FloatOp) and not isabstract(kind):
                found |= {name: kind() for name in kind.names}
    return MappingProxyType(found)


def run_node(graph: FloatGraph, node: Node, values: Mapping[int, Array]) -> list[Array]:
    """The outputs of one op; values: of its inputs that are not constant."""
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            return float_ops()[node.name].run(
                node, [_operand(graph, t, values) for t in node.inputs]
            )
    except _MISFITS as error:
        name = graph.tensors[node.outputs[0]].name if node.outputs else ""
        raise ModelError(
            f"{node.name} with output {name!r}: its operands do not go together ({error})"
        ) from error


def _operand(graph: FloatGraph, index: int, values: Mapping[int, Array]) -> Array | None:
    if index == NO_TENSOR:
        return None
    tensor = graph.tensors[index]
    if tensor.data is None:
        return values[index]
    return tensor.data if tensor.is_index else tensor.data[np.newaxis]


def walk(graph: FloatGraph, x: Sequence[Array], visit: Callable[[int, Array], None]) -> list[Array]:
    """Runs samples [n, *shape] of each input; shows every tensor's values once, and forgets them
    when no op reads them any more. Returns the outputs."""
    left = graph.readers()
    values = dict(zip(graph.inputs, x, strict=True))
    for index, value in values.items():
        visit(index, value)
    for node in graph.nodes:
        for index, value in zip(node.outputs, run_node(graph, node, values), strict=True):
            values[index] = value
            visit(index, value)
        left.subtract(Counter(node.inputs))
        for index in {*node.inputs, *node.outputs} & values.keys():
            if left[index] <= 0:
                del values[index]
    return [values[t] for t in graph.outputs]


def chunk_size(largest: int) -> int:
    """Samples that are computed at once, of a network whose largest tensor has so many elements."""
    return max(1, min(_MOST_SAMPLES, _MOST_ELEMS // max(largest, 1)))


def run(graph: FloatGraph, x: Sequence[Array], largest: int = 1 << 14) -> list[Array]:
    """The outputs for samples [n, *shape] of each input."""
    step = chunk_size(largest)
    parts: list[list[Any]] = [
        walk(graph, [column[i : i + step] for column in x], lambda index, value: None)
        for i in range(0, len(x[0]), step)
    ]
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]
