"""A network that is uint8 inside, like the first quantised MobileNets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tflite

import tflite_builder as tb

CODE = tflite.BuiltinOperator
FUSED = tflite.ActivationFunctionType


def weights_with_zero_point(
    rng: np.random.Generator, shape: Sequence[int]
) -> tuple[npt.NDArray[np.uint8], int]:
    """Weights and their zero point, without which all of them are int8."""
    zero_point = int(rng.integers(0, 256))
    low, high = max(0, zero_point - 128), min(255, zero_point + 127)
    q = rng.integers(low, high + 1, shape).astype(np.uint8)
    q.reshape(-1)[:2] = low, high
    return q, zero_point


class Network:
    """A uint8 network like the legacy MobileNets, as their converter wrote them."""

    def __init__(self, seed: int = 0, *, wide: bool = False) -> None:
        """wide: each layer has a weight that is no int8 without its zero point."""
        self.wide = wide
        self.rng = np.random.default_rng(seed)
        self.model = tb.ModelBuilder()
        self.shapes: dict[int, tuple[int, ...]] = {}
        self.scales: dict[int, float] = {}

    def tensor(self, shape: Sequence[int], scale: float, zero_point: int, name: str) -> int:
        t = self.model.tensor(shape, tb.UINT8, scale=scale, zero_point=zero_point, name=name)
        self.shapes[t], self.scales[t] = tuple(shape), float(np.float32(scale))
        return t

    def conv(self, x: int, n_out: int, kernel: int, stride: int = 1, *, depthwise: bool = False,
             fused: int = FUSED.RELU6) -> int:  # fmt: skip
        batch, rows, columns, n_in = self.shapes[x]
        w_shape = (1, kernel, kernel, n_in) if depthwise else (n_out, kernel, kernel, n_in)
        n_out = n_in if depthwise else n_out
        scale = np.float32(1.1 / (w_shape[1] * w_shape[2] * (1 if depthwise else n_in)) ** 0.5 / 64)
        data, zero_point = weights_with_zero_point(self.rng, w_shape)
        if self.wide:  # as the greatest of all weights is, as a rule
            data.reshape(-1)[0] = 0 if zero_point > 128 else min(255, zero_point + 254)
        w = self.model.tensor(w_shape, tb.UINT8, scale=scale, zero_point=zero_point, data=data)
        b_scale = np.float32(self.scales[x]) * scale
        bias = (self.rng.normal(0.5, 1, n_out) / b_scale).astype(np.int32)
        b = self.model.tensor((n_out,), tb.INT32, scale=b_scale, data=bias)
        shape = (batch, -(-rows // stride), -(-columns // stride), n_out)
        scale_y, zero_y = (6 / 255, 0) if fused else (0.1, 121)
        y = self.tensor(shape, scale_y, zero_y, f"conv{len(self.shapes)}")
        fields = {"Padding": tflite.Padding.SAME, "StrideH": stride, "StrideW": stride,
                  "FusedActivationFunction": fused}  # fmt: skip
        if depthwise:
            fields["DepthMultiplier"] = 1
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        options = tb.options_of(name.title().replace("_", ""), **fields)
        self.model.op(getattr(CODE, name), [x, w, b], [y], options=options)
        return y


def mobilenet(*, floats: bool = False, pool: int = 5, wide: bool = False) -> bytes:
    """Convolution, depthwise and 1x1 convolutions, a sum, an average, 1x1, RESHAPE, SOFTMAX."""
    net = Network(wide=wide)
    model = net.model
    begin = x = net.tensor((1, 2 * pool, 2 * pool, 3), 1 / 128, 128, "image")
    if floats:
        begin = model.tensor((1, 2 * pool, 2 * pool, 3), tb.FLOAT32, name="real")
        model.op(CODE.QUANTIZE, [begin], [x])
    trunk = net.conv(x, 8, 3, 2)
    trunk = net.conv(net.conv(trunk, 8, 3, depthwise=True), 8, 1, fused=FUSED.NONE)
    wide = net.conv(trunk, 12, 1)
    wide = net.conv(net.conv(wide, 12, 3, depthwise=True), 8, 1, fused=FUSED.NONE)
    total = net.tensor(net.shapes[trunk], 0.13, 119, "sum")
    model.op(CODE.ADD, [trunk, wide], [total], options=tb.options_of("Add"))
    mean = net.tensor((1, 1, 1, 8), 0.13, 119, "mean")
    size = {"FilterHeight": pool, "FilterWidth": pool, "StrideH": 1, "StrideW": 1}
    options = tb.options_of("Pool2D", Padding=tflite.Padding.VALID, **size)
    model.op(CODE.AVERAGE_POOL_2D, [total], [mean], options=options)
    logits = net.conv(mean, 6, 1, fused=FUSED.NONE)
    flat = net.tensor((1, 6), 0.1, 121, "flat")
    shape = model.tensor((2,), tb.INT32, data=np.array([1, 6], np.int32))
    model.op(CODE.RESHAPE, [logits, shape], [flat])
    end = y = net.tensor((1, 6), 1 / 256, 0, "shares")
    model.op(CODE.SOFTMAX, [flat], [y], options=tb.options_of("Softmax", Beta=1.0))
    if floats:
        end = model.tensor((1, 6), tb.FLOAT32, name="real shares")
        model.op(CODE.DEQUANTIZE, [y], [end])
    return model.build([begin], [end])
