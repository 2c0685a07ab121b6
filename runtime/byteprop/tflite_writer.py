"""Writes a graph as a .tflite file, which TensorFlow Lite's reference kernels run to the same bytes
and which `load` reads back as the same graph."""

from __future__ import annotations

import math

import numpy as np
import tflite

from byteprop.errors import ModelError
from byteprop.graph import Activation, Dense, DType, Graph, Op, Rescale, Reshape, Softmax, Tensor
from byteprop.tflite_file import TfliteFile, options_of

_TYPES = {DType.INT8: tflite.TensorType.INT8, DType.UINT8: tflite.TensorType.UINT8}
_FLOAT = tflite.TensorType.FLOAT32
_Fused = tflite.ActivationFunctionType
_FUSED = {
    Activation.NONE: _Fused.NONE,
    Activation.RELU: _Fused.RELU,
    Activation.RELU6: _Fused.RELU6,
    Activation.RELU_N1_TO_1: _Fused.RELU_N1_TO_1,
}
_Code = tflite.BuiltinOperator
# Ops on their own and the versions that take int8.
_RESCALES = {
    Activation.NONE: (_Code.QUANTIZE, 2),
    Activation.RELU: (_Code.RELU, 2),
    Activation.RELU6: (_Code.RELU6, 2),
    Activation.RELU_N1_TO_1: (_Code.RELU_N1_TO_1, 1),
    Activation.RELU_0_TO_1: (_Code.RELU_0_TO_1, 1),
}
# FULLY_CONNECTED: plain int8, without bias, that keeps dimensions.
_DENSE_VERSION, _NO_BIAS_VERSION, _KEEP_DIMS_VERSION = 4, 6, 5


def write_tflite(graph: Graph) -> bytes:
    """The file. ModelError for what the format cannot state."""
    return _Writer(graph).write()


def _last_axes(shape: tuple[int, ...], n: int) -> tuple[int, ...]:
    """The last axes of a sample that have n positions."""
    if n == 1:
        return (1,)
    return next(shape[at:] for at in range(len(shape), 0, -1) if math.prod(shape[at:]) == n)


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.file = TfliteFile(description="byteprop")
        self.tensors = [self._activation(t) for t in graph.tensors]

    def write(self) -> bytes:
        inputs = [self._input(t) for t in self.graph.inputs]
        for index, op in enumerate(self.graph.ops):
            self._op(index, op)
        outputs = [self._output(t) for t in self.graph.outputs]
        return self.file.build(inputs, outputs)

    # Tensors.

    def _activation(self, t: Tensor) -> int:
        name = f"{t.name}_quantized" if t.float_border else t.name
        return self.file.tensor(
            t.shape, _TYPES[t.dtype], name=name, scale=t.scale, zero_point=t.zero_point
        )

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

    # Ops.

    def _op(self, index: int, op: Op) -> None:
        x, y = self.tensors[op.input], self.tensors[op.output]
        if isinstance(op, Dense):
            self._dense(index, op)
        elif isinstance(op, Rescale):
            code, version = _RESCALES[op.activation]
            self.file.op(code, [x], [y], version=version)
        elif isinstance(op, Softmax):
            options = options_of("Softmax", Beta=float(op.beta))
            self.file.op(_Code.SOFTMAX, [x], [y], version=2, options=options)
        elif isinstance(op, Reshape):
            shape = self.graph.tensors[op.output].shape
            constant = self.file.tensor(
                (len(shape),),
                tflite.TensorType.INT32,
                name=f"{self.graph.tensors[op.output].name}/shape",
                data=np.array(shape, "<i4"),
            )
            self.file.op(_Code.RESHAPE, [x, constant], [y])

    def _dense(self, index: int, op: Dense) -> None:
        x, y = self.graph.tensors[op.input], self.graph.tensors[op.output]
        if op.activation not in _FUSED:
            raise ModelError(f"op {index}: a dense layer cannot end in {op.activation.name}")
        n_out = len(op.weights)
        keep = y.shape != (y.elems // n_out, n_out)
        operands = [self.tensors[op.input], self._weights(op, y.name)]
        if op.has_bias:
            operands.append(self._bias(op, x, y.name))
        options = options_of(
            "FullyConnected", FusedActivationFunction=_FUSED[op.activation], KeepNumDims=keep
        )
        version = _DENSE_VERSION if op.has_bias else _NO_BIAS_VERSION
        version = max(version, _KEEP_DIMS_VERSION) if keep else version
        self.file.op(
            _Code.FULLY_CONNECTED,
            operands,
            [self.tensors[op.output]],
            version=version,
            options=options,
        )

    def _weights(self, op: Dense, name: str) -> int:
        return self.file.tensor(
            op.weights.shape,
            tflite.TensorType.INT8,
            name=f"{name}/weights",
            scale=op.weight_scales,
            data=op.weights,
        )

    def _bias(self, op: Dense, x: Tensor, name: str) -> int:
        """At scale s_x * s_w, one a row where the weights have one a row."""
        return self.file.tensor(
            op.bias.shape,
            tflite.TensorType.INT32,
            name=f"{name}/bias",
            scale=np.float32(x.scale) * op.weight_scales.astype(np.float32),
            data=op.bias.astype("<i4"),
        )
