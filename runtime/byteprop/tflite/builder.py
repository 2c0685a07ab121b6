"""What lowering an op needs: the values known so far, the graph so far, and the checks that many
ops share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph import Activation, DType, Kind, Op, Tensor
from byteprop.graph.limits import MAX_RANK
from byteprop.tflite.checks import (
    DTYPES,
    described,
    is_bare,
    quantization_problem,
    scale_and_zero,
    shape_problem,
)
from byteprop.tflite.names import quoted
from byteprop.tflite.rawmodel import NO_TENSOR, RawModel, RawOp, RawTensor
from byteprop.tflite.values import (
    Computed,
    FloatInput,
    FloatOutput,
    Handle,
    Numbers,
    OwnState,
    Value,
    Wide,
)

MAX_FOLDED_ELEMS = 64
# Just below 2^30, so that rounding the multiplier does not lead beyond it.
LARGEST_MULTIPLIER = 2.0**30 - 1
# Several ops may use the same weights, but a small file must not turn into a huge image, where
# each op has its own.
MAX_SHARED_BYTES = 4_000_000

_INTEGERS = {tflite.TensorType.INT32: "<i4", tflite.TensorType.INT64: "<i8"}
OptionsT = TypeVar("OptionsT")


_FUSED = {
    tflite.ActivationFunctionType.NONE: Activation.NONE,
    tflite.ActivationFunctionType.RELU: Activation.RELU,
    tflite.ActivationFunctionType.RELU6: Activation.RELU6,
    tflite.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
_FUSED_NAMES = {
    value: name
    for name, value in vars(tflite.ActivationFunctionType).items()
    if isinstance(value, int)
}
_LARGEST_BOUND = {
    Activation.NONE: 0.0,
    Activation.RELU: 0.0,
    Activation.RELU6: 6.0,
    Activation.RELU_N1_TO_1: 1.0,
    Activation.RELU_0_TO_1: 1.0,
}


class Builder:
    """Lowers one model; ops call it in the file's order."""

    def __init__(self, model: RawModel, supported: str) -> None:
        self.model = model
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.values: dict[int, Value] = {}
        self.input_of: dict[int, int] = {}  # the file's input tensor -> the graph's
        self.constants: dict[int, int] = {}  # the file's constant -> the graph's
        self.initial: dict[str, RawTensor] = {}  # of variables: constants that they begin with
        self.states: dict[str, int] = {}  # variables -> the graph's tensors
        self.bare: set[int] = set()  # the graph's tensors whose scale the file does not state
        self._supported = supported
        self._constant_bytes_left = model.file_bytes + MAX_SHARED_BYTES

    # Errors. Every message names the op, its index and its output tensor.

    def fail(self, op: RawOp, what: str) -> NoReturn:
        raise ModelError(f"{described(self.model, op)}: {what}")

    def unsupported(self, op: RawOp, what: str) -> NoReturn:
        raise UnsupportedOpError(f"{described(self.model, op)}: {what}. {self._supported}")

    # Operands.

    def expect_operands(self, op: RawOp, inputs: Sequence[int], outputs: int = 1) -> None:
        if len(op.inputs) not in inputs or len(op.outputs) != outputs:
            self.fail(
                op,
                f"expected {' or '.join(map(str, inputs))} inputs and {outputs} outputs, got "
                f"{len(op.inputs)} and {len(op.outputs)}",
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

    def output(self, op: RawOp, index: int = 0) -> RawTensor:
        return self.model.tensors[op.outputs[index]]

    def options(self, op: RawOp, kind: type[OptionsT]) -> OptionsT | None:
        """The op's options, None when the file leaves them out (every field has its default). That
        they are of this kind was checked when the op was read."""
        if op.options is None:
            return None
        found: Any = kind()
        found.Init(op.options.Bytes, op.options.Pos)
        result: OptionsT = found
        return result

    def fused_activation(self, op: RawOp, code: int) -> Activation:
        """The activation of this code of the schema."""
        if code not in _FUSED:
            self.unsupported(
                op,
                f"fused activation {_FUSED_NAMES.get(code, code)}; supported are "
                + ", ".join(_FUSED_NAMES[known] for known in _FUSED),
            )
        return _FUSED[code]

    def check_fused_range(self, op: RawOp, activation: Activation, y_scale: np.float32) -> None:
        """The activation's bounds, in steps of the output, must fit 32 bits."""
        with np.errstate(over="ignore"):
            steps = np.float32(_LARGEST_BOUND[activation]) / y_scale
        if not steps < 2.0**31 - 256:
            self.fail(op, f"an output scale of {y_scale} is too small for {activation.name}")

    def value(self, op: RawOp, operand: int) -> Value | None:
        """What is known of an input; None for a constant of the file."""
        raw = self.required(op, operand)
        value = self.values.get(raw.index)
        if value is None and raw.data is None and not _is_empty(raw):
            self.fail(op, f"input {operand}, {quoted(raw.name)}, is computed by no op before it")
        return value

    def activation(self, op: RawOp, operand: int = 0) -> int:
        """The graph's tensor behind an input; it has a scale."""
        index = self.computed(op, operand)
        raw = self.required(op, operand)
        if is_bare(raw):
            self.fail(op, quantization_problem(raw) or "")
        return index

    def computed(self, op: RawOp, operand: int = 0) -> int:
        """The graph's tensor behind an input, with or without a scale."""
        value = self.value(op, operand)
        if isinstance(value, Computed):
            return value.index
        raw = self.required(op, operand)
        self.unsupported(op, f"input {quoted(raw.name)} is {self._kind(raw, value)}")

    def was_uint8(self, op: RawOp, operand: int) -> bool:
        """Whether an input is uint8 in the file, where it is int8 here."""
        return op.inputs[operand] in self.model.was_uint8

    def int8_operands(self, op: RawOp, source: int, target: int) -> tuple[Tensor, Tensor]:
        """Input and output, which must be int8."""
        x, y = self.tensors[source], self.tensors[target]
        if x.dtype is not DType.INT8 or y.dtype is not DType.INT8:
            self.unsupported(op, f"from {x.dtype.name} to {y.dtype.name}, expected INT8 to INT8")
        return x, y

    def operand(self, op: RawOp, operand: int) -> int:
        """As activation, of an input that may also be a constant."""
        raw = self.required(op, operand)
        is_wide = raw.type == tflite.TensorType.INT16
        if self.value(op, operand) is not None or raw.type not in DTYPES or is_wide:
            return self.activation(op, operand)
        if raw.index not in self.constants:
            self.constants[raw.index] = self._constant_tensor(op, raw)
        return self.constants[raw.index]

    def _constant_tensor(self, op: RawOp, raw: RawTensor) -> int:
        problem = shape_problem(raw.shape)
        if problem:
            self.unsupported(op, f"{quoted(raw.name)} has {problem}")
        scale, zero_point = self.quantization(op, raw)
        data = self.constant(op, raw, "u1").tobytes()
        kind = Kind.CONSTANT
        return self.tensor(
            Tensor(raw.name, raw.shape, DTYPES[raw.type], scale, zero_point, kind=kind, data=data)
        )

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
        size = math.prod(shape) * np.dtype(dtype).itemsize
        data = b"" if raw.data is None else raw.data
        if len(data) != size:
            self.fail(op, f"constant {quoted(raw.name)}: expected {size} bytes, got {len(data)}")
        self._constant_bytes_left -= size
        if self._constant_bytes_left < 0:
            self.fail(
                op,
                f"constants that several ops share, expected at most {MAX_SHARED_BYTES} bytes more "
                "than the file has, got more",
            )
        return np.frombuffer(data, dtype=dtype).reshape(shape)

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
        self.define(op, Numbers(array))

    def tensor(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def result(self, op: RawOp, shape: tuple[int, ...], index: int = 0) -> int:
        """The graph's tensor for an output of op, whose shape the op's inputs determine."""
        output = self.output(op, index)
        self.dtype(op, output)
        return self._result(op, shape, *self.quantization(op, output), index)

    def moved(self, op: RawOp, source: int, shape: tuple[int, ...], index: int = 0) -> int:
        """As result, for an op that moves the bytes of source: where the file states no scale for
        one of the two, it has the other's."""
        output = self.output(op, index)
        x = self.tensors[source]
        if self.dtype(op, output) is not x.dtype:
            self.fail(op, f"its output is {output.type_name}, its input {x.dtype.name}")
        if is_bare(output):
            target = self._result(op, shape, x.scale, x.zero_point, index)
            if source in self.bare:
                self.bare.add(target)
            return target
        target = self.result(op, shape, index)
        y = self.tensors[target]
        self._state_scale(source, y)
        if (self.tensors[source].scale, self.tensors[source].zero_point) != (y.scale, y.zero_point):
            self.fail(op, "its output has another scale or zero point than its input")
        return target

    def wide(self, op: RawOp, source: int, shape: tuple[int, ...]) -> None:
        """Says that op's output is the bytes of source under a shape of too many dimensions."""
        output, x = self.output(op), self.tensors[source]
        if self.dtype(op, output) is not x.dtype or (
            not is_bare(output) and self.quantization(op, output) != (x.scale, x.zero_point)
        ):
            self.fail(op, "its output has another type, scale or zero point than its input")
        if output.shape != shape and (output.shape or output.has_rank):
            self.fail(
                op, f"the file states the shape {list(output.shape)}, the op gives {list(shape)}"
            )
        self.define(op, Wide(source, shape))

    def stored(self, op: RawOp, source: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a tensor of the type of source that has values in this shape."""
        dtype = self.tensors[source].dtype
        if dtype is DType.INT16 and not 1 <= len(shape) <= MAX_RANK:
            self.unsupported(op, f"int16 of {len(shape)} dimensions, expected 1 to {MAX_RANK}")
        return dtype.of_values(shape)

    def part(self, source: int, shape: tuple[int, ...]) -> int:
        """A tensor between two ops that stand for one of the file; it has the scale of source."""
        index = self.tensor(replace(self.tensors[source], name="", shape=shape, float_border=False,
                                    normalization=None))  # fmt: skip
        if source in self.bare:
            self.bare.add(index)
        return index

    def _state_scale(self, index: int, like: Tensor) -> None:
        """A tensor without a scale has that of what is made of its bytes."""
        made_from = {op.output: op.input for op in self.ops}
        while index in self.bare:
            self.bare.remove(index)
            x = self.tensors[index]
            self.tensors[index] = replace(x, scale=like.scale, zero_point=like.zero_point)
            index = made_from.get(index, index)

    def _result(
        self, op: RawOp, shape: tuple[int, ...], scale: np.float32, zero_point: int, index: int
    ) -> int:
        output = self.output(op, index)
        self.expect_shape(op, output, shape)
        dtype = DTYPES[output.type]
        result = self.tensor(Tensor(output.name, shape, dtype, scale, zero_point))
        self.define(op, Computed(result), index)
        return result

    def define(self, op: RawOp, value: Value, index: int = 0) -> None:
        """Says what is known of an output of op."""
        output = self.output(op, index)
        if output.index in self.values or output.data is not None:
            self.fail(op, "its output is an input of the model, a constant, or another op's output")
        if output.is_variable:
            self.unsupported(op, f"{quoted(output.name)} is a variable tensor")
        self.values[output.index] = value

    # Checks.

    def dtype(self, op: RawOp, raw: RawTensor) -> DType:
        if raw.type not in DTYPES:
            self.unsupported(op, f"{quoted(raw.name)} is {raw.type_name}")
        return DTYPES[raw.type]

    def quantization(self, op: RawOp, raw: RawTensor) -> tuple[np.float32, int]:
        """Scale and zero point of an activation of a dtype that byteprop has."""
        problem = quantization_problem(raw)
        if problem:
            self.fail(op, problem)
        return scale_and_zero(raw)

    def expect_multiplier(self, op: RawOp, scale: float) -> None:
        """The effective scale from input to output must have a multiplier of the device."""
        if not scale < LARGEST_MULTIPLIER:
            self.unsupported(
                op, f"an input {scale:g} times as coarse as the output, expected less than 2^30"
            )

    def expect_shape(self, op: RawOp, raw: RawTensor, shape: tuple[int, ...]) -> None:
        """The file must agree with the shape that the op gives, where it states one. For what a
        writer does not know it states 1, and marks that by -1 in the signature or by has_rank."""
        problem = shape_problem(shape)
        if problem:
            self.unsupported(op, f"{quoted(raw.name)} has {problem}")
        if not raw.shape and not raw.has_rank:
            return
        shape = DTYPES[raw.type].values_of(shape) if raw.type in DTYPES else shape
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
        if isinstance(value, Wide):
            return f"of {len(value.shape)} dimensions; byteprop takes up to {MAX_RANK}"
        if isinstance(value, FloatInput):
            return "float32, not quantised: byteprop computes in integers"
        if isinstance(value, OwnState):
            return "the state of another op"
        if isinstance(value, Handle):
            return f"the handle of variable {quoted(value.name)}"
        if isinstance(value, FloatOutput):
            return "float32 again after a DEQUANTIZE: byteprop computes in integers"
        return f"computed when the model runs ({raw.type_name})"


def _is_empty(raw: RawTensor) -> bool:
    """Whether it is a list of no numbers, as the shape of a scalar: writers give it no bytes."""
    return raw.type in _INTEGERS and 0 in raw.shape
