"""Checks of shapes and quantisation parameters, and how names appear in messages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
import tflite

from byteprop.graph import DType
from byteprop.graph.limits import MAX_ELEMS, MAX_RANK
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import RawModel, RawOp, RawTensor

DTYPES = {
    tflite.TensorType.INT8: DType.INT8,
    tflite.TensorType.UINT8: DType.UINT8,
    tflite.TensorType.INT16: DType.INT16,
}
# Of int8 tensors between which and the model's inputs and outputs in uint8 a QUANTIZE stands.
INT8_SUFFIX = "/int8"
_MOST_NAMES = 12
_LIMITS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (0, 0)}


def described(model: RawModel, op: RawOp) -> str:
    """An op by its index, its name and what it computes."""
    names = ", ".join(quoted(_name_in_file(model, i)) for i in op.outputs)
    return f"op {op.index}, {op.name} with output {names or 'none'}"


def _name_in_file(model: RawModel, index: int) -> str:
    name = model.tensors[index].name
    return name.removesuffix(INT8_SUFFIX) if index in model.was_uint8 else name


def counted(ops: Iterable[RawOp]) -> str:
    """`CONV_2D 9, ADD 3`, in the order of the file."""
    counts = Counter(op.name for op in ops)
    names = [f"{name} {n}" for name, n in counts.items()]
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES:] = [f"and {len(names) - _MOST_NAMES} other kinds"]
    return ", ".join(names)


def shape_problem(shape: tuple[int, ...]) -> str | None:
    if len(shape) > MAX_RANK:
        return f"{len(shape)} dimensions; byteprop takes up to {MAX_RANK}"
    if any(dim < 1 for dim in shape):
        return f"the shape {list(shape)}; every dimension must be at least 1"
    if math.prod(shape) > MAX_ELEMS:
        return f"{math.prod(shape)} elements; byteprop takes up to {MAX_ELEMS}"
    return None


def quantization_problem(raw: RawTensor) -> str | None:
    """Why an activation's scale and zero point are unusable, None when they are fine."""
    name = quoted(raw.name)
    if raw.is_variable or raw.is_sparse:
        return f"{name} is {'variable' if raw.is_variable else 'sparse'}"
    if raw.quantization is None:
        return f"{name} is {raw.type_name} without quantisation parameters"
    quantization = raw.quantization
    if quantization.custom:
        return f"{name} has a custom quantisation"
    if len(quantization.scales) != 1:
        return f"{name} has {len(quantization.scales)} scales; an activation has one"
    scale, zero_point = scale_and_zero(raw)
    if not (np.isfinite(scale) and scale > 0):
        return f"{name} has the scale {scale}"
    low, high = _LIMITS[DTYPES[raw.type]]
    if not low <= zero_point <= high:
        expected = ", expected 0" if low == high else f", outside {raw.type_name}"
        return f"{name} has the zero point {zero_point}{expected}"
    return None


def is_bare(raw: RawTensor) -> bool:
    """Whether it is a tensor of one of DTYPES without scale, which ops that move bytes can take."""
    return raw.type in DTYPES and raw.quantization is None


def scale_and_zero(raw: RawTensor) -> tuple[np.float32, int]:
    assert raw.quantization is not None
    return np.float32(raw.quantization.scales[0]), int(raw.quantization.zero_points[0])
