"""float32 models of one op each, to be run and to be quantised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite

import tflite_builder as tb

Array = npt.NDArray[Any]
_RNG = np.random.default_rng(3)
SAME, VALID = 0, 1
RELU, RELU6 = 1, 3
IMAGE = (1, 7, 6, 4)


@dataclass(frozen=True)
class Case:
    """inputs: shapes. constants: by the position of the operand; integers are int32. results:
    shapes. table: of the options."""

    op: str
    inputs: dict[int, tuple[int, ...]]
    results: list[tuple[int, ...]]
    constants: dict[int, Any] = field(default_factory=dict)
    table: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    version: int = 1

    @property
    def resolver(self) -> str:
        """Of the runtime's kernels: the plain ones, which lack ELU."""
        return "BUILTIN_REF" if self.op != "ELU" else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"

    def file(self, *, half: bool = False) -> bytes:
        """half: float constants are float16, which DEQUANTIZE unpacks."""
        model = tb.ModelBuilder()
        operands: dict[int, int] = {}
        for at, shape in self.inputs.items():
            operands[at] = model.tensor(shape, tb.FLOAT32, name=f"x{at}")
        for at, values in self.constants.items():
            operands[at] = _constant(model, np.asarray(values), half)
        results = [model.tensor(s, tb.FLOAT32, name=f"y{i}") for i, s in enumerate(self.results)]
        options = tb.options_of(self.table, **self.options) if self.table else None
        code = getattr(tflite.BuiltinOperator, self.op)
        inputs = [operands[at] for at in sorted(operands)]
        model.op(code, inputs, results, version=self.version, options=options)
        return model.build([operands[at] for at in self.inputs], results)

    def samples(self, n: int) -> list[Array]:
        rng = np.random.default_rng(len(self.op))
        return [
            rng.normal(0.2, 1.5, (n, *shape[1:])).astype(np.float32)
            for shape in self.inputs.values()
        ]


def _constant(model: tb.ModelBuilder, values: Array, half: bool) -> int:
    if values.dtype.kind == "i":
        return model.tensor(values.shape, tb.INT32, data=values.astype(np.int32))
    if not half:
        return model.tensor(values.shape, tb.FLOAT32, data=values.astype(np.float32))
    kind = tflite.TensorType.FLOAT16
    packed = model.tensor(values.shape, kind, data=values.astype(np.float16))
    unpacked = model.tensor(values.shape, tb.FLOAT32)
    model.op(tflite.BuiltinOperator.DEQUANTIZE, [packed], [unpacked], version=3)
    return unpacked


def reals(*shape: int) -> Array:
    return _RNG.normal(0, 0.5, shape).astype(np.float32)


def _window(padding: int, stride: tuple[int, int], **more: int) -> dict[str, int]:
    return {"Padding": padding, "StrideH": stride[0], "StrideW": stride[1], **more}


def _conv(
    weights: Array, y: tuple[int, ...], padding: int, stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1), act: int = 0,
) -> Case:  # fmt: skip
    constants = {1: weights, 2: reals(len(weights))}
    dilations = {"DilationHFactor": dilation[0], "DilationWFactor": dilation[1]}
    options = _window(padding, stride, FusedActivationFunction=act, **dilations)
    return Case("CONV_2D", {0: IMAGE}, [y], constants, "Conv2D", options)


def _depthwise(
    n_out: int, y: tuple[int, ...], padding: int, stride: tuple[int, int] = (1, 1), act: int = 0
) -> Case:
    options = _window(padding, stride, FusedActivationFunction=act, DepthMultiplier=n_out // 4,
                      DilationHFactor=1, DilationWFactor=1)  # fmt: skip
    constants = {1: reals(1, 3, 2, n_out), 2: reals(n_out)}
    return Case("DEPTHWISE_CONV_2D", {0: IMAGE}, [y], constants, "DepthwiseConv2D", options)


def _transpose_conv(y: tuple[int, ...], padding: int, stride: tuple[int, int]) -> Case:
    constants = {0: np.array(y), 1: reals(y[3], 3, 2, 4)}
    return Case("TRANSPOSE_CONV", {2: IMAGE}, [y], constants, "TransposeConv",
                _window(padding, stride))  # fmt: skip


def _pool(op: str, y: tuple[int, ...], padding: int, size: int, stride: int) -> Case:
    options = _window(padding, (stride, stride), FilterHeight=size, FilterWidth=size,
                      FusedActivationFunction=0)  # fmt: skip
    return Case(op, {0: IMAGE}, [y], {}, "Pool2D", options)


def _pair(op: str, a: tuple[int, ...], b: Any, y: tuple[int, ...], act: int = 0) -> Case:
    """b: a shape, or a constant."""
    inputs, constants = ({0: a, 1: b}, {}) if isinstance(b, tuple) else ({0: a}, {1: b})
    fused = op in ("ADD", "SUB", "MUL", "DIV")
    options = {"FusedActivationFunction": act} if fused else {}
    return Case(op, inputs, [y], constants, op.title() if fused else "", options)


def _resize(op: str, size: tuple[int, int], *, half: bool = False, align: bool = False) -> Case:
    table = "ResizeBilinear" if op.endswith("BILINEAR") else "ResizeNearestNeighbor"
    options = {"AlignCorners": align, "HalfPixelCenters": half}
    return Case(op, {0: IMAGE}, [(1, *size, 4)], {1: np.array(size)}, table, options, version=3)


def _moved(op: str, y: Any, *constants: Any, table: str = "", **options: Any) -> Case:
    results = y if isinstance(y, list) else [y]
    numbers = {i + 1: np.array(c) for i, c in enumerate(constants)}
    return Case(op, {0: IMAGE}, results, numbers, table, options)


_SLICES = {"BeginMask": 1, "EndMask": 1, "EllipsisMask": 0, "NewAxisMask": 0}
CASES: dict[str, Case] = {
    "conv same": _conv(reals(5, 3, 3, 4), (1, 7, 6, 5), SAME),
    "conv valid stride": _conv(reals(5, 3, 2, 4), (1, 3, 5, 5), VALID, (2, 1), act=RELU),
    "conv dilated": _conv(reals(6, 2, 2, 4), (1, 5, 3, 6), VALID, dilation=(2, 3), act=RELU6),
    "conv 1x1": _conv(reals(3, 1, 1, 4), (1, 7, 6, 3), SAME),
    "conv same stride": _conv(reals(3, 3, 3, 4), (1, 4, 3, 3), SAME, (2, 2)),
    "depthwise": _depthwise(4, (1, 7, 6, 4), SAME, act=RELU),
    "depthwise multiplier": _depthwise(8, (1, 3, 3, 8), VALID, (2, 2)),
    "transpose conv same": _transpose_conv((1, 14, 12, 3), SAME, (2, 2)),
    "transpose conv valid": _transpose_conv((1, 15, 12, 2), VALID, (2, 2)),
    "dense": Case("FULLY_CONNECTED", {0: (1, 12)}, [(1, 5)], {1: reals(5, 12), 2: reals(5)},
                  "FullyConnected", {"FusedActivationFunction": RELU}),
    "dense without bias": Case("FULLY_CONNECTED", {0: (1, 12)}, [(1, 5)], {1: reals(5, 12)}),
    "average pool same": _pool("AVERAGE_POOL_2D", (1, 4, 3, 4), SAME, 3, 2),
    "max pool valid": _pool("MAX_POOL_2D", (1, 3, 3, 4), VALID, 2, 2),
    "max pool same": _pool("MAX_POOL_2D", (1, 7, 6, 4), SAME, 3, 1),
    "add": _pair("ADD", IMAGE, (1, 1, 1, 4), IMAGE, RELU),
    "add constant": _pair("ADD", IMAGE, reals(4), IMAGE),
    "sub": _pair("SUB", IMAGE, IMAGE, IMAGE),
    "mul": _pair("MUL", IMAGE, (1, 7, 1, 4), IMAGE),
    "mul constant": _pair("MUL", IMAGE, reals(4), IMAGE),
    "div constant": _pair("DIV", IMAGE, np.array([2.0, 3.0, -5.0, 0.5], np.float32), IMAGE),
    "maximum": _pair("MAXIMUM", IMAGE, IMAGE, IMAGE),
    "minimum constant": _pair("MINIMUM", IMAGE, np.float32(0.7).reshape(1), IMAGE),
    "prelu": _pair("PRELU", IMAGE, reals(1, 1, 4), IMAGE),
    "logistic": _moved("LOGISTIC", IMAGE),
    "tanh": _moved("TANH", IMAGE),
    "leaky relu": _moved("LEAKY_RELU", IMAGE, table="LeakyRelu", Alpha=0.3),
    "hard swish": _moved("HARD_SWISH", IMAGE),
    "elu": _moved("ELU", IMAGE),
    "relu": _moved("RELU", IMAGE),
    "relu6": _moved("RELU6", IMAGE),
    "softmax": Case("SOFTMAX", {0: (1, 10)}, [(1, 10)], {}, "Softmax", {"Beta": 1.5}),
    "mean": _moved("MEAN", (1, 4), [1, 2], table="Reducer", KeepDims=False),
    "mean kept": _moved("MEAN", (1, 7, 1, 4), [-2], table="Reducer", KeepDims=True),
    "reduce max": _moved("REDUCE_MAX", (1, 4), [1, 2], table="Reducer", KeepDims=False),
    "nearest": _resize("RESIZE_NEAREST_NEIGHBOR", (14, 9)),
    "nearest half": _resize("RESIZE_NEAREST_NEIGHBOR", (10, 5), half=True),
    "nearest aligned": _resize("RESIZE_NEAREST_NEIGHBOR", (13, 11), align=True),
    "bilinear": _resize("RESIZE_BILINEAR", (14, 12)),
    "bilinear half": _resize("RESIZE_BILINEAR", (14, 12), half=True),
    "bilinear aligned": _resize("RESIZE_BILINEAR", (13, 11), align=True),
    "reshape": _moved("RESHAPE", (1, 168), [1, -1]),
    "expand dims": Case("EXPAND_DIMS", {0: (1, 6, 4)}, [(1, 6, 1, 4)], {1: np.array([-2])}),
    "squeeze": Case("SQUEEZE", {0: (1, 6, 1, 4)}, [(1, 6, 4)], {}, "Squeeze", {"SqueezeDims": [2]}),
    "pad": _moved("PAD", (1, 9, 9, 4), [[0, 0], [1, 1], [0, 3], [0, 0]]),
    "concatenation": Case("CONCATENATION", {0: IMAGE, 1: (1, 7, 6, 2)}, [(1, 7, 6, 6)], {},
                          "Concatenation", {"Axis": 3, "FusedActivationFunction": 0}),
    "pack": Case("PACK", {0: (1, 6, 4), 1: (1, 6, 4)}, [(1, 6, 2, 4)], {}, "Pack",
                 {"Axis": 2, "ValuesCount": 2}),
    "transpose": _moved("TRANSPOSE", (1, 6, 4, 7), [0, 2, 3, 1]),
    "tile": _moved("TILE", (1, 7, 12, 4), [1, 1, 2, 1]),
    "slice": _moved("SLICE", (1, 3, 6, 2), [0, 2, 0, 1], [1, 3, -1, 2]),
    "strided slice": _moved("STRIDED_SLICE", (1, 3, 6), [0, 1, 0, 2], [1, 7, 6, 3], [1, 2, 1, 1],
                            table="StridedSlice", ShrinkAxisMask=8, **_SLICES),
    "split": Case("SPLIT", {1: IMAGE}, [(1, 7, 3, 4)] * 2, {0: np.array(2)}, "Split",
                  {"NumSplits": 2}),
    "split v": _moved(
        "SPLIT_V", [(1, 7, 6, 1), (1, 7, 6, 3)], [1, -1], 3, table="SplitV", NumSplits=2
    ),
    "unpack": _moved("UNPACK", [(1, 7, 4)] * 6, table="Unpack", Num=6, Axis=2),
}  # fmt: skip
