"""The int8 .tflite of a float graph and of the scales that were chosen for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tflite

from byteprop.float_ops import float_ops
from byteprop.float_ops.spec import FloatOp, Scales
from byteprop.graph.float_graph import NO_TENSOR, Array, FloatGraph, Node
from byteprop.quantizer.scales import HIGHEST, LOWEST, Plan, Scale
from byteprop.quantizer.weights import Rounded
from byteprop.tflite.file import TfliteFile, options_of

_Code = tflite.BuiltinOperator
_Type = tflite.TensorType


def write_int8(
    graph: FloatGraph, plan: Plan, rounded: Mapping[int, Rounded], *, float_border: bool
) -> bytes:
    """rounded: weights by the position of their node."""
    return _Writing(graph, plan, rounded, float_border).write()


class _Writing:
    """The file while it grows. at: its tensor for each of the graph's; own: for those whose op
    gives another scale than the plan's, the tensor that the op gives."""

    def __init__(
        self, graph: FloatGraph, plan: Plan, rounded: Mapping[int, Rounded], float_border: bool
    ) -> None:
        self.graph, self.plan, self.rounded = graph, plan, rounded
        self.float_border = float_border
        self.file = TfliteFile(description="byteprop")
        self.at: dict[int, int] = {}
        self.own: dict[int, int] = {}

    def write(self) -> bytes:
        inputs = [self._input(t) for t in self.graph.inputs]
        for place, node in enumerate(self.graph.nodes):
            self._node(place, node)
        return self.file.build(inputs, [self._output(t) for t in self.graph.outputs])

    def _input(self, index: int) -> int:
        tensor = self.graph.tensors[index]
        border = self.float_border
        self.at[index] = self._int8(f"{tensor.name}_quantized" if border else tensor.name,
                                    self.plan.scales[index], tensor.shape)  # fmt: skip
        if not border:
            return self.at[index]
        outer = self.file.tensor(tensor.shape, _Type.FLOAT32, name=tensor.name)
        self.file.op(_Code.QUANTIZE, [outer], [self.at[index]])
        return outer

    def _output(self, index: int) -> int:
        inner = self.own.get(index, self.at[index])
        if not self.float_border:
            return inner
        outer = self.file.tensor(None, _Type.FLOAT32, name=self.graph.tensors[index].name)
        self.file.op(_Code.DEQUANTIZE, [inner], [outer])
        return outer

    def _node(self, place: int, node: Node) -> None:
        op = float_ops()[node.name]
        operands = [self._operand(op, t) for t in node.inputs]
        if op.weights is not None:
            operands += [NO_TENSOR] * (op.weights.bias + 1 - len(operands))
            operands[op.weights.weights], operands[op.weights.bias] = self._weights(place, node)
        results = [self._result(t) for t in node.outputs]
        # The schema's name of the options is the op's in other letters, if the op states no other.
        table = op.table or node.name.title()
        options = options_of(table, **node.options) if op.fields and node.options else None
        self.file.op(getattr(_Code, node.name), operands, results, options=options)
        for t in node.outputs:
            if t in self.own:
                self.at[t] = self._int8(f"{self._name(t)}_rescaled", self.plan.scales[t])
                self.file.op(_Code.QUANTIZE, [self.own[t]], [self.at[t]])

    def _operand(self, op: FloatOp, index: int) -> int:
        if index == NO_TENSOR:
            return NO_TENSOR
        tensor = self.graph.tensors[index]
        if tensor.data is None:
            if op.scales is Scales.SAME:
                return self.at[index]
            # An op with a scale of its own reads what the other op gave, not rounded again.
            return self.own.get(index, self.at[index])
        if tensor.is_index:
            return self.file.tensor(tensor.shape, _Type.INT32, name=tensor.name,
                                    data=tensor.data.astype("<i4"))  # fmt: skip
        if index not in self.plan.scales:
            return NO_TENSOR  # weights and biases, which are replaced
        scale, zero_point = self.plan.scales[index]
        data = np.clip(np.rint(tensor.data / float(scale)) + zero_point, LOWEST, HIGHEST)
        return self.file.tensor(tensor.shape, _Type.INT8, name=tensor.name, scale=scale,
                                zero_point=zero_point, data=data.astype(np.int8))  # fmt: skip

    def _weights(self, place: int, node: Node) -> tuple[int, int]:
        roles = float_ops()[node.name].weights
        assert roles is not None
        weights, scales, bias = self.rounded[place]
        name = self._name(node.outputs[0])
        return (
            self._constant(f"{name}/weights", weights, scales, roles.axis),
            self._constant(f"{name}/bias", bias.astype("<i4"), None, 0),
        )

    def _constant(self, name: str, data: Array, scales: Array | None, axis: int) -> int:
        kind = getattr(_Type, data.dtype.name.upper())
        return self.file.tensor(data.shape, kind, name=name, scale=scales, axis=axis, data=data)

    def _result(self, index: int) -> int:
        fixed = self.plan.fixed.get(index)
        inner = self.float_border and index in self.graph.outputs
        name = f"{self._name(index)}_quantized" if inner else self._name(index)
        result = self._int8(name, self.plan.scales[index] if fixed is None else fixed)
        if fixed is None:
            self.at[index] = result
        else:
            self.own[index] = result
        return result

    def _int8(self, name: str, scale: Scale, shape: tuple[int, ...] | None = None) -> int:
        return self.file.tensor(shape, _Type.INT8, name=name, scale=scale.scale,
                                zero_point=scale.zero_point)  # fmt: skip

    def _name(self, index: int) -> str:
        return self.graph.tensors[index].name
