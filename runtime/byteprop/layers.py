"""The layers of a Sequential, in the words of Keras: the same names, order and defaults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from byteprop.errors import ArgumentError
from byteprop.ops.window import Axis, Window
from byteprop.support.arguments import integer

Size = int | Sequence[int]
Shape = tuple[int, ...]

_MAX_UNITS = 32767
_MAX_KERNEL = 255
_PADDINGS = ("valid", "same")
_HIDDEN = ("linear", "relu")


def _check_activation(layer: Any, known: Sequence[str]) -> None:
    if layer.kind not in known:
        raise ArgumentError(
            f"{type(layer).__name__}.activation: expected {', '.join(known)} or None, "
            f"got {layer.activation!r}"
        )


class _Activated:
    """A layer with an activation."""

    activation: str | None

    @property
    def kind(self) -> str:
        return "linear" if self.activation is None else self.activation


class _Convolving(_Activated):
    """A layer with a kernel."""

    kernel_size: Size

    def window(self, shape: Shape) -> tuple[Window, Shape]:
        """For inputs of this shape, with the height and the width of the output."""
        return _window_of(self, self.kernel_size, shape)


class _Pooling:
    """A layer with windows that are put together."""

    pool_size: Size

    def window(self, shape: Shape) -> tuple[Window, Shape]:
        """As that of a convolution."""
        return _window_of(self, self.pool_size, shape)


@dataclass(frozen=True)
class Dense(_Activated):
    """A fully connected layer to be made. activation: "relu", "softmax" (last layer only), or
    None or "linear" for none."""

    units: int
    activation: str | None = None
    name: str | None = None

    usual_name: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        integer("Dense.units", self.units, 1, _MAX_UNITS)
        _check_activation(self, (*_HIDDEN, "softmax"))


@dataclass(frozen=True)
class Conv2D(_Convolving):
    """A convolution of images of (height, width, channels). kernel_size, strides: a number, or one
    for the height and one for the width. padding: "valid" or "same". activation: "relu"."""

    filters: int
    kernel_size: Size
    strides: Size = (1, 1)
    padding: str = "valid"
    _: KW_ONLY
    activation: str | None = None
    name: str | None = None

    usual_name: ClassVar[str] = "conv2d"

    def __post_init__(self) -> None:
        integer("Conv2D.filters", self.filters, 1, _MAX_UNITS)
        _check_window(self, "kernel_size", self.kernel_size)
        _check_activation(self, _HIDDEN)


@dataclass(frozen=True)
class DepthwiseConv2D(_Convolving):
    """A convolution of each channel by itself. kernel_size, strides, padding, activation: as in
    Conv2D. depth_multiplier: outputs of each channel."""

    kernel_size: Size
    strides: Size = (1, 1)
    padding: str = "valid"
    depth_multiplier: int = 1
    _: KW_ONLY
    activation: str | None = None
    name: str | None = None

    usual_name: ClassVar[str] = "depthwise_conv2d"

    def __post_init__(self) -> None:
        integer("DepthwiseConv2D.depth_multiplier", self.depth_multiplier, 1, _MAX_UNITS)
        _check_window(self, "kernel_size", self.kernel_size)
        _check_activation(self, _HIDDEN)


@dataclass(frozen=True)
class MaxPooling2D(_Pooling):
    """The greatest value of each window. strides: by default those of pool_size."""

    pool_size: Size = (2, 2)
    strides: Size | None = None
    padding: str = "valid"
    _: KW_ONLY
    name: str | None = None

    usual_name: ClassVar[str] = "max_pooling2d"

    def __post_init__(self) -> None:
        _check_window(self, "pool_size", self.pool_size)


@dataclass(frozen=True)
class AveragePooling2D(_Pooling):
    """The mean of each window. strides: by default those of pool_size."""

    pool_size: Size = (2, 2)
    strides: Size | None = None
    padding: str = "valid"
    _: KW_ONLY
    name: str | None = None

    usual_name: ClassVar[str] = "average_pooling2d"

    def __post_init__(self) -> None:
        _check_window(self, "pool_size", self.pool_size)


@dataclass(frozen=True)
class GlobalAveragePooling2D:
    """The mean of each channel over the whole image."""

    _: KW_ONLY
    name: str | None = None

    usual_name: ClassVar[str] = "global_average_pooling2d"


@dataclass(frozen=True)
class Flatten:
    """All values of an image in one row, as a Dense takes them."""

    _: KW_ONLY
    name: str | None = None

    usual_name: ClassVar[str] = "flatten"


@dataclass(frozen=True)
class Add:
    """The outputs of the layer before it and of an earlier layer, added up. layer: the earlier one,
    as it is in the list, or its name."""

    layer: LayerWord | str
    _: KW_ONLY
    name: str | None = None

    usual_name: ClassVar[str] = "add"


LayerWord = (
    Dense
    | Conv2D
    | DepthwiseConv2D
    | MaxPooling2D
    | AveragePooling2D
    | GlobalAveragePooling2D
    | Flatten
    | Add
)
Filter = Conv2D | DepthwiseConv2D
Pooling = MaxPooling2D | AveragePooling2D
ImageWord = Filter | Pooling | GlobalAveragePooling2D | Flatten
WORDS: tuple[type[Any], ...] = LayerWord.__args__


def names_of(layers: Sequence[LayerWord]) -> list[str]:
    """Their names, or those that Keras would give: the kind's, with a number from the second on."""
    counts: dict[str, int] = {}
    found = []
    for layer in layers:
        usual = layer.usual_name
        n = counts.get(usual, 0)
        counts[usual] = n + 1
        found.append(layer.name or (f"{usual}_{n}" if n else usual))
    return found


def earlier(layers: Sequence[LayerWord], index: int) -> int:
    """The layer that the Add at this index adds. ArgumentError if there is none."""
    add = layers[index]
    assert isinstance(add, Add)
    names = names_of(layers)
    where = f"layers[{index}] {names[index]!r}"
    if isinstance(add.layer, str):
        found = [i for i in range(index) if names[i] == add.layer]
    else:
        found = [i for i in range(index) if layers[i] is add.layer]
    if len(found) == 1:
        return found[0]
    if found:
        raise ArgumentError(f"{where}: {len(found)} layers are {add.layer!r}; give them names")
    known = ", ".join(map(repr, names[:index])) or "none"
    raise ArgumentError(f"{where}: expected an earlier layer ({known}), got {add.layer!r}")


def shapes_of(layers: Sequence[LayerWord], shape: Shape) -> list[Shape]:
    """Of the input of each layer, and of the last one's output. ArgumentError names a layer that
    cannot read what the one before it gives."""
    shapes = [shape]
    for index, (layer, name) in enumerate(zip(layers, names_of(layers), strict=True)):
        where, shape = f"layers[{index}] {name!r}", shapes[-1]
        if isinstance(layer, Dense) and index and len(shape) > 1:
            raise ArgumentError(
                f"{where}: expected a row of values, got an image {shape}; put Flatten() or "
                "GlobalAveragePooling2D() before it"
            )
        if isinstance(layer, Add):
            other = shapes[earlier(layers, index) + 1]
            if other != shape:
                raise ArgumentError(
                    f"{where}: expected two outputs of one shape, got {shape} and {other}"
                )
        shapes.append(output_shape(layer, shape, where))
    return shapes


def output_shape(layer: LayerWord, shape: Shape, where: str) -> Shape:
    """Of a layer that reads this shape. where: the layer, for messages. ArgumentError for what does
    not fit."""
    if isinstance(layer, Dense):
        return (layer.units,)
    if isinstance(layer, Flatten):
        return (math.prod(shape),)
    if isinstance(layer, Add):
        return shape
    if len(shape) != 3:
        raise ArgumentError(f"{where}: {_no_image(shape)}")
    if isinstance(layer, GlobalAveragePooling2D):
        return shape[2:]
    size = layer.window(shape)[1]
    if min(size) < 1:
        kernel = layer.kernel_size if isinstance(layer, Filter) else layer.pool_size
        raise ArgumentError(
            f"{where}: a window of {_words(kernel)} does not fit into {_words(shape[:2])}; "
            'padding="same", or fewer strides before it'
        )
    if isinstance(layer, Conv2D):
        return (*size, layer.filters)
    if isinstance(layer, DepthwiseConv2D):
        return (*size, shape[2] * layer.depth_multiplier)
    return (*size, shape[2])


def weights_of(layer: LayerWord, shape: Shape) -> tuple[int, int]:
    """How many rows of weights, and weights in each, a layer has that reads this shape."""
    if isinstance(layer, Dense):
        return layer.units, math.prod(shape)
    if not isinstance(layer, Filter):
        return 0, 0
    height, width = (axis.kernel for axis in layer.window(shape)[0].axes)
    if isinstance(layer, Conv2D):
        return layer.filters, height * width * shape[2]
    return shape[2] * layer.depth_multiplier, height * width


def _no_image(shape: Shape) -> str:
    words = "expected images of (height, width, channels)"
    if len(shape) == 2:
        return f"{words}, got {shape}; for one channel, input_shape={(*shape, 1)} and x[..., None]"
    return f"{words}, got {shape}; what is flat has none: it belongs before Flatten or Dense"


def _words(size: Size) -> str:
    return "x".join(map(str, _pair(size)))


def _pair(size: Size) -> tuple[int, int]:
    if isinstance(size, Sequence):
        height, width = size
        return int(height), int(width)
    return int(size), int(size)


def _check_window(layer: Any, what: str, kernel: Any) -> None:
    name = type(layer).__name__
    for word, size in ((what, kernel), ("strides", layer.strides)):
        if size is None:
            continue
        sizes = size if isinstance(size, (tuple, list)) else (size, size)
        if len(sizes) != 2:
            raise ArgumentError(f"{name}.{word}: expected a number or two, got {size!r}")
        for n in sizes:
            integer(f"{name}.{word}", n, 1, _MAX_KERNEL)
    if layer.padding not in _PADDINGS:
        raise ArgumentError(f'{name}.padding: expected "valid" or "same", got {layer.padding!r}')


def _window_of(layer: Any, kernel: Size, shape: Shape) -> tuple[Window, Shape]:
    strides = kernel if layer.strides is None else layer.strides
    axes, sizes = [], []
    for n, k, s in zip(shape[:2], _pair(kernel), _pair(strides), strict=True):
        if layer.padding == "same":
            size = -(-n // s)
            pad = max((size - 1) * s + k - n, 0) // 2
        else:
            size, pad = (n - k) // s + 1, 0
        axes.append(Axis(k, s, 1, pad))
        sizes.append(size)
    return Window(*axes), tuple(sizes)
