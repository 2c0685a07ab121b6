"""The functions that read the file's ops: those of `byteprop.ops`, and those that fold ops away."""

from __future__ import annotations

from collections.abc import Mapping

from tflite import BuiltinOperator as Code

from byteprop.importer import fill, normalize, variables
from byteprop.importer.folding import arithmetic, indexing, joining, shape
from byteprop.ops import specs
from byteprop.ops.spec import Reader

LOWERINGS: Mapping[int, Reader] = {
    getattr(Code, name): reader
    for spec in specs()
    for name, reader in spec.tflite_readers().items()
} | {Code.FILL: Reader(fill.read_fill, 3)}

# Folded away; their operands must be known when the model is loaded. ADD, SUB, MUL and DIV may also
# normalise a float32 input. What LOWERINGS has too runs where its output is int8 or uint8.
FOLDINGS: Mapping[int, Reader] = {
    Code.CALL_ONCE: Reader(variables.read_call_once, 1),
    Code.VAR_HANDLE: Reader(variables.read_var_handle, 1),
    Code.READ_VARIABLE: Reader(variables.read_read_variable, 1),
    Code.ASSIGN_VARIABLE: Reader(variables.read_assign_variable, 1),
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
