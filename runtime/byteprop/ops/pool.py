"""Pooling: AVERAGE_POOL_2D and MAX_POOL_2D, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

from byteprop.errors import ModelError
from byteprop.graph.quantization import activation_range
from byteprop.graph.tensor import Activation, Op
from byteprop.ops.spec import (
    ChannelSources,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    RowWindow,
    range_words,
    refuse_unless_int8,
    same_channels,
)
from byteprop.ops.uint8_average import as_depthwise, has_ties
from byteprop.ops.window import (
    CHANNELS,
    Axis,
    Window,
    check_window,
    decode_window,
    padding_of,
    read_image,
    read_padding,
)

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

# How far the scales of input and output may be apart, as in TensorFlow Lite.
_SCALE_TOLERANCE = 1e-6


class PoolKind(IntEnum):
    """Which value a window gives (values: the op's record)."""

    AVERAGE = 0
    MAX = 1


_TFLITE = {PoolKind.AVERAGE: "AVERAGE_POOL_2D", PoolKind.MAX: "MAX_POOL_2D"}


@dataclass(frozen=True)
class Pool(Op):
    """AVERAGE_POOL_2D or MAX_POOL_2D of images [batch, height, width, channels]; no dilation."""

    pool: PoolKind
    window: Window
    activation: Activation = Activation.NONE


class PoolSpec(OpSpec[Pool]):
    name = "pool"
    kind = Pool
    takes = "int8; any window, stride and padding, output with the input's scale; fused RELUs"

    def check(self, at: Placed[Pool]) -> None:
        refuse_unless_int8(at)
        check_window(at, at.op.window)
        if at.x.shape[CHANNELS] != at.y.shape[CHANNELS]:
            at.refuse(f"expected as many channels, got the shapes {at.x.shape} and {at.y.shape}")
        if any(axis.dilation != 1 for axis in at.op.window.axes):
            at.refuse(f"expected no dilation, got {at.op.window}")

    def params(self, at: Placed[Pool]) -> Params:
        return (
            bytes((at.op.activation, at.op.pool, 0, 0)),
            range_words(activation_range(at.op.activation, at.y)),
            at.op.window.encoded(),
        )

    def decode(self, record: Record) -> Pool:
        activation, kind = Activation(record.params[0]), PoolKind(record.params[1])
        window = decode_window(record.params[8:])
        return Pool(record.inputs[0], record.outputs[0], kind, window, activation)

    def row_window(self, at: Placed[Pool]) -> RowWindow:
        return at.op.window.rows

    def channel_sources(self, at: Placed[Pool]) -> ChannelSources:
        return same_channels(at)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {name: Reader(partial(_read, kind=kind), 3) for kind, name in _TFLITE.items()}

    def write_tflite(self, at: Placed[Pool], writer: Writer) -> None:
        import tflite

        name, window = _TFLITE[at.op.pool], at.op.window
        padding = padding_of(window, at.x.shape, at.y.shape)
        fused = writer.fused(at.op.activation)
        if padding is None or fused is None:
            at.refuse(
                f"{name} of a .tflite file has no {window} from {at.x.shape} to {at.y.shape} "
                f"with {at.op.activation.name}"
            )
        writer.op(
            name,
            [writer.tensors[at.op.input]],
            [writer.tensors[at.op.output]],
            version=2,
            table="Pool2D",
            Padding=getattr(tflite.Padding, padding),
            StrideH=window.height.stride,
            StrideW=window.width.stride,
            FilterHeight=window.height.kernel,
            FilterWidth=window.width.kernel,
            FusedActivationFunction=fused,
        )

    def activation(self, op: Pool) -> Activation:
        return op.activation

    def detail(self, op: Pool) -> tuple[str, ...]:
        height, width = op.window.axes
        return (
            f"{op.pool.name.lower()} of {height.kernel}x{width.kernel}",
            f"stride {height.stride}x{width.stride}",
        )


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp, kind: PoolKind) -> None:
    import tflite

    builder.expect_operands(op, (1,))
    options = builder.options(op, tflite.Pool2DOptions)
    if options is None:
        builder.fail(op, "no options state its window")
    window = Window(
        Axis(options.FilterHeight(), options.StrideH()),
        Axis(options.FilterWidth(), options.StrideW()),
    )
    activation = builder.fused_activation(op, options.FusedActivationFunction())
    source = read_image(builder, op)
    shape = builder.tensors[source].shape
    window, positions = read_padding(builder, op, window, shape, options.Padding())
    target = builder.result(op, (shape[0], *positions, shape[CHANNELS]))
    x, y = builder.int8_operands(op, source, target)
    if abs(float(x.scale) - float(y.scale)) > _SCALE_TOLERANCE or x.zero_point != y.zero_point:
        builder.fail(op, "its output has another scale or zero point than its input")
    builder.check_fused_range(op, activation, y.scale)
    if kind is PoolKind.AVERAGE and builder.was_uint8(op, 0) and has_ties(window, x, y):
        try:
            builder.ops.append(as_depthwise(source, target, window, x, y, activation))
        except ModelError as error:
            builder.unsupported(op, f"{error}, whose ties uint8 rounds up and int8 away from zero")
        return
    builder.ops.append(Pool(source, target, kind, window, activation))
