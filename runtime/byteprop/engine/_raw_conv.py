"""What the C library says of a convolution before it runs: scratch memory, and how far its output
may overlap its input. The model reader checks images by the same functions."""

from __future__ import annotations

from typing import Any, NamedTuple

from byteprop._kernels import ffi, lib


class Shape(NamedTuple):
    """Of images [batch, height, width, channels]. window: kernel, stride, dilation and padding of
    height and width."""

    x: tuple[int, ...]
    y: tuple[int, ...]
    window: list[list[int]]


def conv_scratch(shape: Shape, groups: int) -> int:
    """Bytes of scratch memory of a convolution."""
    return int(lib.bp_conv_scratch(_struct(shape), groups))


def depthwise_scratch(shape: Shape, *, by_rows: bool = False) -> int:
    """Bytes of scratch memory of a depthwise convolution. by_rows: of one that is fed."""
    if by_rows:
        return int(lib.bp_depthwise_row_scratch(_struct(shape)))
    return int(lib.bp_depthwise_scratch(_struct(shape)))


def conv_is_backward(shape: Shape) -> bool:
    """Whether a convolution goes from the last pixel to the first."""
    return bool(lib.bp_conv_is_backward(_struct(shape)))


def conv_distance(shape: Shape) -> int:
    """Bytes by which a convolution's output must begin before its input, or, backward, the input
    before the output."""
    return int(lib.bp_conv_distance(_struct(shape)))


def depthwise_distance(shape: Shape) -> int:
    """Bytes by which a depthwise convolution's output must begin before its input."""
    return int(lib.bp_depthwise_distance(_struct(shape)))


def _struct(shape: Shape) -> Any:
    """bp_conv_shape_t, whose fields are in this order."""
    return ffi.new("bp_conv_shape_t *", (*shape.x, *shape.y[1:], shape.window))
