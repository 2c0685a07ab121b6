"""Legacy models, uint8 inside: each op against tflite-runtime's reference kernels, and what of them
is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tflite

import builtin_ref
import byteprop
import random_networks
import tflite_builder as tb
from byteprop import image, reference
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.graph import DType, Graph, Kind, Tensor
from byteprop.ops import Conv, Dense, Depthwise, TransposeConv
from byteprop.ops.convolution import Convolution
from byteprop.ops.pool import Pool
from byteprop.ops.window import Axis, Window, pad_window
from byteprop_host.cli import main
from op_generators import generators
from random_graphs import Builder
from uint8_network import mobilenet, weights_with_zero_point

CODE = tflite.BuiltinOperator
Bytes = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]

# Of these, TensorFlow Lite has no uint8, or other arithmetic (resize_bilinear).
NOT_ALIKE = {"lstm", "push", "resize_bilinear", "svdf"}
OPS = sorted(set(generators()) - NOT_ALIKE)


def bytes_of(rng: np.random.Generator, shape: Sequence[int], n: int = 4) -> Bytes:
    """Samples of all values, of both ends alone, and of two values next to each other."""
    one, size = tuple(shape[1:]), int(shape[0])
    near = rng.integers(0, 255) + rng.integers(0, 2, (size, *one))
    made = [rng.integers(0, 256, (n * size, *one)), near, np.zeros((size, *one))]
    return np.concatenate([*made, np.full((size, *one), 255)]).astype(np.uint8)


def check(file: bytes, inputs: Sequence[Array]) -> byteprop.Model:
    """tflite-runtime, the C library and the NumPy reference give the same bytes, and so does what
    is written back."""
    expected = builtin_ref.run(file, inputs)
    model = byteprop.load(file)
    for loaded in (model, byteprop.load(write_tflite(model.graph))):
        outputs = loaded.run(inputs[0] if len(inputs) == 1 else list(inputs))
        answers = outputs if isinstance(outputs, tuple) else (outputs,)
        for answer, right in zip(answers, expected, strict=True):
            assert answer.dtype == right.dtype
            np.testing.assert_array_equal(answer, right)
    return model


def check_reference(model: byteprop.Model, inputs: Sequence[Array]) -> None:
    outputs = model.run(inputs[0] if len(inputs) == 1 else list(inputs))
    answers = outputs if isinstance(outputs, tuple) else (outputs,)
    for answer, second in zip(answers, reference.run(model.graph, inputs), strict=True):
        np.testing.assert_array_equal(answer, second)


# --- every op, with random parameters ---


def random_op(name: str, seed: int) -> Graph | None:
    """One op with one scale for its weights; None where the generator draws none."""
    rng = np.random.default_rng((OPS.index(name), seed))
    b = Builder()
    shape = (1, *map(int, rng.integers(1, 9, 3)))
    x = b.tensor(shape, float(np.float32(2 ** rng.uniform(-8, 1))), int(rng.integers(-128, 128)))
    if name in ("add", "mul", "extremum", "prelu", "concatenate"):
        b.tensor(shape, float(b.tensors[x].scale) * float(rng.uniform(0.5, 2)), 7)
    if not generators()[name](rng, b, x):
        return None
    b.ops = [with_one_scale(op) for op in b.ops]
    written = {t for op in b.ops for t in op.outputs}
    active = [t for t, tensor in enumerate(b.tensors) if tensor.kind is Kind.ACTIVATION]
    inputs = tuple(t for t in active if t not in written)
    return b.graph(inputs, (b.ops[-1].output,))


def with_one_scale(op: Any) -> Any:
    if isinstance(op, Convolution):
        scales = np.full_like(op.weight_scales, op.weight_scales[0])
        return replace(op, weight_scales=scales, one_scale=True)
    return replace(op, weight_scales=op.weight_scales[:1]) if isinstance(op, Dense) else op


def in_uint8(graph: Graph) -> bytes:
    """The graph as a file that is uint8 throughout. A convolution of one value stands beside it:
    with one scale it can be written in uint8 alone, and a file that has it computes in uint8."""
    tensors, ops = list(graph.tensors), list(graph.ops)
    x = tensors[graph.inputs[0]]
    one = Window(Axis(1), Axis(1))
    image_of = {"scale": x.scale, "zero_point": x.zero_point}
    tensors += [Tensor(name, (1, 1, 1, 1), DType.INT8, **image_of) for name in ("e", "f")]
    e, f = len(tensors) - 2, len(tensors) - 1
    identity = np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32), np.ones(1, np.float32)
    ops.append(Conv(e, f, *identity, one, one_scale=True))
    return write_tflite(Graph(tuple(tensors), tuple(ops), (*graph.inputs, e), (*graph.outputs, f)))


@pytest.mark.parametrize("name", OPS)
def test_random_parameters(name: str) -> None:
    compared = 0
    for seed in range(10):
        graph = random_op(name, seed)
        if graph is None:
            continue
        file = in_uint8(graph)
        inputs = [x.view(np.uint8) for x in random_networks.samples(graph, seed)]
        inputs.append(np.arange(len(inputs[0]), dtype=np.uint8).reshape(-1, 1, 1, 1))
        try:
            model = check(file, inputs)
        except UnsupportedOpError as error:
            assert name == "pool" and "ties" in str(error)
            continue
        check_reference(model, inputs)
        compared += 1
    assert compared >= 4


# --- weights with a zero point ---


def wide_weights(rng: np.random.Generator, shape: Sequence[int]) -> tuple[Bytes, int]:
    """Weights that are not all int8 without their zero point: few, or most of them."""
    zero_point = int(rng.choice([0, 255, int(rng.integers(1, 255))]))
    q = rng.integers(0, 256, shape)
    if rng.random() < 0.6:
        q = np.clip(rng.normal(zero_point, 30, shape), 0, 255)
        q.reshape(-1)[rng.integers(q.size)] = 0 if zero_point > 128 else 255
    return np.minimum(q, zero_point + 254).astype(np.uint8), zero_point


@pytest.mark.parametrize("draw", [weights_with_zero_point, wide_weights])
@pytest.mark.parametrize(
    "op", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"]
)
def test_weights_with_a_zero_point(op: str, draw: Any) -> None:
    for seed in range(12):
        rng = np.random.default_rng((len(op), seed))
        n_in, n_out = map(int, rng.integers(1, 6, 2))
        kernel = [int(k) for k in rng.integers(1, 4, 2)]
        model = tb.ModelBuilder()
        s_x, s_w = (np.float32(2 ** rng.uniform(-8, -2)) for _ in range(2))
        y_scale = float(np.float32(s_x * s_w * 2 ** rng.uniform(5, 9)))
        quantized = {"scale": s_x, "zero_point": int(rng.integers(0, 256))}
        same = bool(rng.integers(2))
        shape, w_shape = (1, 5, 6, n_in), (n_out, *kernel, n_in)
        if op == "DEPTHWISE_CONV_2D":
            n_out *= n_in
            w_shape = (1, *kernel, n_out)
        if op == "FULLY_CONNECTED":
            shape, w_shape = (1, n_in * 7), (n_out, n_in * 7)
        data, zero_point = draw(rng, w_shape)
        x = model.tensor(shape, tb.UINT8, name="x", **quantized)
        w = model.tensor(w_shape, tb.UINT8, scale=s_w, zero_point=zero_point, data=data, name="w")
        bias_data = rng.integers(-(2**12), 2**12, n_out).astype(np.int32)
        bias = model.tensor((n_out,), tb.INT32, scale=s_x * s_w, data=bias_data, name="b")
        y_shape: tuple[int, ...] = (1, n_out)
        operands = [x, w, bias]
        if op == "TRANSPOSE_CONV":
            y_shape = (1, *(n * 2 if same else 2 * n - 2 + k
                            for n, k in zip(shape[1:3], kernel, strict=True)), n_out)  # fmt: skip
            stated = model.tensor((4,), tb.INT32, data=np.array(y_shape, np.int32))
            operands = [stated, w, x, bias]
        elif op != "FULLY_CONNECTED":
            window = Window(*(Axis(k, 2) for k in kernel))
            _, positions = pad_window(window, shape, "SAME" if same else "VALID")
            y_shape = (1, *positions, n_out)
        y = model.tensor(y_shape, tb.UINT8, scale=y_scale, zero_point=int(rng.integers(256)),
                         name="y")  # fmt: skip
        fields: dict[str, Any] = {"FusedActivationFunction": int(rng.choice([0, 1, 3]))}
        if op == "TRANSPOSE_CONV":
            fields = {}
        if op != "FULLY_CONNECTED":
            padding = tflite.Padding.SAME if same else tflite.Padding.VALID
            fields |= {"Padding": padding, "StrideH": 2, "StrideW": 2}
        if op == "DEPTHWISE_CONV_2D":
            fields["DepthMultiplier"] = n_out // n_in
        version = 3 if op == "TRANSPOSE_CONV" else 1
        options = tb.options_of(op.title().replace("_", ""), **fields)
        model.op(getattr(CODE, op), operands, [y], version=version, options=options)
        inputs = [bytes_of(rng, shape)]
        loaded = check(model.build([x], [y]), inputs)
        check_reference(loaded, inputs)
        made = image.encode(loaded.graph)
        assert image.encode(image.decode(made)) == made


def test_many_runs_of_channels_with_wide_weights() -> None:
    """Then all channels are there twice."""
    for op in ("Conv2D", "DepthwiseConv2D"):
        depthwise = op != "Conv2D"
        rng = np.random.default_rng(9)
        model = tb.ModelBuilder()
        x = model.tensor((1, 3, 3, 140), tb.UINT8, scale=0.1, zero_point=7, name="x")
        shape = (1, 2, 2, 140) if depthwise else (3, 2, 2, 140)
        data = np.full(shape, 100)
        data[..., ::2] = 255
        w = model.tensor(shape, tb.UINT8, scale=0.01, zero_point=80, data=data.astype(np.uint8))
        n = 140 if depthwise else 3
        bias = model.tensor((n,), tb.INT32, scale=0.001, data=np.arange(n, dtype=np.int32))
        y = model.tensor((1, 3, 3, n), tb.UINT8, scale=4.0, zero_point=9, name="y")
        fields = {"Padding": tflite.Padding.SAME, "StrideH": 1, "StrideW": 1}
        fields |= {"DepthMultiplier": 1} if depthwise else {}
        code = CODE.DEPTHWISE_CONV_2D if depthwise else CODE.CONV_2D
        model.op(code, [x, w, bias], [y], options=tb.options_of(op, **fields))
        loaded = check(model.build([x], [y]), [bytes_of(rng, (1, 3, 3, 140))])
        assert len(loaded.graph.ops) < 6


def test_the_product_of_the_scales_is_rounded() -> None:
    """For these scales int8's multiplier, of a product in double, is another one."""
    rng, differing = np.random.default_rng(1), 0
    for _ in range(40):
        x, w = (np.float32(2 ** rng.uniform(-8, 0)) for _ in range(2))
        b = Builder()
        source, target = b.tensor((1, 1, 1, 1), float(x)), b.tensor((1, 1, 1, 1), 0.3)
        ones = np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32), np.array([w])
        ops = [Conv(source, target, *ones, Window(Axis(1), Axis(1)), one_scale=s) for s in (0, 1)]
        b.add(ops[0])
        graph = b.graph((source,), (target,))
        images = [image.encode(replace(graph, ops=(op,))) for op in ops]
        differing += images[0] != images[1]
        assert [image.decode(i).ops[0].one_scale for i in images] == [False, True]
    assert differing == 40


# --- averages ---


def average(
    rng: np.random.Generator, kernel: tuple[int, int], *, same: bool, size: int = 8
) -> tuple[bytes, tuple[int, ...]]:
    shape = (1, size, size + 1, 3)
    stride = [int(s) for s in rng.integers(1, 4, 2)]
    window = Window(*(Axis(k, s) for k, s in zip(kernel, stride, strict=True)))
    _, positions = pad_window(window, shape, "SAME" if same else "VALID")
    model = tb.ModelBuilder()
    quantized = {"scale": 2 ** rng.uniform(-6, 0), "zero_point": int(rng.integers(0, 256))}
    x = model.tensor(shape, tb.UINT8, name="x", **quantized)
    y = model.tensor((1, *positions, 3), tb.UINT8, name="y", **quantized)
    options = tb.options_of(
        "Pool2D",
        Padding=tflite.Padding.SAME if same else tflite.Padding.VALID,
        StrideH=stride[0], StrideW=stride[1], FilterHeight=kernel[0], FilterWidth=kernel[1],
        FusedActivationFunction=int(rng.choice([0, 0, 1, 3])),
    )  # fmt: skip
    model.op(CODE.AVERAGE_POOL_2D, [x], [y], options=options)
    return model.build([x], [y]), shape


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (3, 5), (2, 2), (1, 2), (4, 3), (8, 8), (6, 7)])
def test_averages_of_windows_inside_the_image(kernel: tuple[int, int]) -> None:
    """An even number of values has ties, which uint8 rounds up and int8's pool away from zero."""
    rng = np.random.default_rng(kernel)
    for _ in range(3):
        file, shape = average(rng, kernel, same=False)
        model = check(file, [bytes_of(rng, shape, 8)])
        even = kernel[0] * kernel[1] % 2 == 0
        assert [type(op) for op in model.graph.ops if type(op) in (Pool, Depthwise)] == [
            Depthwise if even else Pool
        ]


def test_averages_beyond_the_border() -> None:
    """At the border a window has other numbers of values."""
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(30):
        kernel = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        file, shape = average(rng, kernel, same=True, size=int(rng.integers(3, 9)))
        try:
            check(file, [bytes_of(rng, shape, 8)])
        except UnsupportedOpError as error:
            assert "AVERAGE_POOL_2D" in str(error) and "ties" in str(error)
            refused += 1
    assert 0 < refused < 30


# --- a whole network ---


@pytest.mark.parametrize(("pool", "wide"), [(5, False), (4, True)])
def test_a_network_as_legacy_converters_wrote_it(pool: int, wide: bool) -> None:
    rng = np.random.default_rng(2)
    file, x = mobilenet(pool=pool, wide=wide), bytes_of(rng, (1, 2 * pool, 2 * pool, 3), 40)
    model = check(file, [x])
    check_reference(model, [x])
    assert (model.inputs[0].dtype, model.outputs[0].dtype) == (np.uint8, np.uint8)
    assert (model.inputs[0].name, model.outputs[0].name) == ("image", "shares")
    assert len(np.unique(model.run(x))) > 40
    written = write_tflite(model.graph)
    np.testing.assert_array_equal(builtin_ref.run(written, [x])[0], model.run(x))
    again = byteprop.load(written).graph
    assert [type(op) for op in again.ops] == [type(op) for op in model.graph.ops]
    assert write_tflite(byteprop.load(write_tflite(again)).graph) == write_tflite(again)


def test_a_network_between_floats() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(-1.2, 1.2, (20, 10, 10, 3)).astype(np.float32)
    model = check(mobilenet(floats=True), [x])
    assert (model.inputs[0].dtype, model.outputs[0].dtype) == (np.float32, np.float32)


def test_dead_channels_of_one_scale() -> None:
    """Constant rows lose their weights, and keep the scale that all rows have."""
    for seed in range(16):
        graph = random_networks.dead_channel_network(seed)
        ops = tuple(with_one_scale(op) for op in graph.ops)
        if not any(isinstance(op, Convolution) for op in ops):
            continue
        file = write_tflite(replace(graph, ops=ops))
        inputs = [x.view(np.uint8) for x in random_networks.samples(graph, seed)]
        try:
            model = check(file, inputs)
        except UnsupportedOpError as error:
            assert "ties" in str(error)
            continue
        for op in model.graph.ops:
            assert not isinstance(op, Convolution) or op.one_scale


def test_the_command_verifies_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "legacy.tflite"
    path.write_bytes(mobilenet(wide=True))
    x = np.random.default_rng(4).integers(0, 256, (4, 10, 10, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    command = ["verify", path, "--data", tmp_path / "x.npy", "--reference", "tflite"]
    assert main([*map(str, command), "--no-report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]


# --- what is refused ---


def two_tensors(code: int, options: Any = None, *, more: Sequence[Any] = (), **y: Any) -> bytes:
    """One uint8 op from x to y, with constants as further inputs."""
    model = tb.ModelBuilder()
    x = model.tensor((1, 4, 4, 2), tb.UINT8, scale=0.1, zero_point=3, name="x")
    made = {"shape": (1, 4, 4, 2), "type": tb.UINT8, "scale": 0.1, "zero_point": 3} | y
    constants = [model.tensor(**dict(fields)) for fields in more]
    target = model.tensor(made.pop("shape"), made.pop("type"), name="y", **made)
    model.op(code, [x, *constants], [target], options=options)
    return model.build([x], [target])


def one_by_one(**weights: Any) -> bytes:
    data = {"data": np.arange(8, dtype=np.uint8) * 36, "zero_point": 128, "scale": 0.05} | weights
    more = [{"shape": (4, 1, 1, 2), "type": tb.UINT8, "name": "w"} | data,
            {"shape": (4,), "type": tb.INT32, "data": np.zeros(4, np.int32)}]  # fmt: skip
    options = tb.options_of("Conv2D", Padding=0, StrideH=1, StrideW=1)
    return two_tensors(CODE.CONV_2D, options, more=more, shape=(1, 4, 4, 4), scale=0.5)


def in_two_groups() -> bytes:
    return one_by_one(shape=(4, 1, 1, 1), data=np.arange(4, dtype=np.uint8), zero_point=200)


def spread() -> bytes:
    """A depthwise convolution with dilation."""
    more = [{"shape": (1, 2, 2, 2), "type": tb.UINT8, "scale": 0.1, "zero_point": 200, "name": "w",
             "data": np.arange(8, dtype=np.uint8)},
            {"shape": (2,), "type": tb.INT32, "data": np.zeros(2, np.int32)}]  # fmt: skip
    options = tb.options_of("DepthwiseConv2D", Padding=0, StrideH=1, StrideW=1,
                            DilationHFactor=2, DilationWFactor=1)  # fmt: skip
    return two_tensors(CODE.DEPTHWISE_CONV_2D, options, more=more, scale=0.5)


SIZE = {"shape": (2,), "type": tb.INT32, "data": np.array([8, 8], np.int32)}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (one_by_one(zero_point=0, data=np.full(8, 255, np.uint8)),
         "8 of 8 weights of 'w' are 255 without their zero point 0, expected at most 254"),
        (in_two_groups(), "weights outside -128..127 without their zero point, in groups"),
        (spread(), "weights outside -128..127 without their zero point, with Window"),
        (one_by_one(zero_point=256), "'w' has the zero point 256"),
        (one_by_one(scale=[0.1] * 4, zero_point=[128] * 4), "4 scales of the uint8 weights 'w'"),
        (one_by_one(type=tb.INT8, zero_point=0), "both UINT8 and INT8 in one op"),
        (one_by_one(scale=None), "'w' is UINT8 without scale and zero point"),
        (two_tensors(CODE.RESIZE_BILINEAR, tb.options_of("ResizeBilinear"), more=[SIZE],
                     shape=(1, 8, 8, 2)), "RESIZE_BILINEAR with output 'y': in uint8 it computes"),
        (two_tensors(CODE.ELU), "ELU with output 'y': in uint8 it computes"),
        (two_tensors(CODE.MAX_POOL_2D, zero_point=4, options=tb.options_of(
            "Pool2D", StrideH=1, StrideW=1, FilterHeight=1, FilterWidth=1)), "another scale or"),
        (two_tensors(CODE.LOGISTIC), "LOGISTIC with output 'y': expected output scale 0.00390625"),
    ],
)  # fmt: skip
def test_files_that_are_refused(file: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        byteprop.load(file)
    assert message in str(caught.value)


def test_what_only_moves_uint8_stays_as_it_is() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 6), tb.UINT8, scale=0.1, zero_point=3, name="x")
    y = model.tensor((2, 3), tb.UINT8, scale=0.1, zero_point=3, name="y")
    shape = model.tensor((2,), tb.INT32, data=np.array([2, 3], np.int32))
    model.op(CODE.RESHAPE, [x, shape], [y])
    graph = byteprop.load(model.build([x], [y])).graph
    assert {t.dtype for t in graph.tensors} == {DType.UINT8}
    assert not any(isinstance(op, (Conv, TransposeConv)) for op in graph.ops)
