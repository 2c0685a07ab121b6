"""Networks whose weights are given as arrays: layers, and the float graph that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.float_ops.spec import FUSED
from byteprop.graph.float_graph import Array, FloatGraph, FloatTensor, Node

_FUSED = {"linear": 0, "relu": 1, "relu6": 3}
_OPS = {"softmax": "SOFTMAX", "tanh": "TANH", "sigmoid": "LOGISTIC"}
ACTIVATIONS = (*_FUSED, *_OPS)
_PADDINGS = {"same": 0, "valid": 1}
_POOLS = {"max": "MAX_POOL_2D", "average": "AVERAGE_POOL_2D"}

Size = int | tuple[int, int]


@dataclass(frozen=True)
class FloatLayer:
    """A dense layer: weights [n_in, n_out] as Keras keeps them; activation: linear, relu, relu6,
    tanh, sigmoid, softmax. Images before it are flattened in the order [height, width, channels].
    """

    weights: Any
    bias: Any
    activation: str = "linear"
    name: str = ""


@dataclass(frozen=True)
class FloatConv:
    """A convolution of images [height, width, channels]: weights [height, width, n_in, n_out], or
    if depthwise [height, width, channels, multiplier], as Keras keeps them; padding: same or valid.
    """

    weights: Any
    bias: Any
    activation: str = "linear"
    stride: Size = 1
    padding: str = "same"
    depthwise: bool = False
    name: str = ""


@dataclass(frozen=True)
class FloatPool:
    """kind: max or average. size: None for the whole image, which leaves one number per channel.
    stride: the size, if None."""

    kind: str = "max"
    size: Size | None = 2
    stride: Size | None = None
    padding: str = "valid"
    name: str = ""


Layer = FloatLayer | FloatConv | FloatPool


def graph_of_layers(layers: Sequence[Layer], input_shape: tuple[int, ...] | None) -> FloatGraph:
    """input_shape: of a sample; it may be None where the first layer is dense, whose weights say
    it. ArgumentError names a layer that does not fit the one before."""
    if not layers:
        raise ArgumentError("network: expected at least one layer, got none")
    first = layers[0]
    if isinstance(first, FloatLayer) and input_shape is None:
        input_shape = (_reals(first.weights, "weights 0", 2).shape[0],)
    if input_shape is None:
        raise ArgumentError("network: expected an input_shape [height, width, channels], got none")
    return _Growing(input_shape).grow(layers)


class _Growing:
    """The graph while it grows. shape: of what the last node gives, without the batch."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.tensors = [FloatTensor("input", (1, *shape))]
        self.nodes: list[Node] = []
        self.at = 0
        self.names: set[str] = set()

    def grow(self, layers: Sequence[Layer]) -> FloatGraph:
        for i, layer in enumerate(layers):
            if isinstance(layer, FloatLayer):
                self._dense(i, layer)
            elif isinstance(layer, FloatConv):
                self._conv(i, layer)
            else:
                self._pool(i, layer)
            if getattr(layer, "activation", "") == "softmax" and i != len(layers) - 1:
                raise ArgumentError(f"activations[{i}]: softmax is for the last layer only")
        return FloatGraph(tuple(self.tensors), tuple(self.nodes), (0,), (self.at,))

    def _dense(self, i: int, layer: FloatLayer) -> None:
        weights, bias = _reals(layer.weights, f"weights {i}", 2), _reals(layer.bias, f"bias {i}", 1)
        if len(self.shape) > 1:
            self.shape = (int(np.prod(self.shape)),)
            self._node("RESHAPE", "flatten", [self._constant(np.array([1, *self.shape]))])
        _check_fit(i, weights.shape[0], self.shape[-1], "inputs", "outputs")
        _check_bias(i, bias, weights.shape[1])
        self.shape = (weights.shape[1],)
        operands = [self._constant(np.ascontiguousarray(weights.T)), self._constant(bias)]
        self._activated(i, "FULLY_CONNECTED", layer.name or "dense", layer, operands, {})

    def _conv(self, i: int, layer: FloatConv) -> None:
        weights, bias = _reals(layer.weights, f"weights {i}", 4), _reals(layer.bias, f"bias {i}", 1)
        self._expect_image(i)
        _check_fit(i, weights.shape[2], self.shape[2], "input channels", "channels")
        if layer.depthwise:
            n_out = weights.shape[2] * weights.shape[3]
            weights = weights.reshape(1, *weights.shape[:2], n_out)
            kernel, op = (weights.shape[1], weights.shape[2]), "DEPTHWISE_CONV_2D"
        else:
            n_out = weights.shape[3]
            kernel, op = (weights.shape[0], weights.shape[1]), "CONV_2D"
            weights = np.ascontiguousarray(weights.transpose(3, 0, 1, 2))
        _check_bias(i, bias, n_out)
        options = self._window(i, layer.padding, _pair(layer.stride), kernel)
        self.shape = (*self.shape[:2], n_out)
        operands = [self._constant(weights), self._constant(bias)]
        name = "depthwise_conv2d" if layer.depthwise else "conv2d"
        self._activated(i, op, layer.name or name, layer, operands, options)

    def _pool(self, i: int, layer: FloatPool) -> None:
        if layer.kind not in _POOLS:
            raise ArgumentError(f"kind of layer {i}: expected max or average, got {layer.kind!r}")
        self._expect_image(i)
        size = (self.shape[0], self.shape[1]) if layer.size is None else _pair(layer.size)
        stride = size if layer.stride is None else _pair(layer.stride)
        options = self._window(i, layer.padding, stride, size)
        options |= {"FilterHeight": size[0], "FilterWidth": size[1], FUSED: 0}
        self._node(_POOLS[layer.kind], layer.name or f"{layer.kind}_pool", [], options)

    def _window(
        self, i: int, padding: str, stride: tuple[int, int], kernel: Sequence[int]
    ) -> dict[str, Any]:
        """Options of a window; the shape becomes that of its positions."""
        if padding not in _PADDINGS or min(*stride, *kernel) < 1:
            raise ArgumentError(
                f"layer {i}: expected padding same or valid and a window and stride of at least 1, "
                f"got {padding!r}, {tuple(kernel)} and {stride}"
            )
        sizes = [
            -(-n // s) if padding == "same" else (n - k) // s + 1
            for n, k, s in zip(self.shape[:2], kernel, stride, strict=True)
        ]
        if min(sizes) < 1:
            raise ArgumentError(
                f"layer {i}: a window of {tuple(kernel)} does not fit an image of {self.shape[:2]}"
            )
        self.shape = (*sizes, self.shape[2])
        return {"Padding": _PADDINGS[padding], "StrideH": stride[0], "StrideW": stride[1]}

    def _activated(
        self, i: int, op: str, name: str, layer: FloatLayer | FloatConv, operands: list[int],
        options: dict[str, Any],
    ) -> None:  # fmt: skip
        activation = layer.activation
        if activation not in ACTIVATIONS:
            raise ArgumentError(
                f"activations[{i}]: expected {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        self._node(op, name, operands, {**options, FUSED: _FUSED.get(activation, 0)})
        if activation in _OPS:
            options = {"Beta": 1.0} if activation == "softmax" else {}
            self._node(_OPS[activation], activation, [], options)

    def _expect_image(self, i: int) -> None:
        if len(self.shape) != 3:
            raise ArgumentError(
                f"layer {i}: expected images [height, width, channels] before it, got the shape "
                f"{self.shape}"
            )

    def _constant(self, data: Array) -> int:
        self.tensors.append(FloatTensor(f"constant_{len(self.tensors)}", data.shape, data))
        return len(self.tensors) - 1

    def _node(
        self, op: str, name: str, operands: list[int], options: dict[str, Any] | None = None
    ) -> None:
        """A second layer of a name gets a number, as in Keras."""
        unique, n = name, 0
        while unique in self.names:
            n += 1
            unique = f"{name}_{n}"
        self.names.add(unique)
        self.tensors.append(FloatTensor(unique))
        result = len(self.tensors) - 1
        self.nodes.append(Node(op, (self.at, *operands), (result,), options or {}))
        self.at = result


def _check_fit(i: int, n: int, before: int, what: str, has: str) -> None:
    if n != before:
        raise ArgumentError(
            f"weights {i}: expected {before} {what}, as the layer before has {has}, got {n}"
        )


def _check_bias(i: int, bias: Array, n_out: int) -> None:
    if bias.shape != (n_out,):
        raise ArgumentError(f"bias {i}: expected shape ({n_out},), got {bias.shape}")


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _reals(numbers: Any, name: str, rank: int) -> npt.NDArray[Any]:
    array = np.asarray(numbers)
    if array.dtype.kind not in "fiu" or array.ndim != rank or array.size == 0:
        raise ArgumentError(
            f"{name}: expected numbers with {rank} dimensions, got {array.dtype} {array.shape}"
        )
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ArgumentError(f"{name}: expected finite numbers, got {array[at]} at position {at}")
    return array if array.dtype == np.float32 else array.astype(np.float64)
