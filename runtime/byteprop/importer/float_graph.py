"""Reads a .tflite file that computes in float32 as a FloatGraph, to be quantised: weights in
float16 or int8 are unpacked, arithmetic on shapes and on constants is done."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.float_ops import float_ops, run_node
from byteprop.graph.float_graph import NO_TENSOR, Array, FloatGraph, FloatTensor, Node
from byteprop.importer.readers import FOLDINGS, LOWERINGS
from byteprop.tflite.builder import Builder
from byteprop.tflite.checks import counted, described
from byteprop.tflite.rawmodel import RawModel, RawOp, RawTensor, read
from byteprop.tflite.values import FloatOutput, Numbers

_Type = tflite.TensorType
_INTEGERS = {_Type.INT32: "<i4", _Type.INT64: "<i8"}
_FLOATS = {_Type.FLOAT32: "<f4", _Type.FLOAT16: "<f2"}
_SMALL = {_Type.INT8: "<i1", _Type.UINT8: "<u1"}
# Several tensors may have one buffer: beyond its own size a file unpacks to this much.
_MOST_UNPACKED = 16_000_000
_MOST_LISTED = 8


def read_float_tflite(data: bytes) -> FloatGraph:
    """The network; UnsupportedOpError names the ops that quantize does not take, ModelError a file
    that is damaged."""
    return graph_of(read(data))


def graph_of(model: RawModel) -> FloatGraph:
    """As read_float_tflite, of a file that has been read."""
    if model.subgraphs != 1:
        raise UnsupportedOpError(f"{model.subgraphs} subgraphs; quantize takes models of one")
    if not model.inputs or not model.outputs:
        raise ModelError("the model has no inputs or no outputs")
    for index in model.inputs:
        x = model.tensors[index]
        if x.type != _Type.FLOAT32:
            raise UnsupportedOpError(
                f"input {x.name!r} is {x.type_name}; quantize takes float32 models, and "
                "byteprop.load int8 ones"
            )
    _refuse_unsupported(model)
    return _Reading(model).read()


def _refuse_unsupported(model: RawModel) -> None:
    lacking = [op for op in model.ops if not _is_supported(model, op)]
    if lacking:
        first = described(model, lacking[0])
        raise UnsupportedOpError(
            f"{counted(lacking)}: quantize does not take {'it' if len(lacking) == 1 else 'them'} "
            f"(the first is {first}); build the model without, or cut it there and compute the "
            f"rest on the host. quantize takes, in float32: {', '.join(sorted(float_ops()))}, "
            "DIV by constants, and DEQUANTIZE of constants"
        )


def _is_supported(model: RawModel, op: RawOp) -> bool:
    if _is_arithmetic_on_shapes(model, op):
        return op.code in FOLDINGS or op.code in LOWERINGS
    constant = all(model.tensors[i].data is not None for i in op.inputs if i != NO_TENSOR)
    return op.name in float_ops() or op.name == "DIV" or (op.name == "DEQUANTIZE" and constant)


def _is_arithmetic_on_shapes(model: RawModel, op: RawOp) -> bool:
    return bool(op.outputs) and all(model.tensors[i].type in _INTEGERS for i in op.outputs)


class _Reading:
    """One model; its tensors keep their indices."""

    def __init__(self, model: RawModel) -> None:
        self.model = model
        self.tensors = [FloatTensor(t.name, t.shape) for t in model.tensors]
        self.nodes: list[Node] = []
        self.known = set(model.inputs)
        self.unpacked = 0
        # It knows how arithmetic on shapes is done.
        self.builder = Builder(model, "")
        for index in model.inputs:
            self.builder.values[index] = FloatOutput(0, model.tensors[index].shape)

    def read(self) -> FloatGraph:
        for op in self.model.ops:
            self._take(op)
        for index in self.model.outputs:
            if index not in self.known or self.tensors[index].data is not None:
                raise ModelError(f"the output {self.tensors[index].name!r} is not what an op gives")
        return self._graph()

    def _graph(self) -> FloatGraph:
        return FloatGraph(
            tuple(self.tensors), tuple(self.nodes), self.model.inputs, self.model.outputs
        )

    def _take(self, op: RawOp) -> None:
        if not op.outputs or any(i in self.known for i in op.outputs):
            self._refuse(op, "its output is missing, an input, or another op's output")
        if _is_arithmetic_on_shapes(self.model, op):
            self._fold(op)
            return
        inputs = tuple(op.inputs)
        for index in inputs:
            self._load(op, index)
        node = Node(op.name, inputs, tuple(op.outputs), _options(op))
        if op.name == "DEQUANTIZE":
            self._define(op, [self._constant(op, 0)])
        elif all(self._is_constant(i) for i in inputs):
            values = run_node(self._graph(), node, {})
            self._define(op, [value[0] for value in values])
        else:
            self.nodes.append(self._product(op, node) if op.name == "DIV" else node)
            self.known.update(op.outputs)
            for index in op.outputs:
                shape = self.model.tensors[index].shape
                self.builder.values[index] = FloatOutput(0, shape)

    def _fold(self, op: RawOp) -> None:
        """Arithmetic on shapes, as `load` does it."""
        reader = FOLDINGS.get(op.code) or LOWERINGS[op.code]
        reader.read(self.builder, op)
        for index in op.outputs:
            value = self.builder.values[index]
            if not isinstance(value, Numbers):
                self._refuse(op, "its output is not known when the model is read")
            self._set(index, value.array.astype(np.int64))

    def _load(self, op: RawOp, index: int) -> None:
        """Makes an operand known; a constant is read when the first op needs it."""
        if index == NO_TENSOR or index in self.known:
            return
        raw = self.model.tensors[index]
        if raw.data is None and 0 not in raw.shape:
            self._refuse(op, f"no op before it computes its input {raw.name!r}")
        self._set(index, self._numbers(op, raw))

    def _numbers(self, op: RawOp, raw: RawTensor) -> Array:
        dtype = {**_INTEGERS, **_FLOATS, **_SMALL}.get(raw.type)
        if dtype is None or raw.is_sparse or raw.is_variable:
            self._refuse(op, f"its input {raw.name!r} is {raw.type_name}, sparse or variable")
        data = np.empty(0, np.uint8) if raw.data is None else raw.data
        size = math.prod(raw.shape) * np.dtype(dtype).itemsize
        if any(d < 0 for d in raw.shape) or data.size != size:
            self._refuse(op, f"has {data.size} bytes for the shape {list(raw.shape)}")
        numbers = np.frombuffer(data, dtype).reshape(raw.shape)
        if raw.type in _INTEGERS:
            return numbers.astype(np.int64)
        if raw.type != _Type.FLOAT32:
            numbers = self._unpack(op, raw, numbers)
        if not np.isfinite(numbers).all():
            self._refuse(op, f"holds numbers in {raw.name!r} that are not finite")
        return numbers

    def _unpack(self, op: RawOp, raw: RawTensor, numbers: Array) -> npt.NDArray[np.float32]:
        self.unpacked += 4 * numbers.size
        if self.unpacked > 4 * self.model.file_bytes + _MOST_UNPACKED:
            self._refuse(op, "the file's constants unpack to too many numbers")
        if raw.type == _Type.FLOAT16:
            return numbers.astype(np.float32)
        q = raw.quantization
        axis = 0 if q is None else q.dimension
        if q is None or q.custom or not 0 <= axis < max(numbers.ndim, 1):
            self._refuse(op, f"its input {raw.name!r} is {raw.type_name} without scales")
        if len(q.scales) not in (1, *numbers.shape[axis : axis + 1]):
            self._refuse(op, f"{len(q.scales)} scales for the shape {list(raw.shape)}")
        along = [-1 if a == axis else 1 for a in range(numbers.ndim)] if len(q.scales) > 1 else []
        scales = q.scales.astype(np.float32).reshape(along or ())
        zeros = q.zero_points.astype(np.float32).reshape(along or ())
        return np.asarray((numbers - zeros) * scales, np.float32)

    def _is_constant(self, index: int) -> bool:
        return index == NO_TENSOR or self.tensors[index].data is not None

    def _constant(self, op: RawOp, operand: int) -> Array:
        data = self.tensors[op.inputs[operand]].data if len(op.inputs) > operand else None
        if data is None or data.dtype.kind != "f":
            self._refuse(op, f"expected a constant as its operand {operand}")
        return data

    def _product(self, op: RawOp, node: Node) -> Node:
        """DIV by a constant as MUL by its reciprocal."""
        divisor = self._constant(op, 1)
        with np.errstate(all="ignore"):
            factor = np.asarray(1 / divisor)
        if not np.isfinite(factor).all():
            self._refuse(op, "divides by 0")
        self.tensors.append(FloatTensor(f"{self.tensors[node.inputs[1]].name}/reciprocal",
                                        factor.shape, factor))  # fmt: skip
        return replace(node, name="MUL", inputs=(node.inputs[0], len(self.tensors) - 1))

    def _define(self, op: RawOp, values: list[Array]) -> None:
        for index, value in zip(op.outputs, values, strict=True):
            self._set(index, value)

    def _set(self, index: int, data: Array) -> None:
        self.tensors[index] = replace(self.tensors[index], shape=data.shape, data=data)
        self.known.add(index)

    def _refuse(self, op: RawOp, what: str) -> NoReturn:
        raise ModelError(f"{described(self.model, op)}: {what}")


def _options(op: RawOp) -> dict[str, Any]:
    """The fields that the op's file in float_ops names; DIV has those of MUL."""
    kind = float_ops().get("MUL" if op.name == "DIV" else op.name)
    if kind is None or op.options is None or not kind.fields:
        return {}
    table = kind.table or op.name.title()
    options: Any = getattr(tflite, f"{table}Options")()
    options.Init(op.options.Bytes, op.options.Pos)
    found: dict[str, Any] = {name: getattr(options, name) for name in kind.fields}
    for name in kind.lists:
        if getattr(options, f"{name}Length")() > _MOST_LISTED:
            raise ModelError(
                f"op {op.index}, {op.name}: more than {_MOST_LISTED} numbers in {name}"
            )
    return {
        name: [value(i) for i in range(getattr(options, f"{name}Length")())]
        if name in kind.lists
        else value()
        for name, value in found.items()
    }
