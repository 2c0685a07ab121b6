"""Writes a graph as a .tflite file, which TensorFlow Lite's reference kernels run to the same bytes
and which `load` reads back as the same graph."""

from __future__ import annotations

from byteprop.errors import ModelError
from byteprop.graph import DType, Graph, Kind
from byteprop.graph.tensor import Activation, Op
from byteprop.ops import Rescale, place, spec_of
from byteprop.ops.convolution import Convolution
from byteprop.tflite.writer import Writer


def write_tflite(graph: Graph) -> bytes:
    """The file. ModelError for what the format cannot state.

    A convolution with one scale can be stated in uint8 alone, and then the whole file is uint8.
    """
    as_uint8 = any(isinstance(op, Convolution) and op.one_scale for op in graph.ops)
    states = [t for op in graph.ops for t in spec_of(op).own_states(op)]
    if as_uint8 and any(t.kind is Kind.STATE for t in graph.tensors):
        raise ModelError("a .tflite file of uint8 cannot state the model, as it has variables")
    writer = Writer(graph, states, as_uint8=as_uint8)
    joined = _join_ends(graph, writer) if as_uint8 else set()
    inputs = writer.begin()
    for index, op in enumerate(graph.ops):
        if index in joined:
            continue
        where = f"op {index} {type(op).__name__}"
        spec_of(op).write_tflite(place(graph.tensors, op, where), writer)
        writer.op_is_written()
    return writer.end(inputs)


def _join_ends(graph: Graph, writer: Writer) -> set[int]:
    """Ops between int8 and uint8 that change nothing where all is uint8: both tensors become one,
    that of the input or the output."""
    joined = {}
    for index, op in enumerate(graph.ops):
        if not _is_shift(graph, op):
            continue
        if op.input in graph.inputs:
            writer.tensors[op.output] = writer.tensors[op.input]
            joined[index] = op.output
        elif op.output in graph.outputs and op.input not in (*joined.values(), *graph.outputs):
            writer.tensors[op.input] = writer.tensors[op.output]
            joined[index] = op.input
    return set(joined)


def _is_shift(graph: Graph, op: Op) -> bool:
    """Whether it is a QUANTIZE from int8 to uint8 or back between equal scales."""
    if not isinstance(op, Rescale) or op.activation is not Activation.NONE:
        return False
    low, high = (graph.tensors[t] for t in (op.input, op.output))
    if low.dtype is DType.UINT8:
        low, high = high, low
    return (
        (low.dtype, high.dtype) == (DType.INT8, DType.UINT8)
        and (low.scale, low.zero_point + 128, low.shape)
        == (high.scale, high.zero_point, high.shape)
    )  # fmt: skip
