"""From the file's ops to the graph's: each op to the function that its builtin code names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tflite import BuiltinOperator as Code

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import Graph
from byteprop.importer.builder import Builder
from byteprop.importer.ends import add_inputs, graph_inputs, graph_outputs
from byteprop.importer.folding import arithmetic, indexing, joining, shape
from byteprop.importer.ops import activation, border, dense, normalize, reshape, softmax
from byteprop.importer.rawmodel import RawModel, RawOp
from byteprop.importer.survey import Supported, what_is_missing


@dataclass(frozen=True)
class Lowering:
    """A function for an op, and the greatest version that TensorFlow Lite 2.14 runs."""

    run: Callable[[Builder, RawOp], None]
    max_version: int


LOWERINGS: Mapping[int, Lowering] = {
    Code.FULLY_CONNECTED: Lowering(dense.lower, 9),
    Code.SOFTMAX: Lowering(softmax.lower, 3),
    Code.RELU: Lowering(activation.lower_relu, 3),
    Code.RELU6: Lowering(activation.lower_relu6, 3),
    Code.RELU_N1_TO_1: Lowering(activation.lower_relu_n1_to_1, 1),
    Code.RELU_0_TO_1: Lowering(activation.lower_relu_0_to_1, 1),
    Code.QUANTIZE: Lowering(border.lower_quantize, 2),
    Code.DEQUANTIZE: Lowering(border.lower_dequantize, 4),
    Code.RESHAPE: Lowering(reshape.lower_reshape, 1),
    Code.EXPAND_DIMS: Lowering(reshape.lower_expand_dims, 1),
    Code.SQUEEZE: Lowering(reshape.lower_squeeze, 1),
}

# Folded away; their operands must be known when the model is loaded. ADD, SUB, MUL and DIV may also
# normalise a float32 input.
FOLDINGS: Mapping[int, Lowering] = {
    Code.SHAPE: Lowering(shape.fold_shape, 1),
    Code.RANK: Lowering(shape.fold_rank, 1),
    Code.CAST: Lowering(shape.fold_cast, 4),
    Code.STRIDED_SLICE: Lowering(indexing.fold_strided_slice, 4),
    Code.SLICE: Lowering(indexing.fold_slice, 5),
    Code.GATHER: Lowering(indexing.fold_gather, 6),
    Code.PACK: Lowering(joining.fold_pack, 3),
    Code.CONCATENATION: Lowering(joining.fold_concatenation, 3),
    Code.ADD: Lowering(normalize.lower_add, 5),
    Code.SUB: Lowering(normalize.lower_sub, 5),
    Code.MUL: Lowering(normalize.lower_mul, 7),
    Code.DIV: Lowering(normalize.lower_div, 2),
    Code.FLOOR_DIV: Lowering(arithmetic.fold_floor_div, 3),
    Code.MAXIMUM: Lowering(arithmetic.fold_maximum, 4),
    Code.MINIMUM: Lowering(arithmetic.fold_minimum, 4),
    Code.REDUCE_PROD: Lowering(arithmetic.fold_reduce_prod, 2),
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


def _lower_op(builder: Builder, op: RawOp) -> None:
    lowering = LOWERINGS.get(op.code) or FOLDINGS.get(op.code)
    if lowering is None:
        builder.unsupported(op, "this op is not supported")
    if not 1 <= op.version <= lowering.max_version:
        builder.unsupported(
            op, f"version {op.version} is not supported, versions up to {lowering.max_version} are"
        )
    lowering.run(builder, op)
