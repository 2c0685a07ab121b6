"""Depthwise convolution: DEPTHWISE_CONV_2D, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw_conv
from byteprop.graph.tensor import Kind
from byteprop.ops.convolution import (
    WEIGHTS,
    Convolution,
    ConvolutionSpec,
    append,
    constants,
    fused,
    read_int8_image,
    read_options,
    read_scaled_weights,
    read_window,
    window_options,
)
from byteprop.ops.explicit_padding import padded_input
from byteprop.ops.spec import (
    ChannelSource,
    ChannelSources,
    Overlap,
    Placed,
    Reader,
    Record,
    RowWindow,
)
from byteprop.ops.wide_weights import is_wide, split_depthwise
from byteprop.ops.window import CHANNELS, Window, read_padding

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Depthwise(Convolution):
    """DEPTHWISE_CONV_2D: weights [1, height, width, n_out]. Output channel o takes the input
    channel o // (n_out / number of input channels)."""


class DepthwiseSpec(ConvolutionSpec[Depthwise]):
    name = "depthwise"
    kind = Depthwise
    takes = (
        "int8; any kernel, stride, dilation, padding and multiplier, one scale per tensor or "
        "per channel; fused RELUs"
    )
    channel_axis = 3

    def image_weights(self, op: Depthwise) -> npt.NDArray[np.int8]:
        return np.ascontiguousarray(op.weights)

    def file_weights(self, record: Record, window: Window, groups: int) -> npt.NDArray[np.int8]:
        n_out = record.tensor(record.outputs[0]).shape[CHANNELS]
        shape = (1, window.height.kernel, window.width.kernel, n_out)
        taps = record.array(WEIGHTS, "i1", int(np.prod(shape, dtype=np.int64)))
        return taps.astype(np.int8).reshape(shape)

    def check_channels(self, at: Placed[Depthwise]) -> None:
        one, _, _, n_out = at.op.weights.shape
        if one != 1 or n_out % at.x.shape[3]:
            at.refuse(f"weights {at.op.weights.shape} do not fit {at.x.shape[3]} input channels")

    def scratch_bytes(self, at: Placed[Depthwise]) -> int:
        return _raw_conv.depthwise_scratch(self.shape(at), by_rows=at.x.kind is Kind.ROWS)

    def overlap(self, at: Placed[Depthwise]) -> Overlap:
        return Overlap(_raw_conv.depthwise_distance(self.shape(at)))

    def channel_sources(self, at: Placed[Depthwise]) -> ChannelSources:
        n_in, n_out = at.x.shape[CHANNELS], at.y.shape[CHANNELS]
        return [ChannelSource(np.arange(n_out) // (n_out // n_in), is_repeated=n_in == 1)]

    def row_window(self, at: Placed[Depthwise]) -> RowWindow:
        return at.op.window.rows

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"DEPTHWISE_CONV_2D": Reader(_read, 6)}

    def write_tflite(self, at: Placed[Depthwise], writer: Writer) -> None:
        op = at.op
        x, padding = padded_input(at, writer)
        writer.op(
            "DEPTHWISE_CONV_2D",
            [x, *constants(at, writer, self.channel_axis)],
            [writer.tensors[op.output]],
            version=3,
            Padding=padding,
            **window_options(op.window),
            DepthMultiplier=at.y.shape[3] // at.x.shape[3],
            FusedActivationFunction=fused(at, writer),
        )


def _read(builder: Builder, op: RawOp) -> None:
    """From a .tflite file. The multiplier follows from the shapes; TensorFlow Lite does not read
    the one of the options."""
    import tflite

    builder.expect_operands(op, (2, 3))
    options = read_options(builder, op, tflite.DepthwiseConv2DOptions)
    source, x = read_int8_image(builder, op)
    weights, scales = read_scaled_weights(builder, op, axis=3)
    one, *_, n_out = weights.shape
    if one != 1 or n_out % x.shape[CHANNELS]:
        builder.fail(op, f"weights {list(weights.shape)} for an input of shape {list(x.shape)}")
    window = read_window(builder, op, options, weights, dilates=True)
    window, positions = read_padding(builder, op, window, x.shape, options.Padding())
    target = builder.result(op, (x.shape[0], *positions, n_out))
    append(
        builder, op, Depthwise, source, target, weights=weights, weight_scales=scales,
        window=window, fused=options.FusedActivationFunction(),
    )  # fmt: skip
    if is_wide(weights):
        split_depthwise(builder, op)
