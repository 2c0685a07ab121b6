"""Ops of constants alone are computed once, when the model is loaded.

Unrolled layers of Keras have them in their first step, whose state is a constant.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from byteprop import image
from byteprop.engine._raw import Engine
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import Graph
from byteprop.graph.tensor import Kind, Op, Tensor
from byteprop.importer.passes.unread import compact
from byteprop.ops import place, spec_of
from byteprop.ops.add import Add
from byteprop.ops.extremum import Extremum
from byteprop.ops.mul import Mul
from byteprop.ops.prelu import Prelu
from byteprop.tflite.names import quoted

_TAKE_CONSTANTS = (Add, Extremum, Mul, Prelu)
# Multiplications and values of all of these ops, so that a hostile file costs a second at most.
_MOST_WORK = 1 << 25


def with_known_values(graph: Graph) -> Graph:
    """The graph with the results of such ops as constants. UnsupportedOpError for a constant that
    an op does not take."""
    tensors, kept = list(graph.tensors), []
    left = _MOST_WORK
    for op in graph.ops:
        data = None
        if _is_of_constants(tensors, op) and op.output not in graph.outputs:
            left -= _work(tensors, op)
            data = _computed(tensors, op) if left >= 0 else None
        if data is None:
            kept.append(op)
        else:
            tensors[op.output] = replace(tensors[op.output], kind=Kind.CONSTANT, data=data)
    _refuse_constants(tensors, kept)
    return graph if len(kept) == len(graph.ops) else compact(graph, tensors, kept)


def _is_of_constants(tensors: list[Tensor], op: Op) -> bool:
    return len(op.outputs) == 1 and all(tensors[t].kind is Kind.CONSTANT for t in op.inputs)


def _work(tensors: list[Tensor], op: Op) -> int:
    operands = sum(tensors[t].elems for t in (*op.inputs, op.output))
    return spec_of(op).macs(place(tensors, op)) + operands


def _computed(tensors: list[Tensor], op: Op) -> bytes | None:
    """The op's output as the C library computes it; None where no image can hold the op."""
    inputs = list(dict.fromkeys(op.inputs))
    number = {t: i for i, t in enumerate((*inputs, op.output))}
    plain = [replace(tensors[t], kind=Kind.ACTIVATION, data=b"") for t in number]
    alone = Graph(tuple(plain), (op.renumbered(number),), tuple(range(len(inputs))), (len(inputs),))
    try:
        engine = Engine(image.encode(alone, names=False))
    except ModelError:
        return None
    row = b"".join(tensors[t].data for t in inputs)
    return engine.run(np.frombuffer(row, np.uint8).reshape(1, -1)).tobytes()


def _refuse_constants(tensors: list[Tensor], ops: list[Op]) -> None:
    for op in ops:
        for t in () if isinstance(op, _TAKE_CONSTANTS) else op.inputs:
            if tensors[t].kind is Kind.CONSTANT:
                raise UnsupportedOpError(
                    f"{type(op).__name__} with output {quoted(tensors[op.output].name)}: its input "
                    f"{quoted(tensors[t].name)} is the same for all samples, expected one that is "
                    "computed from the model's inputs"
                )
