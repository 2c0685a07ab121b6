"""From the layers of a Sequential to a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.layers import (
    Add,
    Conv2D,
    Dense,
    Filter,
    Flatten,
    GlobalAveragePooling2D,
    ImageWord,
    LayerWord,
    MaxPooling2D,
    Pooling,
    Shape,
    earlier,
    names_of,
    output_shape,
    weights_of,
)
from byteprop.ops import Conv, Depthwise, Reshape, Softmax
from byteprop.ops import Dense as DenseOp
from byteprop.ops.add import Add as AddOp
from byteprop.ops.mean import Mean
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import HEIGHT, WIDTH
from byteprop.training.given import GivenLayer, quantized
from byteprop.training.initial import (
    initial_filters,
    initial_weights,
    input_scale,
    output_scale,
)
from byteprop.training.masters import Masters
from byteprop.training.normalization import Inputs

Range = tuple[float, float]

_ACTIVATIONS = {"linear": Activation.NONE, "relu": Activation.RELU}
_RELU_ZERO = -128  # zero point of what is never negative
# Where the windows of training begin: outputs up to 4 and logits up to 16 in size.
_HIDDEN_SCALE = np.float32(2.0**-6)
_LOGIT_SCALE = np.float32(2.0**-3)


@dataclass(frozen=True)
class _At:
    """Where a layer is: its place, its name, how many dense layers and filters are before it."""

    index: int
    name: str
    dense: int
    filters: int


@dataclass(frozen=True)
class Random:
    """Random initial weights, and scales for activations that are not known."""

    seed: int

    def dense(self, at: _At, n_in: int, units: int, input_step: float) -> _Layer:
        weights, scale = initial_weights(n_in, units, seed=self.seed, layer=at.dense)
        return weights, scale, np.zeros(units, np.int32), None

    def filters(self, at: _At, n_in: int, rows: int, input_step: float) -> _Layer:
        weights, scale = initial_filters(rows, n_in, seed=self.seed, number=at.filters)
        return weights, scale, np.zeros(rows, np.int32), None

    def hidden_scale(self, at: _At) -> np.float32:
        return _HIDDEN_SCALE

    def logit_scale(self) -> np.float32:
        return _LOGIT_SCALE


@dataclass(frozen=True)
class Given:
    """Weights that were given, and what they give for the samples: one of each for every layer."""

    layers: tuple[GivenLayer | None, ...]
    limits: list[Range]

    def dense(self, at: _At, n_in: int, units: int, input_step: float) -> _Layer:
        layer = self.layers[at.index]
        assert layer is not None
        made = quantized(layer, input_step, f"layer {at.name!r}")
        return made.weights, made.scale, made.bias, made.masters

    filters = dense

    def hidden_scale(self, at: _At) -> np.float32:
        return input_scale(0.0, self.limits[at.index][1])[0]

    def logit_scale(self) -> np.float32:
        return output_scale(*self.limits[-1])


Initial = Random | Given
# int8 weights, their scale, int32 bias, and what training keeps of them in addition.
_Layer = tuple[npt.NDArray[np.int8], np.float32, npt.NDArray[np.int32], Masters | None]


def graph_of(
    layers: Sequence[LayerWord],
    shape: Shape,
    inputs: Inputs,
    output_range: Range | None,
    initial: Initial,
) -> tuple[Graph, tuple[Masters, ...] | None]:
    """The network, and what training keeps of weights that were given."""
    made = _Construction(initial, output_range)
    made.tensors.append(
        Tensor(
            "input", (1, *shape), DType.INT8, inputs.scale, inputs.zero_point,
            float_border=inputs.normalization is not None, normalization=inputs.normalization,
        )
    )  # fmt: skip
    for index, (layer, name) in enumerate(zip(layers, names_of(layers), strict=True)):
        at = _At(index, name, made.dense, made.filters)
        if isinstance(layer, Add):
            made.sum(made.outputs[earlier(layers, index)], at)
        elif isinstance(layer, Dense):
            made.fully_connected(layer, at, is_last=index == len(layers) - 1)
        else:
            made.of_image(layer, at)
        made.outputs.append(len(made.tensors) - 1)
    return made.graph(), tuple(made.masters) or None


@dataclass
class _Construction:
    initial: Initial
    output_range: Range | None
    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    masters: list[Masters] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)  # tensors, of each layer so far
    dense: int = 0
    filters: int = 0

    def graph(self) -> Graph:
        return Graph(tuple(self.tensors), tuple(self.ops), (0,), (len(self.tensors) - 1,))

    def of_image(self, layer: ImageWord, at: _At) -> None:
        if isinstance(layer, Filter):
            self.convolution(layer, at)
        elif isinstance(layer, Flatten):
            self.flatten(at.name)
        elif isinstance(layer, GlobalAveragePooling2D):
            x = self.passed_on(at.name, output_shape(layer, self.shape, at.name))
            self.ops.append(Mean(x, x + 1, (HEIGHT, WIDTH)))
        else:
            self.pooling(layer, at.name)

    @property
    def shape(self) -> Shape:
        return self.tensors[-1].shape[1:]

    def tensor(self, name: str, shape: Shape, scale: np.float32, zero_point: int) -> int:
        """Returns the index of the tensor before it."""
        self.tensors.append(Tensor(name, (1, *shape), DType.INT8, scale, zero_point))
        return len(self.tensors) - 2

    def passed_on(self, name: str, shape: Shape) -> int:
        """A tensor with the scale of the one before it."""
        before = self.tensors[-1]
        return self.tensor(name, shape, before.scale, before.zero_point)

    def flatten(self, name: str) -> None:
        if len(self.shape) > 1:
            x = self.passed_on(name, (math.prod(self.shape),))
            self.ops.append(Reshape(x, x + 1))

    def sum(self, other: int, at: _At) -> None:
        x = len(self.tensors) - 1
        if any(self.tensors[t].zero_point != _RELU_ZERO for t in (x, other)):
            raise ArgumentError(f"layer {at.name!r}: expected two outputs of layers with relu")
        self.tensor(at.name, self.shape, self.initial.hidden_scale(at), _RELU_ZERO)
        self.ops.append(AddOp(x, x + 1, other, activation=Activation.RELU))

    def pooling(self, layer: Pooling, name: str) -> None:
        window, _ = layer.window(self.shape)
        kind = PoolKind.MAX if isinstance(layer, MaxPooling2D) else PoolKind.AVERAGE
        x = self.passed_on(name, output_shape(layer, self.shape, name))
        self.ops.append(Pool(x, x + 1, kind, window))

    def convolution(self, layer: Filter, at: _At) -> None:
        window, _ = layer.window(self.shape)
        rows, n = weights_of(layer, self.shape)
        channels, before = self.shape[2], self.tensors[-1]
        weights, scale, bias, masters = self.initial.filters(at, n, rows, float(before.scale))
        self.filters += 1
        scales = np.full(rows, scale, np.float32)
        shape = output_shape(layer, self.shape, at.name)
        x = self.tensor(at.name, shape, self.initial.hidden_scale(at), _RELU_ZERO)
        taps = (window.height.kernel, window.width.kernel)
        activation = _ACTIVATIONS[layer.kind]
        is_conv = isinstance(layer, Conv2D)

        def shaped(values: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
            if is_conv:
                return values.reshape(rows, *taps, channels)
            return np.ascontiguousarray(values.T).reshape(1, *taps, rows)

        op = Conv if is_conv else Depthwise
        self.ops.append(op(x, x + 1, shaped(weights), bias, scales, window, activation))
        if masters is not None:
            self.masters.append(replace(masters, residual=shaped(masters.residual)))

    def fully_connected(self, layer: Dense, at: _At, *, is_last: bool) -> None:
        self.flatten("flatten")
        before, name = self.tensors[-1], at.name
        self.dense += 1
        weights, scale, bias, masters = self.initial.dense(
            at, before.elems, layer.units, float(before.scale)
        )
        self.masters += [] if masters is None else [masters]
        if not is_last:
            x = self.tensor(name, (layer.units,), self.initial.hidden_scale(at), _RELU_ZERO)
        elif layer.kind == "softmax":
            x = self.tensor(name, (layer.units,), self.initial.logit_scale(), 0)
        else:
            assert self.output_range is not None
            x = self.tensor(name, (layer.units,), output_scale(*self.output_range), 0)
        activation = Activation.NONE if is_last else _ACTIVATIONS[layer.kind]
        scales = np.array([scale], np.float32)
        self.ops.append(DenseOp(x, x + 1, weights, bias, scales, activation))
        if layer.kind == "softmax":
            x = self.tensor("softmax", (layer.units,), np.float32(1 / 256), -128)
            self.ops.append(Softmax(x, x + 1))
