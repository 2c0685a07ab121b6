"""Reads a float32 .tflite of dense layers as a FloatNetwork, to be quantised."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NoReturn

import numpy as np
import tflite

from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.graph.float_network import FloatLayer, FloatNetwork, Floats
from byteprop.tflite.rawmodel import NO_TENSOR, RawModel, RawOp, RawTensor, read

_Code = tflite.BuiltinOperator
_FLOAT = tflite.TensorType.FLOAT32
_INTEGERS = (tflite.TensorType.INT32, tflite.TensorType.INT64)
_FUSED = {
    tflite.ActivationFunctionType.NONE: "linear",
    tflite.ActivationFunctionType.RELU: "relu",
    tflite.ActivationFunctionType.RELU6: "relu6",
}
_AFTER = {_Code.RELU: "relu", _Code.RELU6: "relu6", _Code.SOFTMAX: "softmax"}
_RESHAPES = (_Code.RESHAPE, _Code.SQUEEZE, _Code.EXPAND_DIMS)
_SUPPORTED = "FULLY_CONNECTED, RELU, RELU6, SOFTMAX, RESHAPE, SQUEEZE, EXPAND_DIMS"


def read_float_tflite(data: bytes) -> FloatNetwork:
    """The network; UnsupportedOpError names an op that is not part of such a chain, ModelError a
    file that is damaged."""
    return network_of(read(data))


def network_of(model: RawModel) -> FloatNetwork:
    """As read_float_tflite, of a file that has been read."""
    if model.subgraphs != 1:
        raise UnsupportedOpError(f"{model.subgraphs} subgraphs; quantize takes models of one")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedOpError(
            f"{len(model.inputs)} inputs and {len(model.outputs)} outputs; quantize takes one each"
        )
    x = model.tensors[model.inputs[0]]
    if x.type != _FLOAT:
        raise UnsupportedOpError(f"input {x.name!r} is {x.type_name}; quantize takes float32")
    return _Chain(model, x).read()


class _Chain:
    """Follows the one activation from op to op."""

    def __init__(self, model: RawModel, x: RawTensor) -> None:
        self.model = model
        self.input = x
        self.at = x.index
        self.layers: list[FloatLayer] = []

    def read(self) -> FloatNetwork:
        for op in self.model.ops:
            self._take(op)
        if self.at != self.model.outputs[0]:
            name = self.model.tensors[self.model.outputs[0]].name
            raise ModelError(f"the output {name!r} is not what the last op gives")
        if not self.layers:
            raise UnsupportedOpError("the file has no FULLY_CONNECTED to quantise")
        shape = self.input.shape[1:]
        n_in = self.layers[0].weights.shape[0]
        if any(d < 1 for d in shape) or math.prod(shape) != n_in or not 1 <= len(shape) <= 3:
            raise ModelError(f"an input of shape {list(self.input.shape)} for {n_in} weights a row")
        return FloatNetwork(tuple(self.layers), shape, self.input.name)

    def _take(self, op: RawOp) -> None:
        if all(self.model.tensors[i].type in _INTEGERS for i in op.outputs):
            return  # arithmetic on shapes, of which a chain of dense layers needs none
        if len(op.outputs) != 1 or self.at not in op.inputs[:1]:
            self._refuse(op, "is not in one line with the others")
        if op.code == _Code.FULLY_CONNECTED:
            self._dense(op)
        elif op.code in _AFTER:
            self._activation(op)
        elif op.code not in _RESHAPES:
            self._refuse(op, "is not supported")
        self.at = op.outputs[0]

    def _dense(self, op: RawOp) -> None:
        if self.layers and self.layers[-1].activation == "softmax":
            self._refuse(op, "stands behind a softmax")
        fused = self._fused(op)
        weights = self._constant(op, 1, 2)
        n_in, n_out = weights.shape
        has_bias = len(op.inputs) > 2 and op.inputs[2] != NO_TENSOR
        bias = self._constant(op, 2, 1) if has_bias else np.zeros(n_out)
        if (self.layers and self.layers[-1].weights.shape[1] != n_in) or bias.shape != (n_out,):
            self._refuse(op, f"has {n_out}x{n_in} weights, which do not fit the layer before")
        name = self.model.tensors[op.outputs[0]].name
        self.layers.append(FloatLayer(weights, bias, fused, name))

    def _fused(self, op: RawOp) -> str:
        if op.options is None:
            return "linear"
        options = tflite.FullyConnectedOptions()
        options.Init(op.options.Bytes, op.options.Pos)
        code = options.FusedActivationFunction()
        if code not in _FUSED or options.WeightsFormat() != 0:
            self._refuse(op, f"has the fused activation {code} or packed weights")
        return _FUSED[code]

    def _activation(self, op: RawOp) -> None:
        activation = _AFTER[op.code]
        if not self.layers or self.layers[-1].activation != "linear":
            self._refuse(op, "does not follow a linear FULLY_CONNECTED")
        if activation == "softmax" and op.options is not None:
            options = tflite.SoftmaxOptions()
            options.Init(op.options.Bytes, op.options.Pos)
            if options.Beta() != 1.0:
                self._refuse(op, f"has beta {options.Beta()}")
        self.layers[-1] = replace(self.layers[-1], activation=activation)

    def _constant(self, op: RawOp, operand: int, rank: int) -> Floats:
        """A float32 constant of the file, transposed."""
        if operand >= len(op.inputs) or op.inputs[operand] == NO_TENSOR:
            self._refuse(op, f"has no input {operand}")
        raw = self.model.tensors[op.inputs[operand]]
        if raw.data is None or raw.type != _FLOAT or len(raw.shape) != rank:
            self._refuse(op, f"takes {raw.name!r} ({raw.type_name}), not a float32 constant")
        if any(d < 1 for d in raw.shape) or raw.data.size != 4 * math.prod(raw.shape):
            self._refuse(op, f"has {raw.data.size} bytes for the shape {list(raw.shape)}")
        values = np.frombuffer(raw.data, "<f4").reshape(raw.shape)
        if not np.isfinite(values).all():
            self._refuse(op, f"holds numbers in {raw.name!r} that are not finite")
        return values.T.astype(np.float64, order="C")

    def _refuse(self, op: RawOp, what: str) -> NoReturn:
        raise UnsupportedOpError(
            f"op {op.index}, {op.name}: {what}; quantize takes a chain of {_SUPPORTED} in float32"
        )
