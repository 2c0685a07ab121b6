"""From the layers of a Sequential to a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

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
class Random:
    """Random initial weights, and scales for activations that are not known."""

    seed: int

    def layer(self, index: int, n_in: int, units: int, input_step: float, name: str) -> _Layer:
        weights, scale = initial_weights(n_in, units, seed=self.seed, layer=index)
        return weights, scale, np.zeros(units, np.int32), None

    def hidden_scale(self, index: int) -> np.float32:
        return _HIDDEN_SCALE

    def logit_scale(self) -> np.float32:
        return _LOGIT_SCALE


@dataclass(frozen=True)
class Given:
    """Weights of dense layers that were given, and what they give for the samples."""

    layers: tuple[GivenLayer, ...]
    limits: list[Range]

    def layer(self, index: int, n_in: int, units: int, input_step: float, name: str) -> _Layer:
        made = quantized(self.layers[index], input_step, f"layer {name!r}")
        return made.weights, made.scale, made.bias, made.masters

    def hidden_scale(self, index: int) -> np.float32:
        return input_scale(0.0, self.limits[index][1])[0]

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
        if isinstance(layer, Add):
            made.sum(made.outputs[earlier(layers, index)], name)
        elif isinstance(layer, Dense):
            made.fully_connected(layer, name, is_last=index == len(layers) - 1)
        else:
            made.of_image(layer, name)
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

    def of_image(self, layer: ImageWord, name: str) -> None:
        if isinstance(layer, Filter):
            self.convolution(layer, name)
        elif isinstance(layer, Flatten):
            self.flatten(name)
        elif isinstance(layer, GlobalAveragePooling2D):
            x = self.passed_on(name, output_shape(layer, self.shape, name))
            self.ops.append(Mean(x, x + 1, (HEIGHT, WIDTH)))
        else:
            self.pooling(layer, name)

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

    def sum(self, other: int, name: str) -> None:
        x = len(self.tensors) - 1
        if any(self.tensors[t].zero_point != _RELU_ZERO for t in (x, other)):
            raise ArgumentError(f"layer {name!r}: expected two outputs of layers with relu")
        self.tensor(name, self.shape, self.initial.hidden_scale(0), _RELU_ZERO)
        self.ops.append(AddOp(x, x + 1, other, activation=Activation.RELU))

    def pooling(self, layer: Pooling, name: str) -> None:
        window, _ = layer.window(self.shape)
        kind = PoolKind.MAX if isinstance(layer, MaxPooling2D) else PoolKind.AVERAGE
        x = self.passed_on(name, output_shape(layer, self.shape, name))
        self.ops.append(Pool(x, x + 1, kind, window))

    def convolution(self, layer: Filter, name: str) -> None:
        window, _ = layer.window(self.shape)
        rows, n = weights_of(layer, self.shape)
        channels = self.shape[2]
        assert isinstance(self.initial, Random)
        weights, scale = initial_filters(rows, n, seed=self.initial.seed, number=self.filters)
        self.filters += 1
        scales, bias = np.full(rows, scale, np.float32), np.zeros(rows, np.int32)
        x = self.tensor(
            name, output_shape(layer, self.shape, name), self.initial.hidden_scale(0), _RELU_ZERO
        )
        taps = (window.height.kernel, window.width.kernel)
        activation = _ACTIVATIONS[layer.kind]
        if isinstance(layer, Conv2D):
            shaped = weights.reshape(rows, *taps, channels)
            self.ops.append(Conv(x, x + 1, shaped, bias, scales, window, activation))
        else:
            shaped = np.ascontiguousarray(weights.T).reshape(1, *taps, rows)
            self.ops.append(Depthwise(x, x + 1, shaped, bias, scales, window, activation))

    def fully_connected(self, layer: Dense, name: str, *, is_last: bool) -> None:
        self.flatten("flatten")
        before, index = self.tensors[-1], self.dense
        self.dense += 1
        weights, scale, bias, masters = self.initial.layer(
            index, before.elems, layer.units, float(before.scale), name
        )
        self.masters += [] if masters is None else [masters]
        if not is_last:
            x = self.tensor(name, (layer.units,), self.initial.hidden_scale(index), _RELU_ZERO)
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
