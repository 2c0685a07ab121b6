"""All that keeps byteprop from running a file, in one message. Lowering stops at the first op that
it does not take, which is seldom all that the file's owner has to know."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tflite import BuiltinOperator as Code
from tflite import TensorType

from byteprop.errors import ModelError
from byteprop.tflite.checks import counted, described
from byteprop.tflite.rawmodel import NO_TENSOR, RawModel, RawOp, RawTensor, op_name

_NUMBERS = (TensorType.INT32, TensorType.INT64)
_INTEGERS = (TensorType.INT8, TensorType.UINT8, TensorType.INT16)
# These move or convert values; what they stand between computes.
_RESHAPES = (Code.RESHAPE, Code.EXPAND_DIMS, Code.SQUEEZE)
_PASSIVE = (Code.QUANTIZE, Code.DEQUANTIZE, *_RESHAPES)
# By a constant, these normalise a float32 input.
_NORMALIZE = (Code.ADD, Code.SUB, Code.MUL, Code.DIV)
# The value of a variable is data; the handle is none.
_VARIABLES = (Code.CALL_ONCE, Code.VAR_HANDLE, Code.READ_VARIABLE, Code.ASSIGN_VARIABLE)
# These take int16, too.
MOVES = frozenset(
    (
        *_RESHAPES, Code.CONCATENATION, Code.SLICE, Code.STRIDED_SLICE, Code.SPLIT, Code.SPLIT_V,
        Code.READ_VARIABLE, Code.ASSIGN_VARIABLE,
    )
)  # fmt: skip
_RUNS_SUBGRAPHS = (
    Code.CALL, Code.IF, Code.WHILE, Code.STABLEHLO_COMPOSITE, Code.STABLEHLO_WHILE,
)  # fmt: skip
_CONVERT = (
    "convert it again with full integer quantisation (in TensorFlow's converter a "
    "representative_dataset, and TFLITE_BUILTINS_INT8 as the only supported_ops)"
)


@dataclass(frozen=True)
class Supported:
    """The ops that run on tensors, and those that are folded away in shape arithmetic."""

    on_tensors: Collection[int]
    on_shapes: Collection[int]

    def __str__(self) -> str:
        return f"byteprop runs, on int8 tensors: {', '.join(map(op_name, self.on_tensors))}"


def what_is_missing(model: RawModel, supported: Supported) -> str | None:
    """What the model has that byteprop has not; None when each op for itself is supported."""
    normalizing = _normalizing(model)
    lacking = [
        op
        for op in model.ops
        if op.index not in normalizing and not _is_supported(model, op, supported)
    ]
    floats = [op for op in _float_ops(model) if op.index not in normalizing]
    parts = [
        _float_part(model, floats) or _integer_part(model),
        _subgraph_part(model),
        _lacking_part(model, lacking),
    ]
    if not any(parts):
        return None
    text = "; ".join(part for part in parts if part)
    return f"{text}. {supported}" if lacking else text


def _is_supported(model: RawModel, op: RawOp, supported: Supported) -> bool:
    if op.code in supported.on_tensors or op.code in _VARIABLES:
        return True
    on_shapes = all(model.tensors[i].type in _NUMBERS for i in op.outputs)
    return op.code in supported.on_shapes and on_shapes


def _normalizing(model: RawModel) -> set[int]:
    """The ops that compute with a float32 input and constants alone, before it is quantised."""
    inputs = set(model.inputs)
    found = set()
    for op in model.ops:
        known = [
            i in inputs or (i != NO_TENSOR and model.tensors[i].data is not None) for i in op.inputs
        ]
        if not (inputs & set(op.inputs)) or not all(known):
            continue
        if op.code in _NORMALIZE and _has(model, op.outputs, (TensorType.FLOAT32,)):
            found.add(op.index)
        elif op.code not in _RESHAPES:
            continue
        inputs.update(op.outputs)
    return found


def _lacking_part(model: RawModel, lacking: list[RawOp]) -> str:
    if not lacking:
        return ""
    names, first = counted(lacking), described(model, lacking[0])
    if len(lacking) == 1:
        return f"{names} is not supported ({first})"
    return f"{names} are not supported (the first is {first})"


def _subgraph_part(model: RawModel) -> str:
    callers = [op for op in model.ops if op.code in _RUNS_SUBGRAPHS]
    has_once = any(op.code == Code.CALL_ONCE for op in model.ops)
    if model.subgraphs == 1 or (has_once and not callers):
        return ""
    reason = f"run by {counted(callers)}" if callers else "no op of the first runs another"
    return f"{model.subgraphs} subgraphs, expected 1: {reason}"


# ---------------------------------------------------------------------------------- kinds of model


def _integer_part(model: RawModel) -> str:
    """Of a model that computes in other integers than int8."""
    wide = [
        op
        for op in model.ops
        if op.code not in MOVES and _has(model, op.outputs, (TensorType.INT16,))
    ]
    if wide:
        return f"int16 activations, expected int8 ({described(model, wide[0])}): {_CONVERT}"
    return ""


def _float_ops(model: RawModel) -> list[RawOp]:
    """The ops that compute in float32."""
    return [
        op
        for op in model.ops
        if op.code not in _PASSIVE and _has(model, op.outputs, (TensorType.FLOAT32,))
    ]


def _float_part(model: RawModel, floats: list[RawOp]) -> str:
    if not floats:
        return ""
    if _has(model, model.inputs, _INTEGERS) or any(
        op.code not in _PASSIVE and _has(model, op.outputs, _INTEGERS) for op in model.ops
    ):
        verb = "computes" if len(floats) == 1 else "compute"
        return (
            f"a partly quantised model: {counted(floats)} {verb} in float32, byteprop in integers; "
            + _CONVERT
        )
    kind = _weights_kind(model, floats)
    advice = _CONVERT
    if _is_quantizable(model):
        advice = "make an int8 model of it: byteprop quantize FILE --data SAMPLES"
    return f"a {kind} model, and byteprop computes in integers: {advice}"


def _weights_kind(model: RawModel, floats: list[RawOp]) -> str:
    constants = [t for op in floats for t in _tensors(model, op.inputs) if t.data is not None]
    if any(t.type in _INTEGERS and t.quantization is not None for t in constants):
        return "hybrid (float32 activations, int8 weights)"
    unpacked = [op for op in model.ops if op.code == Code.DEQUANTIZE]
    if any(t.data is not None for op in unpacked for t in _tensors(model, op.inputs)):
        return "float32 (with smaller weights, which it unpacks)"
    return "float32"


def _is_quantizable(model: RawModel) -> bool:
    from byteprop.importer.float_graph import graph_of

    try:
        graph_of(model)
    except ModelError:
        return False
    return True


def _has(model: RawModel, indices: Iterable[int], types: Collection[int]) -> bool:
    return any(t.type in types for t in _tensors(model, indices))


def _tensors(model: RawModel, indices: Iterable[int]) -> list[RawTensor]:
    return [model.tensors[i] for i in indices if i != NO_TENSOR]
