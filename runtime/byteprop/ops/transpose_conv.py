"""Transposed convolution: TRANSPOSE_CONV, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from byteprop.ops.conv import weights_of_rows
from byteprop.ops.convolution import (
    Convolution,
    ConvolutionSpec,
    append,
    constants,
    fused,
    read_int8_image,
    read_options,
    read_scaled_weights,
    read_window,
)
from byteprop.ops.spec import Placed, Reader, Record
from byteprop.ops.weights import Int8s, Int32s, rows_of
from byteprop.ops.wide_weights import with_copies
from byteprop.ops.window import Shape, Window, pad_window

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


_MAX_STRIDE = 0xFFFF


@dataclass(frozen=True)
class TransposeConv(Convolution):
    """TRANSPOSE_CONV: weights [n_out, height, width, n_in]; every input adds its products to a
    window of outputs, of which the padding is cut off."""


class TransposeConvSpec(ConvolutionSpec[TransposeConv]):
    name = "transpose_conv"
    kind = TransposeConv
    takes = "int8; any kernel and padding, one scale per tensor or per channel; fused RELUs"
    channel_axis = 0
    claims = 0

    def is_fast(self, op: TransposeConv, bias: Int32s, lshift: Int8s) -> bool:
        return False  # no kernel makes use of it

    def image_weights(self, op: TransposeConv) -> npt.NDArray[np.int8]:
        return rows_of(op.weights.reshape(len(op.weights), -1))

    def file_weights(self, record: Record, window: Window, groups: int) -> npt.NDArray[np.int8]:
        x, y = record.tensor(record.inputs[0]), record.tensor(record.outputs[0])
        return weights_of_rows(record, y.shape[3], window, x.shape[3])

    def image_bias(self, op: TransposeConv, x_zero_point: int) -> npt.NDArray[np.int32]:
        return op.bias

    def file_bias(
        self, stored: npt.NDArray[np.int32], weights: npt.NDArray[np.int8], x_zero_point: int
    ) -> npt.NDArray[np.int32]:
        return stored.astype(np.int32)

    def check_channels(self, at: Placed[TransposeConv]) -> None:
        if at.op.weights.shape[3] != at.x.shape[3]:
            at.refuse(f"weights {at.op.weights.shape} do not fit {at.x.shape[3]} input channels")

    def check_positions(self, at: Placed[TransposeConv]) -> None:
        for axis in at.op.window.axes:
            if axis.dilation != 1 or min(axis.kernel, axis.stride) < 1 or axis.stride > _MAX_STRIDE:
                at.refuse(f"expected strides of 1 to {_MAX_STRIDE} and no dilation, got {axis}")
            if not 0 <= axis.pad < axis.kernel:
                at.refuse(f"expected a padding below {axis.kernel}, got {axis.pad}")

    def macs(self, at: Placed[TransposeConv]) -> int:
        return int(at.x.elems // at.x.shape[3] * at.op.weights.size)

    def tflite_readers(self) -> Mapping[str, Reader]:
        # Version 4 names the activation, which TensorFlow Lite 2.14 reads in version 3 too.
        return {"TRANSPOSE_CONV": Reader(_read, 4)}

    def write_tflite(self, at: Placed[TransposeConv], writer: Writer) -> None:
        op = at.op
        shape = writer.constant(f"{at.y.name}/shape", np.array(at.y.shape, np.int32))
        weights, bias = constants(at, writer, self.channel_axis)
        activation = fused(at, writer)
        writer.op(
            "TRANSPOSE_CONV",
            [shape, weights, writer.tensors[op.input], bias],
            [writer.tensors[op.output]],
            version=3,
            Padding=_padding_of(at),
            StrideH=op.window.height.stride,
            StrideW=op.window.width.stride,
            FusedActivationFunction=activation,
        )


def _padding_of(at: Placed[TransposeConv]) -> int:
    """The schema's code of the padding that cuts the output so."""
    import tflite

    window = at.op.window
    for name in ("VALID", "SAME"):
        if pad_window(window, at.y.shape, name)[0] == window:
            return int(getattr(tflite.Padding, name))
    at.refuse(f"a .tflite file cannot state {window} here")


def _read(builder: Builder, op: RawOp) -> None:
    """From a .tflite file, which states the shape of the output. The padding is that of a
    convolution from the output back to the input."""
    import tflite

    builder.expect_operands(op, (3, 4))
    options = read_options(builder, op, tflite.TransposeConvOptions)
    source, x = read_int8_image(builder, op, 2)
    weights, scales = read_scaled_weights(builder, op, axis=0)
    n_out, *_, n_in = weights.shape
    shape = tuple(builder.numbers(op, 0).reshape(-1).tolist())
    if n_in != x.shape[3] or len(shape) != 4 or (shape[0], shape[3]) != (x.shape[0], n_out):
        builder.fail(
            op,
            f"from shape {list(x.shape)} to shape {list(shape)} with weights {list(weights.shape)}",
        )
    target = builder.result(op, shape)
    window = read_window(builder, op, options, weights, dilates=False)
    window = _padded(builder, op, window, shape, options.Padding())
    source, weights = with_copies(builder, op, source, weights)
    append(
        builder, op, TransposeConv, source, target, weights=weights, weight_scales=scales,
        window=window, fused=options.FusedActivationFunction(), bias_operand=3,
    )  # fmt: skip


def _padded(builder: Builder, op: RawOp, window: Window, shape: Shape, code: int) -> Window:
    import tflite

    paddings = {tflite.Padding.SAME: "SAME", tflite.Padding.VALID: "VALID"}
    if code not in paddings or min(axis.stride for axis in window.axes) < 1:
        builder.fail(op, f"expected strides of at least 1 and a padding, got {window} and {code}")
    return pad_window(window, shape, paddings[code])[0]
