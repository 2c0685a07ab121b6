"""What a model image can hold; a graph that it cannot is refused by name, before it is encoded."""

from __future__ import annotations

import math

import numpy as np

from byteprop import _raw
from byteprop.errors import ModelError
from byteprop.graph import Dense, DType, Graph, Op, Reshape, Softmax, Tensor
from byteprop.quantization import limits

MAX_RANK = _raw.const("BP_MODEL_MAX_RANK")
MAX_N_IN = _raw.const("BP_DENSE_MAX_INPUTS")
MAX_N_OUT = _raw.const("BP_DENSE_MAX_OUTPUTS")
MAX_CLASSES = _raw.const("BP_SOFTMAX_MAX_ELEMS")
MAX_ELEMS = _raw.const("BP_MODEL_MAX_ARENA_BYTES")
MAX_WEIGHTS = 2**28
_MAX_TENSORS = _raw.const("BP_MODEL_MAX_TENSORS")
_MAX_OPS = _raw.const("BP_MODEL_MAX_OPS")


def check(graph: Graph) -> None:
    """Raises ModelError, naming the tensor or the op, for a graph that no image can hold."""
    _at_most(len(graph.tensors), _MAX_TENSORS, "tensors")
    _at_most(len(graph.ops), _MAX_OPS, "ops")
    _at_most(len(graph.outputs), len(graph.tensors), "outputs")
    for index, tensor in enumerate(graph.tensors):
        _check_tensor(f"tensor {index} {tensor.name!r}", tensor)
    _check_order(graph)
    _check_boundary(graph)
    _check_size(graph)
    for index, op in enumerate(graph.ops):
        x, y = graph.tensors[op.input], graph.tensors[op.output]
        where = f"op {index} {type(op).__name__} (output {y.name!r})"
        _check_op(where, op, x, y)


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


def _check_order(graph: Graph) -> None:
    """Every tensor is written once, before it is read."""
    if not graph.inputs or not graph.outputs:
        raise ModelError("the model has no inputs or no outputs")
    n = len(graph.tensors)
    used = [*graph.inputs, *graph.outputs, *(t for op in graph.ops for t in (op.input, op.output))]
    if not all(0 <= t < n for t in used):
        raise ModelError(f"the model names tensor {max(used, key=abs)} and has {n}")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise ModelError("the model lists the same tensor twice as an input")
    written = set(graph.inputs)
    for index, op in enumerate(graph.ops):
        if op.input not in written:
            raise ModelError(f"op {index} reads tensor {op.input} before it is written")
        if op.output in written:
            raise ModelError(f"op {index} writes tensor {op.output} a second time")
        written.add(op.output)
    missing = set(range(n)) - written
    if missing:
        index = min(missing)
        raise ModelError(f"tensor {index} {graph.tensors[index].name!r} is never written")


def _check_boundary(graph: Graph) -> None:
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


def feature_counts(shape: tuple[int, ...]) -> list[int]:
    """How many constants a normalization of a tensor may have: one for all values of a sample,
    or one per position along its last axis, its last two, and so on."""
    sizes = [math.prod(shape[at:]) for at in range(len(shape), 0, -1)]
    return sorted({1, *sizes})


def _check_size(graph: Graph) -> None:
    """Before memory is taken: several ops may hold the same array."""
    weights = sum(op.weights.size for op in graph.ops if isinstance(op, Dense))
    if weights > MAX_WEIGHTS:
        raise ModelError(f"the model has {weights} weights; {MAX_WEIGHTS} are supported")


def _check_op(where: str, op: Op, x: Tensor, y: Tensor) -> None:
    if isinstance(op, Dense):
        _check_dense(where, op, x, y)
        return
    if x.elems != y.elems:
        raise ModelError(f"{where}: shapes {x.shape} and {y.shape} differ in size")
    if isinstance(op, Softmax):
        _check_softmax(where, x, y)
    elif isinstance(op, Reshape) and x.dtype != y.dtype:
        raise ModelError(f"{where}: input is {x.dtype.name} and output {y.dtype.name}")


def _check_dense(where: str, op: Dense, x: Tensor, y: Tensor) -> None:
    if x.dtype != DType.INT8 or y.dtype != DType.INT8:
        raise ModelError(f"{where}: takes INT8 to INT8, given {x.dtype.name} to {y.dtype.name}")
    if op.weights.ndim != 2 or op.weights.dtype != np.int8:
        raise ModelError(f"{where}: weights must be int8 [n_out, n_in]")
    n_out, n_in = op.weights.shape
    if not 1 <= n_in <= MAX_N_IN:
        raise ModelError(f"{where}: n_in is {n_in}; 1..{MAX_N_IN} is supported")
    if not 1 <= n_out <= MAX_N_OUT:
        raise ModelError(f"{where}: n_out is {n_out}; 1..{MAX_N_OUT} is supported")
    if not y.shape or y.shape[-1] != n_out or x.elems != y.elems // n_out * n_in:
        raise ModelError(
            f"{where}: weights [{n_out}, {n_in}] do not map shape {x.shape} to shape {y.shape}"
        )
    if op.bias.shape != (n_out,) or op.bias.dtype != np.int32:
        given = f"{op.bias.dtype} {op.bias.shape}"
        raise ModelError(f"{where}: bias must be int32 [{n_out}], given {given}")
    if op.weight_scales.shape not in ((1,), (n_out,)):
        given = f"{op.weight_scales.shape} weight scales"
        raise ModelError(f"{where}: {given}; 1 or {n_out} are supported")
    if not (np.isfinite(op.weight_scales).all() and (op.weight_scales > 0).all()):
        raise ModelError(f"{where}: a weight scale is not finite and above 0")
    if not op.has_bias and op.bias.any():
        raise ModelError(f"{where}: has_bias is False and the bias is not zero")


def _check_softmax(where: str, x: Tensor, y: Tensor) -> None:
    if x.dtype != DType.INT8 or y.dtype != DType.INT8:
        raise ModelError(f"{where}: takes INT8 to INT8, given {x.dtype.name} to {y.dtype.name}")
    if x.shape != y.shape or not 1 <= (x.shape or (0,))[-1] <= MAX_CLASSES:
        raise ModelError(
            f"{where}: shapes {x.shape} to {y.shape}; equal shapes "
            f"with 1..{MAX_CLASSES} classes are supported"
        )
    if y.scale != np.float32(1 / 256) or y.zero_point != -128:
        raise ModelError(f"{where}: output scale and zero point must be 1/256 and -128")
