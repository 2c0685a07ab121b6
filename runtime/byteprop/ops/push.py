"""Push: a state that has the last values of a sequence takes new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.tensor import Kind, Op
from byteprop.ops.spec import (
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    refuse_unless_same_type,
)

if TYPE_CHECKING:
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Push(Op):
    """The state, which is input and output, drops its first positions along an axis, as many as
    `values` has, and these follow its last."""

    values: int = 0

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.input, self.values)

    def renumbered(self, number: Mapping[int, int]) -> Push:
        return replace(super().renumbered(number), values=number[self.values])


class PushSpec(OpSpec[Push]):
    name = "push"
    kind = Push
    takes = "int8, uint8 and int16 variables, with any first values"
    stands_for = "CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE (1)"

    def check(self, at: Placed[Push]) -> None:
        refuse_unless_same_type(at)
        state, values = at.inputs
        if at.op.input != at.op.output or state.kind is not Kind.STATE:
            at.refuse("expected a state that is input and output")
        if (state.scale, state.zero_point) != (values.scale, values.zero_point):
            at.refuse("expected new values with the state's scale and zero point")
        if push_axis(state.shape, values.shape) is None:
            at.refuse(
                f"from {values.shape} to a state of {state.shape}, expected one axis to differ"
            )

    def params(self, at: Placed[Push]) -> Params:
        return ()

    def decode(self, record: Record) -> Push:
        state, values = record.inputs
        return Push(state, record.outputs[0], values)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {}  # byteprop.importer.passes.rings makes it of other ops

    def write_tflite(self, at: Placed[Push], writer: Writer) -> None:
        state, values = at.inputs
        axis = push_axis(state.shape, values.shape)
        assert axis is not None
        parts = [writer.tensors[at.op.values]]
        if (kept := state.shape[axis] - values.shape[axis]) > 0:
            parts.insert(0, _last(at, writer, axis, kept))
        y = writer.result(at.op.output)
        writer.op("CONCATENATION", parts, [y], version=2, Axis=axis, FusedActivationFunction=0)


def _last(at: Placed[Push], writer: Writer, axis: int, n: int) -> int:
    """The last n positions of the state, as it was."""
    stored = (*at.x.shape[:axis], n, *at.x.shape[axis + 1 :])
    shape, past = at.x.dtype.values_of(stored), at.x.value_shape
    name = f"{at.x.name}/kept"
    kept = writer.between(replace(at.x, name=name, shape=stored, kind=Kind.ACTIVATION))
    begin = np.zeros(len(shape), "<i4")
    begin[axis] = past[axis] - shape[axis]
    start = writer.constant(f"{name}/begin", begin)
    size = writer.constant(f"{name}/size", np.array(shape, "<i4"))
    writer.op("SLICE", [writer.tensors[at.op.input], start, size], [kept], version=2)
    return kept


def push_axis(state: tuple[int, ...], values: tuple[int, ...]) -> int | None:
    """The axis along which values go into a state, where all before it have length 1; None where
    the shapes do not go together so."""
    if len(state) != len(values):
        return None
    differ = [i for i, (a, b) in enumerate(zip(state, values, strict=True)) if a != b]
    axis = differ[0] if differ else next((i for i, n in enumerate(state) if n != 1), 0)
    if len(differ) > 1 or set(state[:axis]) - {1} or not state or values[axis] > state[axis]:
        return None
    return axis
