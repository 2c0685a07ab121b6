"""Writes a graph as a .tflite file, which TensorFlow Lite's reference kernels run to the same bytes
and which `load` reads back as the same graph."""

from __future__ import annotations

from byteprop.graph import Graph
from byteprop.ops import place, spec_of
from byteprop.tflite.writer import Writer


def write_tflite(graph: Graph) -> bytes:
    """The file. ModelError for what the format cannot state."""
    writer = Writer(graph, [t for op in graph.ops for t in spec_of(op).own_states(op)])
    inputs = writer.begin()
    for index, op in enumerate(graph.ops):
        where = f"op {index} {type(op).__name__}"
        spec_of(op).write_tflite(place(graph.tensors, op, where), writer)
        writer.op_is_written()
    return writer.end(inputs)
