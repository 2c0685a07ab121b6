"""What the convolutions have in common: their class, their record in the image, and how a .tflite
file states strides, dilation and padding."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw, _raw_conv
from byteprop.graph.limits import MAX_ELEMS
from byteprop.graph.quantization import Multiplier, activation_range, quantize_multiplier
from byteprop.graph.tensor import Activation, DType, Op, Tensor
from byteprop.ops.dense import MAX_N_IN, MAX_N_OUT
from byteprop.ops.spec import (
    WEIGHT_ALIGNMENT,
    WORD,
    Block,
    OpSpec,
    Params,
    Placed,
    Record,
    range_words,
    refuse_unless_int8,
    words,
)
from byteprop.ops.weights import (
    Int8s,
    Int32s,
    check_bias_scale,
    folded_bias,
    is_fast,
    read_bias,
    read_weight_scales,
    read_weights,
    unfolded_bias,
)
from byteprop.ops.window import (
    Axis,
    Window,
    check_images,
    check_window,
    decode_window,
    read_image,
)
from byteprop.tflite.names import quoted

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

_FAST = _raw.const("BP_OP_FAST")
_ONE_SCALE = _raw.const("BP_OP_ONE_SCALE")
_LAYOUT_ROWS = _raw.const("BP_LAYOUT_ROWS")
_MAX_U16 = 0xFFFF
# Words of the record, and bytes of its first one.
_WINDOW, _GROUPS = 2, 6
WEIGHTS, _BIAS, _WEIGHT_SCALES = 7, 8, 11
_ACTIVATION_AT, _FLAGS_AT = 1, 2
_WEIGHTS_OPERAND = 1


@dataclass(frozen=True)
class Convolution(Op):
    """Weights int8 in the order of the .tflite file, bias int32 [n_out] at scale s_x * s_w (zeros
    for an op without bias), weight_scales float32 [n_out]. one_scale: they are all equal, and
    s_x * s_w is rounded to float32, as TensorFlow Lite computes it in uint8."""

    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    weight_scales: npt.NDArray[np.float32]
    window: Window
    activation: Activation = Activation.NONE
    one_scale: bool = False


C = TypeVar("C", bound=Convolution)
OptionsT = TypeVar("OptionsT")


class ConvolutionSpec(OpSpec[C]):
    """channel_axis: of the weights, where output channels are."""

    channel_axis: int
    claims = _FAST << 8 * _FLAGS_AT

    # What the ops differ in.

    @abstractmethod
    def image_weights(self, op: C) -> npt.NDArray[np.int8]:
        """Weights as the image has them."""

    @abstractmethod
    def file_weights(self, record: Record, window: Window, groups: int) -> npt.NDArray[np.int8]:
        """Weights as the op has them, from an image."""

    def image_bias(self, op: C, x_zero_point: int) -> npt.NDArray[np.int32]:
        """The bias as the image has it."""
        return folded_bias(op.bias, self._channel_sums(op.weights), x_zero_point)

    def file_bias(
        self, stored: npt.NDArray[np.int32], weights: npt.NDArray[np.int8], x_zero_point: int
    ) -> npt.NDArray[np.int32]:
        """The bias as the op has it."""
        return unfolded_bias(stored, self._channel_sums(weights), x_zero_point)

    def _channel_sums(self, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """Of the weights of each output channel."""
        others = tuple(axis for axis in range(weights.ndim) if axis != self.channel_axis)
        sums: npt.NDArray[np.int64] = weights.sum(axis=others, dtype=np.int64)
        return sums

    @abstractmethod
    def check_channels(self, at: Placed[C]) -> None:
        """ModelError where the weights do not fit the channels of input and output."""

    def check_positions(self, at: Placed[C]) -> None:
        """ModelError where windows do not fit the heights and widths."""
        check_window(at, at.op.window)

    def groups(self, at: Placed[C]) -> int:
        return 1

    def is_fast(self, op: C, bias: Int32s, lshift: Int8s) -> bool:
        """Whether the image may say that the short requantization is exact. bias: the image's."""
        return is_fast(op.weights, bias, lshift)

    # What they share.

    def shape(self, at: Placed[C]) -> _raw_conv.Shape:
        """As the C library takes it."""
        window = np.frombuffer(at.op.window.encoded(), "<u2").reshape(-1, 2).T.tolist()
        return _raw_conv.Shape(at.x.shape, at.y.shape, window)

    def check(self, at: Placed[C]) -> None:
        refuse_unless_int8(at)
        op, x, y = at.op, at.x, at.y
        check_images(at, x, y)
        if op.weights.ndim != 4 or op.weights.dtype != np.int8:
            at.refuse(f"expected int8 weights of 4 dimensions, got {op.weights.shape}")
        if x.shape[3] > MAX_N_IN:
            at.refuse(f"{x.shape[3]} input channels, expected at most {MAX_N_IN}")
        n_out = op.weights.shape[self.channel_axis]
        if n_out != y.shape[3] or n_out > MAX_N_OUT:
            at.refuse(f"weights for {n_out} channels, expected {y.shape[3]}, at most {MAX_N_OUT}")
        if not 1 <= op.weights.size // n_out <= MAX_N_IN:
            at.refuse(f"{op.weights.size // n_out} weights per channel, expected 1..{MAX_N_IN}")
        if op.bias.shape != (n_out,) or op.bias.dtype != np.int32:
            at.refuse(f"expected a bias int32 [{n_out}], got {op.bias.dtype} {op.bias.shape}")
        if op.weight_scales.shape != (n_out,):
            at.refuse(f"expected {n_out} weight scales, got {op.weight_scales.shape}")
        if not (np.isfinite(op.weight_scales).all() and (op.weight_scales > 0).all()):
            at.refuse("a weight scale is not finite and above 0")
        if op.one_scale and np.any(op.weight_scales != op.weight_scales[0]):
            at.refuse("expected equal weight scales of an op with one scale")
        if op.weights.shape[1:3] != tuple(axis.kernel for axis in op.window.axes):
            at.refuse(f"weights {op.weights.shape} are not those of {op.window}")
        self.check_channels(at)
        self.check_positions(at)

    def params(self, at: Placed[C]) -> Params:
        op = at.op
        multipliers = [row_multiplier(at, w) for w in op.weight_scales]
        mult_q31 = np.array([m.mult_q31 for m in multipliers], "<i4")
        lshift = np.array([m.lshift for m in multipliers], np.int8)
        bias = self.image_bias(op, at.x.zero_point)
        flags = _FAST * self.is_fast(op, bias, lshift) | _ONE_SCALE * op.one_scale
        return (
            bytes((_LAYOUT_ROWS, op.activation, flags, 0)),
            range_words(activation_range(op.activation, at.y)),
            op.window.encoded(),
            words(self.groups(at)),
            Block(lambda: self.image_weights(op).tobytes(), WEIGHT_ALIGNMENT),
            Block(bias.astype("<i4").tobytes),
            Block(mult_q31.tobytes, shared=True, derived=True),
            Block(lshift.tobytes, alignment=1, derived=True),
            Block(np.asarray(op.weight_scales, "<f4").tobytes),
        )

    def decode(self, record: Record) -> C:
        x, y = record.tensor(record.inputs[0]), record.tensor(record.outputs[0])
        window = decode_window(record.params[WORD * _WINDOW :])
        n_out = y.shape[3]
        weights = self.file_weights(record, window, record.u32(_GROUPS))
        bias = record.array(_BIAS, "<i4", n_out)
        return self.kind(
            input=record.inputs[0],
            output=record.outputs[0],
            weights=weights,
            bias=self.file_bias(bias, weights, x.zero_point),
            weight_scales=record.array(_WEIGHT_SCALES, "<f4", n_out).astype(np.float32),
            window=window,
            activation=Activation(record.params[_ACTIVATION_AT]),
            one_scale=bool(record.params[_FLAGS_AT] & _ONE_SCALE),
        )

    def macs(self, at: Placed[C]) -> int:
        return int(at.y.elems * (at.op.weights.size // len(at.op.bias)))

    def weights(self, op: C) -> int:
        return int(op.weights.size)

    def weight_bytes(self, op: C) -> int:
        return int(op.weights.size + WORD * op.bias.size)

    def activation(self, op: C) -> Activation:
        return op.activation

    def detail(self, op: C) -> tuple[str, ...]:
        height, width = op.window.axes
        parts = [f"{height.kernel}x{width.kernel}"]
        if (height.stride, width.stride) != (1, 1):
            parts.append(f"stride {height.stride}x{width.stride}")
        if (height.dilation, width.dilation) != (1, 1):
            parts.append(f"dilation {height.dilation}x{width.dilation}")
        return (*parts, f"{len(op.bias)} channels")


def row_multiplier(at: Placed[Any], weight_scale: np.float32) -> Multiplier:
    """Of an output channel whose weights have this scale. All of it is in double, but for a product
    that is rounded to float32 where the op has one scale."""
    x_scale, y_scale = at.x.scale, float(at.y.scale)
    if at.op.one_scale:
        with np.errstate(over="ignore", under="ignore"):
            product = float(np.float32(x_scale) * np.float32(weight_scale))
    else:
        product = float(x_scale) * float(weight_scale)
    return quantize_multiplier(product / y_scale)


# --- from a .tflite file and back ---


def read_int8_image(builder: Builder, op: RawOp, operand: int = 0) -> tuple[int, Tensor]:
    """The graph's tensor [batch, height, width, channels] behind an input."""
    source = read_image(builder, op, operand)
    x = builder.tensors[source]
    if x.dtype is not DType.INT8:
        builder.unsupported(op, f"its input {quoted(x.name)} is {x.dtype.name}")
    return source, x


def read_options(builder: Builder, op: RawOp, kind: type[OptionsT]) -> OptionsT:
    options = builder.options(op, kind)
    if options is None:
        builder.fail(op, "expected options with strides, got none")
    return options


def read_window(
    builder: Builder, op: RawOp, options: Any, weights: npt.NDArray[np.int8], *, dilates: bool
) -> Window:
    """Kernel, strides and dilation, without padding."""
    gaps = (options.DilationHFactor(), options.DilationWFactor()) if dilates else (1, 1)
    height, width = weights.shape[1:3]
    window = Window(
        Axis(height, options.StrideH(), gaps[0]), Axis(width, options.StrideW(), gaps[1])
    )
    if any(axis.span > MAX_ELEMS for axis in window.axes):
        builder.unsupported(op, f"{window} reaches over more than {MAX_ELEMS} positions")
    return window


def read_scaled_weights(
    builder: Builder, op: RawOp, axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights, and one scale for each output channel."""
    raw, weights = read_weights(builder, op, rank=4)
    n_out = weights.shape[axis]
    if n_out > MAX_N_OUT or weights.size // n_out > MAX_N_IN or max(weights.shape) > _MAX_U16:
        builder.unsupported(
            op,
            f"weights of shape {list(weights.shape)}; byteprop takes up to {MAX_N_OUT} channels of "
            f"{MAX_N_IN} weights",
        )
    scales = read_weight_scales(builder, op, raw, axis=axis)
    return weights, np.array(np.broadcast_to(scales, (n_out,)))


def append(
    builder: Builder,
    op: RawOp,
    kind: type[Convolution],
    source: int,
    target: int,
    *,
    weights: npt.NDArray[np.int8],
    weight_scales: npt.NDArray[np.float32],
    window: Window,
    fused: int,
    bias_operand: int = 2,
) -> None:
    """Adds the op, once its output is known."""
    x, y = builder.tensors[source], builder.tensors[target]
    if y.dtype is not DType.INT8:
        builder.unsupported(op, f"its output is {y.dtype.name}")
    activation = builder.fused_activation(op, fused)
    builder.check_fused_range(op, activation, y.scale)
    largest = float(x.scale) * float(weight_scales.max()) / float(y.scale)
    builder.expect_multiplier(op, largest)
    bias = read_bias(builder, op, len(weight_scales), operand=bias_operand)
    one_scale = builder.was_uint8(op, _WEIGHTS_OPERAND)
    if one_scale:
        scales = weight_scales[:1]
        check_bias_scale(builder, op, x.scale, scales, y.scale, operand=bias_operand)
    builder.ops.append(
        kind(
            source,
            target,
            weights,
            np.zeros(len(weight_scales), np.int32) if bias is None else bias,
            weight_scales,
            window,
            activation,
            one_scale,
        )
    )


def constants(at: Placed[Any], writer: Writer, axis: int) -> list[int]:
    """The file's weights and bias."""
    op, y = at.op, at.y
    if writer.as_uint8 and not op.one_scale:
        at.refuse("a .tflite file of uint8 cannot state it, as it comes from one of int8")
    weights = writer.constant(f"{y.name}/weights", op.weights, op.weight_scales, axis=axis)
    scales = np.float32(at.x.scale) * op.weight_scales
    return [weights, writer.constant(f"{y.name}/bias", op.bias.astype("<i4"), scales)]


def fused(at: Placed[Any], writer: Writer) -> int:
    code = writer.fused(at.op.activation)
    if code is None:
        at.refuse(f"a convolution of a .tflite file cannot end in {at.op.activation.name}")
    return code


def window_options(window: Window) -> dict[str, Any]:
    """Strides and dilation as the schema names them."""
    return {
        "StrideH": window.height.stride,
        "StrideW": window.width.stride,
        "DilationHFactor": window.height.dilation,
        "DilationWFactor": window.width.dilation,
    }
