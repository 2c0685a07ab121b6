"""Convolution: CONV_2D, int8 to int8, in one group of channels or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw, _raw_conv
from byteprop.graph.limits import MAX_ELEMS
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
from byteprop.ops.spec import Overlap, Placed, Reader, Record, RowWindow
from byteprop.ops.weights import matrix_of, row_stride, rows_of
from byteprop.ops.wide_weights import with_copies
from byteprop.ops.window import CHANNELS, Window, read_padding

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

_COLUMNS = _raw.const("BP_CONV_COLUMNS")


@dataclass(frozen=True)
class Conv(Convolution):
    """CONV_2D: weights [n_out, height, width, n_in]. Where the input has a multiple of n_in
    channels, they form groups, and each group of output channels takes its own."""


class ConvSpec(ConvolutionSpec[Conv]):
    name = "conv"
    kind = Conv
    takes = (
        "int8; any kernel, stride, dilation and padding, groups, one scale per tensor or per "
        "channel; fused RELUs"
    )
    channel_axis = 0

    def image_weights(self, op: Conv) -> npt.NDArray[np.int8]:
        return rows_of(op.weights.reshape(len(op.weights), -1))

    def file_weights(self, record: Record, window: Window, groups: int) -> npt.NDArray[np.int8]:
        x, y = record.tensor(record.inputs[0]), record.tensor(record.outputs[0])
        return weights_of_rows(record, y.shape[3], window, x.shape[3] // groups)

    def groups(self, at: Placed[Conv]) -> int:
        return int(at.x.shape[3] // at.op.weights.shape[3])

    def check_channels(self, at: Placed[Conv]) -> None:
        n_out, _, _, n_in = at.op.weights.shape
        if at.x.shape[3] % n_in or n_out % max(self.groups(at), 1):
            at.refuse(f"weights {at.op.weights.shape} do not fit {at.x.shape[3]} input channels")
        taps = at.op.weights.size // (n_out * n_in)
        if _COLUMNS * row_stride(taps * n_in) * self.groups(at) > MAX_ELEMS:
            at.refuse(f"kernels of {taps} taps on {at.x.shape[3]} channels need too much memory")

    def scratch_bytes(self, at: Placed[Conv]) -> int:
        return _raw_conv.conv_scratch(self.shape(at), self.groups(at))

    def overlap(self, at: Placed[Conv]) -> Overlap:
        shape = self.shape(at)
        backward = _raw_conv.conv_is_backward(shape)
        return Overlap(_raw_conv.conv_distance(shape), output_first=not backward)

    def row_window(self, at: Placed[Conv]) -> RowWindow:
        return at.op.window.rows

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"CONV_2D": Reader(_read, 6)}

    def write_tflite(self, at: Placed[Conv], writer: Writer) -> None:
        op = at.op
        x, padding = padded_input(at, writer)
        writer.op(
            "CONV_2D",
            [x, *constants(at, writer, self.channel_axis)],
            [writer.tensors[op.output]],
            version=3 if self.groups(at) == 1 else 6,
            Padding=padding,
            **window_options(op.window),
            FusedActivationFunction=fused(at, writer),
        )


def weights_of_rows(record: Record, n_out: int, window: Window, n_in: int) -> npt.NDArray[np.int8]:
    """Weights [n_out, height, width, n_in] of an image that has them in rows."""
    kernel = window.height.kernel, window.width.kernel
    rows = matrix_of(record, WEIGHTS, n_out, kernel[0] * kernel[1] * n_in)
    return rows.reshape(n_out, *kernel, n_in)


def _read(builder: Builder, op: RawOp) -> None:
    """From a .tflite file."""
    import tflite

    builder.expect_operands(op, (2, 3))
    options = read_options(builder, op, tflite.Conv2DOptions)
    source, x = read_int8_image(builder, op)
    weights, scales = read_scaled_weights(builder, op, axis=0)
    n_out, *_, n_in = weights.shape
    if x.shape[CHANNELS] % n_in or n_out % (x.shape[CHANNELS] // n_in):
        builder.fail(op, f"weights {list(weights.shape)} for an input of shape {list(x.shape)}")
    window = read_window(builder, op, options, weights, dilates=True)
    window, positions = read_padding(builder, op, window, x.shape, options.Padding())
    target = builder.result(op, (x.shape[0], *positions, n_out))
    source, weights = with_copies(builder, op, source, weights)
    append(
        builder, op, Conv, source, target, weights=weights, weight_scales=scales, window=window,
        fused=options.FusedActivationFunction(),
    )  # fmt: skip
