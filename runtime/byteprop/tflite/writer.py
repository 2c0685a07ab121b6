"""A .tflite file while it grows: tensors, constants and ops, whatever the ops are."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.errors import ModelError
from byteprop.graph import Graph
from byteprop.graph.tensor import Activation, DType, Kind, Tensor
from byteprop.tflite.file import TfliteFile, options_of

_TYPES = {
    DType.INT8: tflite.TensorType.INT8,
    DType.UINT8: tflite.TensorType.UINT8,
    DType.INT16: tflite.TensorType.INT16,
}
_FLOAT = tflite.TensorType.FLOAT32
_Code = tflite.BuiltinOperator
_Fused = tflite.ActivationFunctionType


_HALF = 128


def _last_axes(shape: tuple[int, ...], n: int) -> tuple[int, ...]:
    """The last axes of a sample that have n positions."""
    if n == 1:
        return (1,)
    return next(shape[at:] for at in range(len(shape), 0, -1) if math.prod(shape[at:]) == n)


class Writer:
    """The file while it grows. tensors: its index of each tensor of the graph."""

    def __init__(
        self, graph: Graph, own_states: Collection[int] = (), *, as_uint8: bool = False
    ) -> None:
        """own_states: those that their op adds itself. as_uint8: int8 tensors are written as uint8,
        values and zero points 128 greater, and weights with one scale."""
        self.graph = graph
        self.as_uint8 = as_uint8
        self._shared = [
            i for i, t in enumerate(graph.tensors) if t.kind is Kind.STATE and i not in own_states
        ]
        self.file = TfliteFile(description="byteprop")
        self.tensors = [self._activation(t) for t in graph.tensors]
        self._handles: dict[int, int] = {}  # the graph's states -> the file's handles
        self._written: dict[int, int] = {}  # states -> their new values, by the op being written

    def begin(self) -> list[int]:
        """Adds the variables, and the inputs with what the host does to them; returns the inputs'
        indices."""
        if self._shared:
            self._variables(self._shared)
        return [self._input(t) for t in self.graph.inputs]

    def end(self, inputs: list[int]) -> bytes:
        """Adds the outputs and returns the file."""
        outputs = [self._output(t) for t in self.graph.outputs]
        return self.file.build(inputs, outputs)

    # Variables, which stand for states.

    def _variables(self, states: list[int]) -> None:
        """Before the first inference they are set to their first values; in each they are read
        once, before anything else."""
        index, once = self.file.subgraph("variables")
        self.file.op(
            _Code.CALL_ONCE, [], [], options=options_of("CallOnce", InitSubgraphIndex=index)
        )
        for t in states:
            tensor = self.graph.tensors[t]
            first = np.full(tensor.shape, tensor.zero_point, tensor.dtype.numpy)
            if tensor.data:
                first = np.frombuffer(tensor.data, tensor.dtype.numpy).reshape(tensor.shape)
            value = once.tensor(
                tensor.value_shape, _TYPES[tensor.dtype], name=f"{tensor.name}/first",
                scale=tensor.scale, zero_point=tensor.zero_point, data=first,
            )  # fmt: skip
            name = self._variable_name(t)
            once.op(_Code.ASSIGN_VARIABLE, [_handle(once, name), value], [])
            self._handles[t] = _handle(self.file, name)
            self.file.op(_Code.READ_VARIABLE, [self._handles[t]], [self.tensors[t]])

    def _variable_name(self, index: int) -> str:
        """The state's name, if no other has it."""
        name = self.graph.tensors[index].name
        names = [self.graph.tensors[t].name for t in self._shared]
        return name if name and names.count(name) == 1 else f"{name}_{index}"

    def result(self, index: int) -> int:
        """The file's tensor for an op's output of this index in the graph. That of a state is a
        new one: ops before this one read what the state was."""
        if index not in self._handles:
            return self.tensors[index]
        self._written[index] = self._activation(self.graph.tensors[index])
        return self._written[index]

    def op_is_written(self) -> None:
        """Assigns what the last op of the graph wrote to states."""
        for index, value in self._written.items():
            self.file.op(_Code.ASSIGN_VARIABLE, [self._handles[index], value], [])
        self.tensors = [self._written.get(i, t) for i, t in enumerate(self.tensors)]
        self._written = {}

    # Tensors.

    def _activation(self, t: Tensor) -> int:
        name = f"{t.name}_quantized" if t.float_border else t.name
        data = np.frombuffer(t.data, np.uint8) if t.kind is Kind.CONSTANT else None
        if self.as_uint8 and t.dtype is DType.INT8:
            data = None if data is None else data ^ np.uint8(_HALF)
            t = replace(t, dtype=DType.UINT8, zero_point=t.zero_point + _HALF)
        return self.file.tensor(
            t.value_shape, _TYPES[t.dtype], name=name, scale=t.scale, zero_point=t.zero_point,
            data=data,
        )  # fmt: skip

    def _border(self, index: int) -> int:
        """The float32 tensor that has the graph's name for the quantised one."""
        t = self.graph.tensors[index]
        return self.file.tensor(t.shape, _FLOAT, name=t.name)

    def _input(self, index: int) -> int:
        """The file's input; a float32 one is quantised by the file's first op."""
        inner = self.tensors[index]
        if not self.graph.tensors[index].float_border:
            return inner
        outer = self._border(index)
        self.file.op(_Code.QUANTIZE, [self._normalized(index, outer)], [inner])
        return outer

    def _normalized(self, index: int, outer: int) -> int:
        """What is quantised: the input, or the result of SUB and MUL by constants. What would
        change nothing is left out."""
        t = self.graph.tensors[index]
        if t.normalization is None:
            return outer
        value = outer
        for code, name, constants, neutral in (
            (_Code.SUB, "sub", t.normalization.sub, 0),
            (_Code.MUL, "mul", t.normalization.mul, 1),
        ):
            if (constants == neutral).all():
                continue
            at = self.file.tensor(
                _last_axes(t.shape, len(constants)), _FLOAT, name=f"{t.name}/{name}",
                data=constants.astype("<f4"),
            )  # fmt: skip
            result = self.file.tensor(t.shape, _FLOAT, name=f"{t.name}/after_{name}")
            options = options_of(name.capitalize(), FusedActivationFunction=_Fused.NONE)
            self.file.op(code, [value, at], [result], options=options)
            value = result
        return value

    def _output(self, index: int) -> int:
        inner = self.tensors[index]
        if not self.graph.tensors[index].float_border:
            return inner
        outer = self._border(index)
        self.file.op(_Code.DEQUANTIZE, [inner], [outer], version=2)
        return outer

    # For the ops, which name everything as the schema does.

    def between(self, tensor: Tensor) -> int:
        """Adds a tensor between two ops of the file that stand for one of the graph."""
        return self._activation(replace(tensor, float_border=False))

    def variable(self, state: Tensor, shape: tuple[int, ...], kind: str) -> int:
        """Adds a state of one op, as a tensor of this type of the schema. ModelError for one with
        first values, which such a tensor cannot have."""
        if state.data:
            raise ModelError(
                f"state {state.name!r}: expected to begin with its zero point, as a .tflite file "
                "states it, got other values"
            )
        return self.file.tensor(
            shape, getattr(tflite.TensorType, kind), name=state.name, scale=state.scale,
            zero_point=state.zero_point, is_variable=True,
        )  # fmt: skip

    def unscaled(self, name: str) -> int:
        """Adds an int16 tensor without a scale, as intermediates are."""
        return self.file.tensor((), tflite.TensorType.INT16, name=name)

    def op(
        self,
        name: str,
        inputs: list[int],
        outputs: list[int],
        *,
        version: int = 1,
        table: str | None = None,
        intermediates: Sequence[int] = (),
        **options: Any,
    ) -> None:
        """Adds an op between tensors of the file. options: the fields of its table of options;
        table: the table's name where it is not the op's."""
        code = getattr(tflite.BuiltinOperator, name)
        # FULLY_CONNECTED has FullyConnectedOptions.
        table = name.title().replace("_", "") if table is None else table
        written = options_of(table, **options) if options else None
        self.file.op(
            code, inputs, outputs, version=version, options=written, intermediates=intermediates
        )

    def constant(
        self,
        name: str,
        data: npt.NDArray[Any],
        scale: Any = None,
        zero_point: int = 0,
        axis: int = 0,
    ) -> int:
        """Adds a constant; returns its index in the file. scale: one number, or one for each index
        of the axis."""
        if self.as_uint8 and scale is not None:
            scale = self._one(name, np.asarray(scale))
            if data.dtype == np.int8:
                data = data.view(np.uint8) ^ np.uint8(_HALF)
                zero_point += _HALF
        kind = getattr(tflite.TensorType, data.dtype.name.upper())
        return self.file.tensor(
            data.shape, kind, name=name, scale=scale, zero_point=zero_point, axis=axis, data=data
        )

    def _one(self, name: str, scales: npt.NDArray[Any]) -> Any:
        if np.any(scales != scales.flat[0]):
            raise ModelError(
                f"{name}: expected one scale, as a model whose convolutions come from a uint8 file "
                f"is written as uint8, got {scales.size}"
            )
        return scales.flat[0]

    def fused(self, activation: Activation) -> int | None:
        """The code of an activation inside another op; None when the schema has none."""
        code = getattr(tflite.ActivationFunctionType, activation.name, None)
        return None if code is None else int(code)


def _handle(file: TfliteFile, name: str) -> int:
    """Adds the op that gives the handle of a variable."""
    handle = file.tensor((), tflite.TensorType.RESOURCE, name=f"{name}/handle")
    options = options_of("VarHandle", Container="", SharedName=name)
    file.op(_Code.VAR_HANDLE, [], [handle], options=options)
    return handle
