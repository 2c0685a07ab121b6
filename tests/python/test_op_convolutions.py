"""CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV against tflite-runtime's reference kernels and the
NumPy reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop import image, reference
from byteprop.exporter import write_tflite
from byteprop.ops import Conv, Depthwise, TransposeConv, spec_of
from byteprop.ops.window import Axis, Window, pad_window

OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
CLASSES = dict(zip(OPS, (Conv, Depthwise, TransposeConv), strict=True))
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass
class Case:
    """A model of one convolution. bias and scales: None for none, and for one scale."""

    op: str
    x_shape: tuple[int, int, int, int]
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32] | None = None
    weight_scales: Any = 0.01
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    same: bool = True
    activation: str = "NONE"
    x: tuple[float, int] = (0.1, 3)  # scale and zero point
    y: tuple[float, int] = (0.2, -5)
    bias_quantization: dict[str, Any] = field(default_factory=dict)
    version: int = 3

    @property
    def channel_axis(self) -> int:
        return 3 if self.op == "DEPTHWISE_CONV_2D" else 0

    @property
    def y_shape(self) -> tuple[int, ...]:
        n_out = self.weights.shape[self.channel_axis]
        kernel, stride = self.weights.shape[1:3], [max(s, 1) for s in self.stride]
        if self.op == "TRANSPOSE_CONV":
            rows, columns = (
                n * s if self.same else (n - 1) * s + k
                for n, s, k in zip(self.x_shape[1:3], stride, kernel, strict=True)
            )
        else:
            axes = zip(kernel, stride, self.dilation, strict=True)
            window = Window(*(Axis(*numbers) for numbers in axes))
            _, (rows, columns) = pad_window(window, self.x_shape, "SAME" if self.same else "VALID")
        return (self.x_shape[0], rows, columns, n_out)

    def build(self) -> bytes:
        model = tb.ModelBuilder()
        x = model.tensor(self.x_shape, scale=self.x[0], zero_point=self.x[1], name="x")
        w = model.tensor(
            self.weights.shape, scale=self.weight_scales, data=self.weights, name="weights",
            dimension=self.channel_axis,
        )  # fmt: skip
        inputs = [x, w]
        if self.op == "TRANSPOSE_CONV":
            shape = model.tensor((4,), tb.INT32, data=np.array(self.y_shape, np.int32))
            inputs = [shape, w, x]
        if self.bias is not None:
            stated = {"scale": np.float32(self.x[0]) * np.float32(self.weight_scales)}
            stated |= self.bias_quantization
            inputs.append(
                model.tensor(self.bias.shape, tb.INT32, data=self.bias, name="bias", **stated)
            )
        y = model.tensor(self.y_shape, scale=self.y[0], zero_point=self.y[1], name="y")
        model.op(
            getattr(tflite.BuiltinOperator, self.op), inputs, [y], version=self.version,
            options=self._options(),
        )  # fmt: skip
        return model.build([x], [y])

    def _options(self) -> Any:
        fields = {
            "Padding": tflite.Padding.SAME if self.same else tflite.Padding.VALID,
            "StrideH": self.stride[0],
            "StrideW": self.stride[1],
            "FusedActivationFunction": getattr(tflite.ActivationFunctionType, self.activation),
        }
        kind = self.op.title().replace("_", "")
        if self.op != "TRANSPOSE_CONV":
            fields |= {"DilationHFactor": self.dilation[0], "DilationWFactor": self.dilation[1]}
        if self.op == "DEPTHWISE_CONV_2D":
            fields["DepthMultiplier"] = self.weights.shape[3] // self.x_shape[3]
        return tb.options_of(kind, **fields)


def random_case(op: str, seed: int) -> Case:
    rng = np.random.default_rng((OPS.index(op), seed))
    while True:
        case = _draw(op, rng)
        if min(case.y_shape) > 0:
            return case


def _draw(op: str, rng: np.random.Generator) -> Case:
    def pair(most: int) -> tuple[int, int]:
        a, b = rng.integers(1, most + 1, 2).tolist()
        return a, b

    rows, columns, n_in = (int(v) for v in rng.integers(1, 10, 3))
    kernel = pair(5)
    groups = 1
    if op == "CONV_2D" and rng.random() < 0.3:
        groups = int(rng.integers(2, 4))
    n_out = int(rng.integers(1, 7)) * groups
    shape = (n_out, *kernel, n_in)
    if op == "DEPTHWISE_CONV_2D":
        n_out = n_in * int(rng.integers(1, 4))
        shape = (1, *kernel, n_out)
    n_scales = n_out if rng.random() < 0.7 else 1
    extreme = rng.random() < 0.2
    values = rng.choice([-128, 127], shape) if extreme else rng.integers(-128, 128, shape)
    bias = rng.integers(-(2**31), 2**31, n_out) >> int(rng.integers(0, 31))
    has_bias = rng.random() < 0.8
    dilation = pair(3) if op != "TRANSPOSE_CONV" and rng.random() < 0.4 else (1, 1)
    return Case(
        op=op,
        x_shape=(int(rng.integers(1, 4)), rows, columns, n_in * groups),
        weights=values.astype(np.int8),
        bias=bias.astype(np.int32) if has_bias else None,
        weight_scales=np.float32(2 ** rng.uniform(-10, -3, n_scales)),
        stride=pair(3),
        dilation=dilation,
        same=bool(rng.integers(0, 2)),
        activation=str(rng.choice(ACTIVATIONS)),
        x=(2 ** rng.uniform(-6, 0), int(rng.integers(-128, 128))),
        y=(2 ** rng.uniform(-3, 4), int(rng.integers(-128, 128))),
    )


def samples(case: Case, seed: int = 0) -> npt.NDArray[np.int8]:
    """Random values, and both extremes."""
    rng = np.random.default_rng(seed)
    random = rng.integers(-128, 128, case.x_shape)
    ends = [np.full(case.x_shape, end) for end in (-128, 127)]
    return np.concatenate([random, *ends]).astype(np.int8)


def with_bias(case: Case) -> Case:
    """tflite-runtime refuses a CONV_2D without bias, which TensorFlow Lite Micro runs."""
    n_out = case.weights.shape[case.channel_axis]
    return case if case.bias is not None else replace(case, bias=np.zeros(n_out, np.int32))


def expect_all_equal(file: bytes, x: npt.NDArray[np.int8], definition: bytes | None = None) -> None:
    """tflite-runtime, the C library and the NumPy reference give the same bytes. definition: what
    tflite-runtime runs in place of the file."""
    expected = builtin_ref.run(definition or file, [x])[0]
    loaded = byteprop.load(file)
    np.testing.assert_array_equal(loaded.run(x), expected)
    np.testing.assert_array_equal(reference.run(loaded.graph, [x])[0], expected)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("op", OPS)
def test_random_parameters(op: str, seed: int) -> None:
    case = random_case(op, seed)
    expect_all_equal(case.build(), samples(case, seed), with_bias(case).build())


@pytest.mark.parametrize("op", OPS)
def test_image_and_tflite_give_the_model_back(op: str) -> None:
    for seed in range(20):
        case = random_case(op, 1000 + seed)
        model = byteprop.load(case.build())
        assert type(model.graph.ops[0]) is CLASSES[op]
        made = image.encode(model.graph)
        assert image.encode(image.decode(made)) == made
        again = byteprop.load(write_tflite(model.graph))
        assert image.encode(again.graph) == made
        assert image.features(made) == {spec_of(model.graph.ops[0]).name}
        x = samples(case, seed)
        np.testing.assert_array_equal(again.run(x), model.run(x))


def plain(op: str = "CONV_2D", **changes: Any) -> Case:
    shape = {
        "CONV_2D": (4, 3, 3, 2),
        "DEPTHWISE_CONV_2D": (1, 3, 3, 4),
        "TRANSPOSE_CONV": (4, 3, 3, 2),
    }
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, shape[op]).astype(np.int8)
    bias = np.arange(4, dtype=np.int32) * 100 - 150
    return replace(Case(op, (1, 5, 6, 2), weights, bias), **changes)


@pytest.mark.parametrize("op", OPS)
def test_a_bias_whose_quantized_dimension_is_out_of_range(op: str) -> None:
    """tflite-runtime refuses such a file; the dimension of a vector has no meaning."""
    case = plain(op)
    nonsense = replace(case, bias_quantization={"dimension": 3})
    model, sound = byteprop.load(nonsense.build()), case.build()
    x = samples(case)
    np.testing.assert_array_equal(model.run(x), builtin_ref.run(sound, [x])[0])


@pytest.mark.parametrize("op", OPS)
def test_dead_channels_with_tiny_scales(op: str) -> None:
    scales = np.float32([0.01, 1e-23, 0.02, 1e-23])
    weights = plain(op).weights.copy()
    weights[(slice(None),) * plain(op).channel_axis + ([1, 3],)] = 0
    bias = np.array([100, 2**31 - 1, -100, -(2**31)], np.int32)
    case = plain(op, weights=weights, bias=bias, weight_scales=scales)
    expect_all_equal(case.build(), samples(case))


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_ops_that_share_weights(op: str) -> None:
    model = tb.ModelBuilder()
    shape = (4, 3, 3, 4) if op == "CONV_2D" else (1, 3, 3, 4)
    data = np.random.default_rng(5).integers(-127, 128, shape).astype(np.int8)
    options = plain(op, x_shape=(1, 5, 6, 4), weights=data)._options()
    x, y, z = (model.tensor((1, 5, 6, 4), scale=0.5, name=name) for name in "xyz")
    w = model.tensor(shape, scale=0.01, data=data, name="weights")
    bias = model.tensor((4,), tb.INT32, scale=0.005, data=np.arange(4, dtype=np.int32))
    for source, target in ((x, y), (y, z)):
        code = getattr(tflite.BuiltinOperator, op)
        model.op(code, [source, w, bias], [target], version=3, options=options)
    case = plain(op, x_shape=(1, 5, 6, 4), weights=data)
    file, inputs = model.build([x], [y, z]), samples(case)
    expected = builtin_ref.run(file, [inputs])
    loaded = byteprop.load(file)
    for answers in (loaded.run(inputs), reference.run(loaded.graph, [inputs])):
        for answer, right in zip(answers, expected, strict=True):
            np.testing.assert_array_equal(answer, right)


def test_conv1d_through_expand_dims_and_reshape() -> None:
    model = tb.ModelBuilder()
    rng = np.random.default_rng(6)
    weights = rng.integers(-127, 128, (5, 1, 3, 4)).astype(np.int8)
    x = model.tensor((1, 12, 4), scale=0.1, zero_point=7, name="x")
    axis = model.tensor((1,), tb.INT32, data=np.array([-3], np.int32))
    wide = model.tensor((1, 1, 12, 4), scale=0.1, zero_point=7, name="wide")
    y = model.tensor((1, 1, 6, 5), scale=0.3, zero_point=-9, name="y")
    shape = model.tensor((3,), tb.INT32, data=np.array([1, 6, 5], np.int32))
    out = model.tensor((1, 6, 5), scale=0.3, zero_point=-9, name="out")
    w = model.tensor(weights.shape, scale=np.full(5, 0.01), data=weights, name="weights")
    bias = model.tensor((5,), tb.INT32, scale=0.001, data=np.arange(5, dtype=np.int32))
    case = Case("CONV_2D", (1, 1, 12, 4), weights, stride=(2, 2), activation="RELU")
    model.op(tflite.BuiltinOperator.EXPAND_DIMS, [x, axis], [wide])
    model.op(
        tflite.BuiltinOperator.CONV_2D, [wide, w, bias], [y], version=3, options=case._options()
    )
    model.op(tflite.BuiltinOperator.RESHAPE, [y, shape], [out])
    expect_all_equal(model.build([x], [out]), rng.integers(-128, 128, (9, 12, 4)).astype(np.int8))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (plain(stride=(0, 1)), "stride and dilation of at least 1"),
        (plain(x_shape=(1, 5, 6, 3)), r"weights \[4, 3, 3, 2\] for an input"),
        (plain(activation="TANH"), "fused activation TANH"),
        (plain(weight_scales=[0.1, 0.2]), "2 scales for 4 rows"),
        (plain(bias=np.zeros(3, np.int32)), r"a bias of shape \[3\] for 4 rows"),
        (plain(bias_quantization={"zero_point": 1}), "a zero point not 0 for the bias"),
        (plain(x=(1e9, 0), y=(1e-9, 0)), "times as coarse as the output"),
        (plain("DEPTHWISE_CONV_2D", x_shape=(1, 5, 6, 3)), r"weights \[1, 3, 3, 4\]"),
        (plain("TRANSPOSE_CONV", x_shape=(1, 5, 6, 3)), "from shape"),
        (plain(same=False, x_shape=(1, 2, 6, 2)), "is smaller than its"),
    ],
)  # fmt: skip
def test_models_that_are_refused(case: Case, message: str) -> None:
    with pytest.raises(byteprop.ModelError, match=message):
        byteprop.load(case.build())


def test_options_are_required() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 5, 6, 2), scale=0.1)
    w = model.tensor((4, 3, 3, 2), scale=0.1, data=plain().weights)
    y = model.tensor((1, 5, 6, 4), scale=0.1)
    model.op(tflite.BuiltinOperator.CONV_2D, [x, w], [y], version=3)
    with pytest.raises(byteprop.ModelError, match="expected options with strides, got none"):
        byteprop.load(model.build([x], [y]))
