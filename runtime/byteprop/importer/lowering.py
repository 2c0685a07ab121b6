"""From the file's ops to the graph's: each op to the function that `byteprop.ops` has for it, or
to one that folds it away."""

from __future__ import annotations

from tflite import BuiltinOperator, TensorType

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import DType, Graph
from byteprop.importer import legacy
from byteprop.importer.ends import add_inputs, graph_inputs, graph_outputs
from byteprop.importer.readers import FOLDINGS, LOWERINGS
from byteprop.importer.survey import MOVES, Supported, what_is_missing
from byteprop.ops.spec import Reader
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import DTYPES
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import RawModel, RawOp
from byteprop.tflite.values import Computed

_INT16 = "of INT16 byteprop moves and keeps values, and quantises them to INT8"
SUPPORTED = Supported(LOWERINGS.keys(), FOLDINGS.keys())


def lower(model: RawModel) -> Graph:
    """The graph of a file's model. UnsupportedOpError names all ops that byteprop lacks."""
    try:
        return _lower(model)
    except ModelError as error:
        whole = what_is_missing(model, SUPPORTED)
        if whole is None:
            raise
        raise UnsupportedOpError(whole) from error


def _lower(model: RawModel) -> Graph:
    if model.others and not any(op.code == BuiltinOperator.CALL_ONCE for op in model.ops):
        raise UnsupportedOpError(f"{model.subgraphs} subgraphs, expected 1")
    if not model.inputs or not model.outputs:
        raise ModelError("the model has no inputs or no outputs")
    model = legacy.with_int8(model)
    builder = Builder(model, str(SUPPORTED))
    add_inputs(builder)
    for op in model.ops:
        _lower_op(builder, op)
    inputs = graph_inputs(builder)
    outputs = graph_outputs(builder)
    return Graph(tuple(builder.tensors), tuple(builder.ops), inputs, outputs)


def _reader(builder: Builder, op: RawOp) -> Reader | None:
    """An op that can be both runs on tensors of the network, and is folded away elsewhere."""
    runs, folds = LOWERINGS.get(op.code), FOLDINGS.get(op.code)
    if runs is None or folds is None:
        return runs or folds
    is_data = bool(op.outputs) and builder.output(op).type in DTYPES
    return runs if is_data else folds


def _lower_op(builder: Builder, op: RawOp) -> None:
    lowering = _reader(builder, op)
    if lowering is None:
        builder.unsupported(op, "this op is not supported")
    if not 1 <= op.version <= lowering.max_version:
        builder.unsupported(
            op, f"version {op.version} is not supported, versions up to {lowering.max_version} are"
        )
    _check_int16(builder, op)
    lowering.read(builder, op)


def _check_int16(builder: Builder, op: RawOp) -> None:
    """int16 comes from inputs, is moved and kept, and becomes int8."""
    if op.code in MOVES or op.code in (BuiltinOperator.QUANTIZE, BuiltinOperator.DEQUANTIZE):
        return
    for operand, t in enumerate(op.inputs):
        value = builder.values.get(t)
        if isinstance(value, Computed) and builder.tensors[value.index].dtype is DType.INT16:
            raw = builder.required(op, operand)
            builder.unsupported(op, f"input {quoted(raw.name)} is INT16; {_INT16}")
    for index in range(len(op.outputs)):
        raw = builder.output(op, index)
        if raw.type == TensorType.INT16:
            builder.unsupported(op, f"output {quoted(raw.name)} is INT16; {_INT16}")
