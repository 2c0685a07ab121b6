"""What lowering an op needs: the values known so far, the graph so far, and the checks that many
ops share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import DType, Op, Reshape, Tensor
from byteprop.importer.rawmodel import NO_TENSOR, RawModel, RawOp, RawTensor

MAX_RANK = 4
MAX_ELEMS = 1 << 24
MAX_FOLDED_ELEMS = 64
# Just below 2^30, so that rounding the multiplier does not lead beyond it.
LARGEST_MULTIPLIER = 2.0**30 - 1
# Models may use the same weights in several ops, but a small file must not turn into a huge image.
MAX_CONSTANT_REUSE = 16

_DTYPES = {tflite.TensorType.INT8: DType.INT8, tflite.TensorType.UINT8: DType.UINT8}
_INTEGERS = {tflite.TensorType.INT32: "<i4", tflite.TensorType.INT64: "<i8"}
_LIMITS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}
OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True)
class Activation:
    """A tensor of the graph."""

    index: int


@dataclass(frozen=True)
class FloatInput:
    """A float32 input that no QUANTIZE has given a scale yet, perhaps reshaped since."""

    input: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FloatOutput:
    """What DEQUANTIZE made of a tensor of the graph, perhaps reshaped since."""

    index: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Numbers:
    """Shape arithmetic: integers known when the model is loaded."""

    array: npt.NDArray[np.int64]


Value = Activation | FloatInput | FloatOutput | Numbers
Quantization = tuple[np.float32, int]


class Builder:
    """Lowers one model; ops call it in the file's order."""

    def __init__(self, model: RawModel, supported: Sequence[str]) -> None:
        self.model = model
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.values: dict[int, Value] = {}
        self.input_of: dict[int, int] = {}  # the file's input tensor -> the graph's
        self._supported = ", ".join(supported)
        self._constant_bytes_left = MAX_CONSTANT_REUSE * model.file_bytes

    # Errors. Every message names the op, its index and its output tensor.

    def describe(self, op: RawOp) -> str:
        names = ", ".join(quoted(self.model.tensors[i].name) for i in op.outputs)
        return f"op {op.index}, {op.name} with output {names or 'none'}"

    def fail(self, op: RawOp, what: str) -> NoReturn:
        raise ModelError(f"{self.describe(op)}: {what}")

    def unsupported(self, op: RawOp, what: str) -> NoReturn:
        raise UnsupportedOpError(
            f"{self.describe(op)}: {what}. byteprop runs, on int8 tensors: {self._supported}"
        )

    # Operands.

    def expect_operands(self, op: RawOp, inputs: Sequence[int], outputs: int = 1) -> None:
        if len(op.inputs) not in inputs or len(op.outputs) != outputs:
            self.fail(
                op,
                f"{len(op.inputs)} inputs and {len(op.outputs)} outputs; "
                f"{' or '.join(map(str, inputs))} and {outputs} are wanted",
            )

    def raw(self, op: RawOp, operand: int) -> RawTensor | None:
        """The file's tensor behind an input of op, None when the input is left out."""
        if operand >= len(op.inputs) or op.inputs[operand] == NO_TENSOR:
            return None
        return self.model.tensors[op.inputs[operand]]

    def required(self, op: RawOp, operand: int) -> RawTensor:
        tensor = self.raw(op, operand)
        if tensor is None:
            self.fail(op, f"input {operand} is missing")
        return tensor

    def output(self, op: RawOp) -> RawTensor:
        return self.model.tensors[op.outputs[0]]

    def options(self, op: RawOp, kind: type[OptionsT], type_code: int) -> OptionsT | None:
        """The op's options, None when the file leaves them out (every field has its default)."""
        if op.options_type == 0 or (op.options is None and op.options_type == type_code):
            return None
        if op.options_type != type_code:
            self.fail(op, f"options of another op (type {op.options_type}, not {type_code})")
        found: Any = kind()
        found.Init(op.options.Bytes, op.options.Pos)
        result: OptionsT = found
        return result

    def value(self, op: RawOp, operand: int) -> Value | None:
        """What is known of an input; None for a constant of the file."""
        raw = self.required(op, operand)
        value = self.values.get(raw.index)
        if value is None and raw.data is None:
            self.fail(op, f"input {operand}, {quoted(raw.name)}, is computed by no op before it")
        return value

    def activation(self, op: RawOp, operand: int = 0) -> int:
        """The graph's tensor behind an input."""
        value = self.value(op, operand)
        if isinstance(value, Activation):
            return value.index
        raw = self.required(op, operand)
        self.unsupported(op, f"input {quoted(raw.name)} is {self._kind(raw, value)}")

    def numbers(self, op: RawOp, operand: int) -> npt.NDArray[np.int64]:
        """Integers known now: folded, or constant in the file."""
        value = self.value(op, operand)
        raw = self.required(op, operand)
        if isinstance(value, Numbers):
            return value.array
        if value is None and raw.type in _INTEGERS:
            if math.prod(raw.shape) > MAX_FOLDED_ELEMS:
                self.unsupported(op, f"shape arithmetic on {math.prod(raw.shape)} numbers")
            return self.constant(op, raw, _INTEGERS[raw.type]).astype(np.int64)
        self.unsupported(
            op,
            f"input {quoted(raw.name)} is {self._kind(raw, value)}; "
            "it must be known when the model is loaded",
        )

    def is_number(self, op: RawOp, operand: int = 0) -> bool:
        """Whether an input takes part in shape arithmetic rather than in the network."""
        value = self.value(op, operand)
        return isinstance(value, Numbers) or (
            value is None and self.required(op, operand).type in _INTEGERS
        )

    def constant(self, op: RawOp, raw: RawTensor, dtype: str) -> npt.NDArray[Any]:
        """A constant of the file in its shape; a view of the file's bytes."""
        shape = self.shape(op, raw)
        wanted = math.prod(shape) * np.dtype(dtype).itemsize
        if raw.data is None or raw.data.size != wanted:
            held = 0 if raw.data is None else raw.data.size
            self.fail(op, f"constant {quoted(raw.name)} has {held} bytes; its shape needs {wanted}")
        self._constant_bytes_left -= wanted
        if self._constant_bytes_left < 0:
            self.fail(op, f"constants are used more than {MAX_CONSTANT_REUSE} times over")
        return np.frombuffer(raw.data, dtype=dtype).reshape(shape)

    def shape(self, op: RawOp, raw: RawTensor) -> tuple[int, ...]:
        if any(dim < 0 for dim in raw.shape):
            self.fail(op, f"{quoted(raw.name)} has the shape {list(raw.shape)}")
        return raw.shape

    # Results.

    def known(self, op: RawOp, array: npt.NDArray[np.int64]) -> None:
        """Folds op away: its output is these integers."""
        output = self.output(op)
        if output.type not in _INTEGERS:
            self.unsupported(op, f"shape arithmetic in {output.type_name}")
        if array.size > MAX_FOLDED_ELEMS:
            self.unsupported(op, f"shape arithmetic on {array.size} numbers")
        bits = 8 * np.dtype(_INTEGERS[output.type]).itemsize
        if array.size and not -(2 ** (bits - 1)) <= int(array.min()) <= int(array.max()) < 2 ** (
            bits - 1
        ):
            self.fail(op, f"shape arithmetic overflows {output.type_name}")
        self._define(op, Numbers(array))

    def tensor(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def result(self, op: RawOp, shape: tuple[int, ...]) -> int:
        """The graph's tensor for op's output, whose shape the op's inputs determine."""
        output = self.output(op)
        dtype = self.dtype(op, output)
        self.expect_shape(op, output, shape)
        scale, zero_point = self.quantization(op, output)
        index = self.tensor(Tensor(output.name, shape, dtype, scale, zero_point))
        self._define(op, Activation(index))
        return index

    def alias(self, op: RawOp, value: Value) -> None:
        """op's output is a value that exists."""
        self._define(op, value)

    def _define(self, op: RawOp, value: Value) -> None:
        output = self.output(op)
        if output.index in self.values or output.data is not None:
            self.fail(op, "its output is an input of the model, a constant, or another op's output")
        if output.is_variable:
            self.unsupported(op, f"{quoted(output.name)} is a variable tensor")
        self.values[output.index] = value

    # Checks.

    def dtype(self, op: RawOp, raw: RawTensor) -> DType:
        if raw.type not in _DTYPES:
            self.unsupported(op, f"{quoted(raw.name)} is {raw.type_name}")
        return _DTYPES[raw.type]

    def quantization(self, op: RawOp, raw: RawTensor) -> Quantization:
        """Scale and zero point of an activation of a dtype that byteprop has."""
        problem = quantization_problem(raw)
        if problem:
            self.fail(op, problem)
        return scale_and_zero(raw)

    def expect_multiplier(self, op: RawOp, scale: float) -> None:
        """The effective scale from input to output must have a multiplier of the device."""
        if not scale < LARGEST_MULTIPLIER:
            self.unsupported(
                op, f"an input {scale:g} times as coarse as the output; less than 2^30 is wanted"
            )

    def expect_shape(self, op: RawOp, raw: RawTensor, shape: tuple[int, ...]) -> None:
        """The file must agree with the shape that the op gives, where it states one. For what a
        writer does not know it states 1, and tells so by -1 in the signature or by has_rank."""
        problem = shape_problem(shape)
        if problem:
            self.unsupported(op, f"{quoted(raw.name)} has {problem}")
        if not raw.shape and not raw.has_rank:
            return
        signature = raw.signature if raw.signature is not None else raw.shape
        same_rank = len(signature) == len(raw.shape) == len(shape)
        if same_rank and all(
            dim == stated or (known == -1 and stated == 1)
            for dim, stated, known in zip(shape, raw.shape, signature, strict=True)
        ):
            return
        if math.prod(raw.shape) != math.prod(shape):
            self.fail(
                op,
                f"the file states the shape {list(raw.shape)} for {quoted(raw.name)}; "
                f"the op gives {list(shape)}",
            )

    def _kind(self, raw: RawTensor, value: Value | None) -> str:
        if value is None:
            return f"a constant ({raw.type_name})"
        if isinstance(value, Numbers):
            return f"shape arithmetic ({raw.type_name})"
        if isinstance(value, FloatInput):
            return "float32, not quantised: byteprop computes in integers"
        if isinstance(value, FloatOutput):
            return "float32 again after a DEQUANTIZE: byteprop computes in integers"
        return f"computed when the model runs ({raw.type_name})"

    # Inputs and outputs of the model.

    def add_inputs(self) -> None:
        for index in self.model.inputs:
            raw = self.model.tensors[index]
            if index in self.values or raw.data is not None or raw.is_variable:
                raise ModelError(f"input {quoted(raw.name)} is listed twice, constant or variable")
            self._check_input(raw)
            if raw.type == tflite.TensorType.FLOAT32:
                self.values[index] = FloatInput(index, raw.shape)
            else:
                scale, zero_point = scale_and_zero(raw)
                tensor = Tensor(raw.name, raw.shape, _DTYPES[raw.type], scale, zero_point)
                self.input_of[index] = self.tensor(tensor)
                self.values[index] = Activation(self.input_of[index])

    def _check_input(self, raw: RawTensor) -> None:
        if raw.type != tflite.TensorType.FLOAT32:
            if raw.type not in _DTYPES:
                raise UnsupportedOpError(
                    f"input {quoted(raw.name)} is {raw.type_name}; byteprop takes INT8, UINT8, and "
                    "FLOAT32 that a QUANTIZE op turns into one of them"
                )
            problem = quantization_problem(raw)
            if problem:
                raise ModelError(f"input: {problem}")
        problem = shape_problem(raw.shape)
        if problem:
            raise UnsupportedOpError(f"input {quoted(raw.name)} has {problem}")

    def graph_inputs(self) -> tuple[int, ...]:
        for index in self.model.inputs:
            if index not in self.input_of:
                name = quoted(self.model.tensors[index].name)
                raise UnsupportedOpError(
                    f"float32 input {name} is not quantised by any QUANTIZE op; "
                    "convert the model with full integer quantisation"
                )
        return tuple(self.input_of[index] for index in self.model.inputs)

    def graph_outputs(self) -> tuple[int, ...]:
        outputs: list[int] = []
        for index in self.model.outputs:
            outputs.append(self._graph_output(self.model.tensors[index], outputs))
        return tuple(outputs)

    def _graph_output(self, raw: RawTensor, taken: list[int]) -> int:
        """Inputs and outputs are tensors of their own: what is already one of them is copied."""
        value = self.values.get(raw.index)
        if not isinstance(value, (Activation, FloatOutput)):
            raise UnsupportedOpError(
                f"output {quoted(raw.name)} ({raw.type_name}) is not computed by a quantised op"
            )
        source = self.tensors[value.index]
        is_float = isinstance(value, FloatOutput)
        shape = value.shape if isinstance(value, FloatOutput) else source.shape
        wanted = replace(source, name=raw.name, shape=shape, float_border=is_float)
        is_border = value.index in taken or value.index in self.input_of.values()
        if is_border or shape != source.shape:
            copy = self.tensor(wanted)
            self.ops.append(Reshape(value.index, copy))
            return copy
        self.tensors[value.index] = wanted
        return value.index


def quoted(name: str) -> str:
    """A name from a file, fit for a message."""
    text = repr(name[:80])
    return text if len(name) <= 80 else f"{text[:-1]}...'"


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
    low, high = _LIMITS[_DTYPES[raw.type]]
    if not low <= zero_point <= high:
        return f"{name} has the zero point {zero_point}, outside {raw.type_name}"
    return None


def scale_and_zero(raw: RawTensor) -> Quantization:
    assert raw.quantization is not None
    return np.float32(raw.quantization.scales[0]), int(raw.quantization.zero_points[0])
