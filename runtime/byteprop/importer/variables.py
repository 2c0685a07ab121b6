"""Variables of a file, which keep their values from one inference to the next: CALL_ONCE,
VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE. Each becomes a tensor of kind STATE, which begins with
the constant that CALL_ONCE assigns.

An op that reads a variable reads the state itself. Where a value that was read is needed after the
variable has been assigned again, it is copied before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tflite
from tflite import BuiltinOperator as Code

from byteprop.graph import DType, Kind, Tensor
from byteprop.ops import Reshape
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import DTYPES, is_bare
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import RawModel, RawOp, RawTensor
from byteprop.tflite.values import Computed, Handle


def read_call_once(builder: Builder, op: RawOp) -> None:
    """The subgraph that it runs must assign constants to variables and do nothing else."""
    options = builder.options(op, tflite.CallOnceOptions)
    index = 0 if options is None else options.InitSubgraphIndex()
    if not 1 <= index <= len(builder.model.others):
        builder.fail(op, f"it runs subgraph {index}; the file has {builder.model.subgraphs}")
    handles: dict[int, str] = {}
    graph = builder.model.others[index - 1]
    for inner in graph.ops:
        if inner.code == Code.VAR_HANDLE and len(inner.outputs) == 1:
            handles[inner.outputs[0]] = _name(builder, inner)
        elif inner.code == Code.ASSIGN_VARIABLE and len(inner.inputs) == 2:
            name, value = handles.get(inner.inputs[0]), graph.tensors[inner.inputs[1]]
            if name is None or value.data is None:
                builder.unsupported(op, "it assigns something else than a constant to a variable")
            builder.initial[name] = value
        else:
            builder.unsupported(
                op, f"it runs {inner.name}; expected VAR_HANDLE and ASSIGN_VARIABLE alone"
            )


def read_var_handle(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (0,))
    builder.define(op, Handle(_name(builder, op)))


def _name(builder: Builder, op: RawOp) -> str:
    options = builder.options(op, tflite.VarHandleOptions)
    if options is None:
        builder.fail(op, "its options are missing")
    parts = (options.Container() or b"", options.SharedName() or b"")
    return "/".join(part.decode("utf-8", "replace") for part in parts if part)


def read_read_variable(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (1,))
    name, raw = _variable(builder, op), builder.output(op)
    dtype = builder.dtype(op, raw)
    scale, zero_point = (np.float32(1), 0) if is_bare(raw) else builder.quantization(op, raw)
    first = _initial(builder, op, name)
    shape = dtype.of_values(first.shape)
    builder.expect_shape(op, raw, shape)
    if dtype is DType.INT16 and not shape:
        builder.unsupported(op, f"variable {quoted(name)} of int16 has no dimensions")
    state = _state(builder, op, name, Tensor(name, shape, dtype, scale, zero_point))
    same = builder.tensors[state]
    if (same.dtype, same.scale, same.zero_point) != (dtype, scale, zero_point):
        builder.fail(op, f"variable {quoted(name)} has two types, scales or zero points")
    builder.define(op, Computed(state))


def read_assign_variable(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (2,), 0)
    name, source = _variable(builder, op), builder.activation(op, 1)
    value = builder.tensors[source]
    if value.elems != value.dtype.width * int(
        np.prod(_initial(builder, op, name).shape, dtype=np.int64)
    ):
        builder.unsupported(
            op, f"variable {quoted(name)} changes its shape to {list(value.value_shape)}"
        )
    plain = replace(value, name=name, float_border=False, normalization=None, data=b"")
    state = _state(builder, op, name, plain)
    if builder.tensors[state].dtype is not value.dtype:
        builder.fail(op, f"variable {quoted(name)} is assigned values of another type")
    if source == state:
        return
    _keep_what_was_read(builder, op, state)
    builder.ops.append(Reshape(source, state))


def _variable(builder: Builder, op: RawOp) -> str:
    value = builder.value(op, 0)
    if not isinstance(value, Handle):
        builder.fail(op, "expected a variable's handle as its first input")
    return value.name


def _initial(builder: Builder, op: RawOp, name: str) -> RawTensor:
    if name not in builder.initial:
        builder.unsupported(op, f"variable {quoted(name)} has no value before the first inference")
    return builder.initial[name]


def _state(builder: Builder, op: RawOp, name: str, like: Tensor) -> int:
    """The graph's tensor for a variable."""
    if name not in builder.states:
        first = _initial(builder, op, name)
        if first.type not in DTYPES or DTYPES[first.type] is not like.dtype:
            builder.unsupported(op, f"variable {quoted(name)} begins as {first.type_name}")
        values = builder.constant(op, first, like.dtype.value_numpy.str)
        data = values.tobytes() if (values != like.zero_point).any() else b""
        builder.states[name] = builder.tensor(replace(like, kind=Kind.STATE, data=data))
    return builder.states[name]


def _keep_what_was_read(builder: Builder, op: RawOp, state: int) -> None:
    """Before the state is written: copies it for ops that come later and read what it was."""
    read = {t for t, v in builder.values.items() if v == Computed(state)}
    if not read & _used_after(builder.model, op):
        return
    plain = replace(builder.tensors[state], name="", kind=Kind.ACTIVATION, data=b"")
    copy = builder.tensor(plain)
    builder.ops.append(Reshape(state, copy))
    builder.values.update(dict.fromkeys(read, Computed(copy)))


def _used_after(model: RawModel, op: RawOp) -> set[int]:
    later = (t for other in model.ops[op.index + 1 :] for t in other.inputs)
    return {*later, *model.outputs}
