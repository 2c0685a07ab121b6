"""From the file's ops to the graph's: each op to the function that `byteprop.ops` has for it, or
to one that folds it away."""

from __future__ import annotations

from collections.abc import Mapping

from tflite import BuiltinOperator as Code

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import Graph
from byteprop.importer import normalize
from byteprop.importer.ends import add_inputs, graph_inputs, graph_outputs
from byteprop.importer.folding import arithmetic, indexing, joining, shape
from byteprop.importer.survey import Supported, what_is_missing
from byteprop.ops import specs
from byteprop.ops.spec import Reader
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import DTYPES
from byteprop.tflite.rawmodel import RawModel, RawOp

LOWERINGS: Mapping[int, Reader] = {
    getattr(Code, name): reader
    for spec in specs()
    for name, reader in spec.tflite_readers().items()
}

# Folded away; their operands must be known when the model is loaded. ADD, SUB, MUL and DIV may also
# normalise a float32 input. What LOWERINGS has too runs where its output is int8 or uint8.
FOLDINGS: Mapping[int, Reader] = {
    Code.SHAPE: Reader(shape.fold_shape, 1),
    Code.RANK: Reader(shape.fold_rank, 1),
    Code.CAST: Reader(shape.fold_cast, 4),
    Code.STRIDED_SLICE: Reader(indexing.fold_strided_slice, 4),
    Code.SLICE: Reader(indexing.fold_slice, 5),
    Code.GATHER: Reader(indexing.fold_gather, 6),
    Code.PACK: Reader(joining.fold_pack, 3),
    Code.CONCATENATION: Reader(joining.fold_concatenation, 3),
    Code.ADD: Reader(normalize.lower_add, 5),
    Code.SUB: Reader(normalize.lower_sub, 5),
    Code.MUL: Reader(normalize.lower_mul, 7),
    Code.DIV: Reader(normalize.lower_div, 2),
    Code.FLOOR_DIV: Reader(arithmetic.fold_floor_div, 3),
    Code.MAXIMUM: Reader(arithmetic.fold_maximum, 4),
    Code.MINIMUM: Reader(arithmetic.fold_minimum, 4),
    Code.REDUCE_PROD: Reader(arithmetic.fold_reduce_prod, 2),
}


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
    if model.subgraphs != 1:
        raise UnsupportedOpError(f"{model.subgraphs} subgraphs, expected 1")
    if not model.inputs or not model.outputs:
        raise ModelError("the model has no inputs or no outputs")
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
    lowering.read(builder, op)
