"""What a model image can hold; a graph that it cannot is refused by name, before it is encoded."""

from __future__ import annotations

import math

import numpy as np

from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import Graph
from byteprop.graph.limits import MAX_ELEMS, MAX_RANK, MAX_WEIGHTS
from byteprop.graph.normalization import feature_counts
from byteprop.graph.quantization import limits
from byteprop.graph.tensor import DType, Kind, Tensor
from byteprop.ops import place, spec_of
from byteprop.ops.dense import MAX_N_IN, MAX_N_OUT
from byteprop.ops.softmax import MAX_CLASSES

__all__ = [
    "MAX_CLASSES",
    "MAX_ELEMS",
    "MAX_N_IN",
    "MAX_N_OUT",
    "MAX_RANK",
    "MAX_WEIGHTS",
    "check",
]

_MAX_TENSORS = _raw.const("BP_MODEL_MAX_TENSORS")
_MAX_OPS = _raw.const("BP_MODEL_MAX_OPS")
_MAX_ROWS = 255 // _raw.const("BP_TENSOR_ROWS")


def check(graph: Graph) -> None:
    """Raises ModelError, naming the tensor or the op, for a graph that no image can hold."""
    _at_most(len(graph.tensors), _MAX_TENSORS, "tensors")
    _at_most(len(graph.ops), _MAX_OPS, "ops")
    _at_most(len(graph.outputs), len(graph.tensors), "outputs")
    for index, tensor in enumerate(graph.tensors):
        _check_tensor(f"tensor {index} {tensor.name!r}", tensor)
    _check_order(graph)
    _check_boundary(graph)
    _check_normalizations(graph)
    _check_size(graph)
    for index, op in enumerate(graph.ops):
        y = graph.tensors[op.outputs[0]]
        where = f"op {index} {type(op).__name__} (output {y.name!r})"
        spec_of(op).check(place(graph.tensors, op, where))


def _at_most(n: int, most: int, what: str) -> None:
    if n > most:
        raise ModelError(f"the model has {n} {what}; a model image of it holds {most} at most")


def _check_tensor(where: str, t: Tensor) -> None:
    if len(t.shape) > MAX_RANK:
        raise ModelError(f"{where}: {len(t.shape)} dimensions; {MAX_RANK} at most are supported")
    if any(d < 1 for d in t.shape):
        raise ModelError(f"{where}: shape {t.shape}; every dimension must be at least 1")
    if math.prod(t.shape) > MAX_ELEMS:
        raise ModelError(f"{where}: shape {t.shape} has more than {MAX_ELEMS} elements")
    if not (math.isfinite(t.scale) and t.scale > 0):
        raise ModelError(f"{where}: scale {t.scale}; it must be finite and above 0")
    lowest, highest = limits(t.dtype)
    if not lowest <= t.zero_point <= highest:
        raise ModelError(f"{where}: zero point {t.zero_point} is not in {lowest}..{highest}")

    if t.dtype is DType.INT16 and (t.zero_point or not t.shape or t.shape[-1] % 2):
        raise ModelError(
            f"{where}: int16 with the zero point {t.zero_point} and shape {t.shape}; expected 0 "
            "and two elements of a value along the last axis"
        )
    if t.dtype is DType.INT16 and t.float_border:
        raise ModelError(f"{where}: int16 that stands for float32, expected int8 or uint8")
    if t.kind is Kind.CONSTANT and len(t.data) != t.elems:
        raise ModelError(f"{where}: expected {t.elems} bytes of data, got {len(t.data)}")
    if t.kind is Kind.STATE and len(t.data) not in (0, t.elems):
        raise ModelError(f"{where}: expected {t.elems} bytes to begin with, got {len(t.data)}")
    if t.kind is Kind.ACTIVATION and t.data:
        raise ModelError(f"{where}: a tensor of kind {t.kind.name} has data")
    _check_rows(where, t)


def _check_rows(where: str, t: Tensor) -> None:
    if t.kind is not Kind.ROWS:
        if t.rows:
            raise ModelError(f"{where}: a tensor of kind {t.kind.name} has {t.rows} rows")
    elif len(t.shape) != MAX_RANK or t.shape[0] != 1:
        raise ModelError(f"{where}: expected an image [1, height, width, channels], got {t.shape}")
    elif not 1 <= t.rows <= min(t.shape[1], _MAX_ROWS):
        raise ModelError(
            f"{where}: expected 1..{min(t.shape[1], _MAX_ROWS)} rows in the arena, got {t.rows}"
        )


def _check_order(graph: Graph) -> None:
    """Every activation is written once, before it is read; constants are never written."""
    if not graph.inputs or not graph.outputs:
        raise ModelError("the model has no inputs or no outputs")
    n = len(graph.tensors)
    operands = [t for op in graph.ops for t in (*op.inputs, *op.outputs)]
    used = [*graph.inputs, *graph.outputs, *operands]
    if not all(0 <= t < n for t in used):
        raise ModelError(f"the model names tensor {max(used, key=abs)} and has {n}")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise ModelError("the model lists the same tensor twice as an input")
    states = {t for t in range(n) if graph.tensors[t].kind is Kind.STATE}
    constants = {t for t in range(n) if graph.tensors[t].kind is Kind.CONSTANT}
    written = {*graph.inputs, *states, *constants}
    for index, op in enumerate(graph.ops):
        for t in op.inputs:
            if t not in written:
                raise ModelError(f"op {index} reads tensor {t} before it is written")
        for t in op.outputs:
            if t in written - states:
                raise ModelError(f"op {index} writes tensor {t} a second time")
            written.add(t)
    missing = set(range(n)) - written
    if missing:
        index = min(missing)
        raise ModelError(f"tensor {index} {graph.tensors[index].name!r} is never written")


def _check_boundary(graph: Graph) -> None:
    for t in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[t]
        is_fed = tensor.kind is Kind.ROWS and graph.inputs == (t,)
        if tensor.kind is not Kind.ACTIVATION and not is_fed:
            raise ModelError(
                f"tensor {t} {tensor.name!r}: an input or output of the model must be an "
                f"ACTIVATION, got {tensor.kind.name}"
            )


def _check_normalizations(graph: Graph) -> None:
    """Float32 inputs alone are normalised, by constants that float32 arithmetic can use."""
    for index, tensor in enumerate(graph.tensors):
        if tensor.normalization is None:
            continue
        where = f"tensor {index} {tensor.name!r}"
        if index not in graph.inputs or not tensor.float_border:
            raise ModelError(f"{where}: expected no normalization but of a float32 input")
        constants = (tensor.normalization.sub, tensor.normalization.mul)
        sizes = feature_counts(tensor.shape)
        if any(c.dtype != np.float32 or c.ndim != 1 or len(c) not in sizes for c in constants):
            got = ", ".join(f"{c.dtype} {list(c.shape)}" for c in constants)
            raise ModelError(
                f"{where}: expected a normalization of float32 [{' or '.join(map(str, sizes))}], "
                f"got {got}"
            )
        if len(constants[0]) != len(constants[1]):
            raise ModelError(
                f"{where}: expected as many mul as sub, got {len(constants[1])} and "
                f"{len(constants[0])}"
            )
        if not all(np.isfinite(c).all() for c in constants):
            raise ModelError(f"{where}: expected a normalization by finite numbers")


def _check_size(graph: Graph) -> None:
    """Before memory is taken: several ops may hold the same array."""
    weights = sum(spec_of(op).weights(op) for op in graph.ops)
    if weights > MAX_WEIGHTS:
        raise ModelError(f"the model has {weights} weights; {MAX_WEIGHTS} are supported")
