"""The inputs and outputs of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tflite

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import Kind, Tensor
from byteprop.ops import Reshape
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import (
    DTYPES,
    is_bare,
    quantization_problem,
    scale_and_zero,
    shape_problem,
)
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import RawTensor
from byteprop.tflite.values import Computed, FloatInput, FloatOutput


def add_inputs(builder: Builder) -> None:
    for index in builder.model.inputs:
        raw = builder.model.tensors[index]
        if index in builder.values or raw.data is not None or raw.is_variable:
            raise ModelError(f"input {quoted(raw.name)} is listed twice, constant or variable")
        _check_input(raw)
        if raw.type == tflite.TensorType.FLOAT32:
            builder.values[index] = FloatInput(index, raw.shape)
        else:
            # Without a scale integers stand for themselves.
            scale, zero_point = (np.float32(1), 0) if is_bare(raw) else scale_and_zero(raw)
            tensor = Tensor(
                raw.name, DTYPES[raw.type].of_values(raw.shape), DTYPES[raw.type], scale, zero_point
            )
            builder.input_of[index] = builder.tensor(tensor)
            builder.values[index] = Computed(builder.input_of[index])
            if is_bare(raw):
                builder.bare.add(builder.input_of[index])


def _check_input(raw: RawTensor) -> None:
    if raw.type != tflite.TensorType.FLOAT32:
        if raw.type not in DTYPES:
            raise UnsupportedOpError(
                f"input {quoted(raw.name)} is {raw.type_name}; byteprop takes INT8, UINT8, "
                "INT16, and FLOAT32 that a QUANTIZE op turns into INT8 or UINT8"
            )
        problem = None if is_bare(raw) else quantization_problem(raw)
        if problem:
            raise ModelError(f"input: {problem}")
    problem = shape_problem(raw.shape)
    if raw.type == tflite.TensorType.INT16 and not raw.shape:
        problem = "no dimensions; an input of int16 has one at least"
    if problem:
        raise UnsupportedOpError(f"input {quoted(raw.name)} has {problem}")


def graph_inputs(builder: Builder) -> tuple[int, ...]:
    for index in builder.model.inputs:
        if index not in builder.input_of:
            name = quoted(builder.model.tensors[index].name)
            raise UnsupportedOpError(
                f"float32 input {name} is not quantised by any QUANTIZE op; "
                "convert the model with full integer quantisation"
            )
    return tuple(builder.input_of[index] for index in builder.model.inputs)


def graph_outputs(builder: Builder) -> tuple[int, ...]:
    outputs: list[int] = []
    for index in builder.model.outputs:
        outputs.append(_graph_output(builder, builder.model.tensors[index], outputs))
    return tuple(outputs)


def _graph_output(builder: Builder, raw: RawTensor, taken: list[int]) -> int:
    """Inputs and outputs are tensors of their own: what is already one of them is copied."""
    value = builder.values.get(raw.index)
    if not isinstance(value, (Computed, FloatOutput)):
        raise UnsupportedOpError(
            f"output {quoted(raw.name)} ({raw.type_name}) is not computed by a quantised op"
        )
    source = builder.tensors[value.index]
    is_float = isinstance(value, FloatOutput)
    shape = value.shape if isinstance(value, FloatOutput) else source.shape
    wanted = replace(
        source, name=raw.name, shape=shape, float_border=is_float, kind=Kind.ACTIVATION
    )
    is_border = value.index in taken or value.index in builder.input_of.values()
    is_border |= source.kind is not Kind.ACTIVATION
    if is_border or shape != source.shape:
        copy = builder.tensor(wanted)
        builder.ops.append(Reshape(value.index, copy))
        return copy
    builder.tensors[value.index] = wanted
    return value.index
