"""Whole models by every instruction set of this CPU, against the plain C: convolutions of packed
weights, and ops that are tuned for vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.engine import _raw
from byteprop.graph import DType, Graph, Tensor
from byteprop.ops import Conv, Dense
from byteprop.ops.add import Add
from byteprop.ops.mean import Mean
from byteprop.ops.mul import Mul
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window, pad_window
from packed_graphs import ACTIVATIONS, Bytes, constants, draw_convolution, graph_of, tensor

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
ISAS = _raw.isa_names()
TUNED = [name for name in ISAS if name != "portable"]

pytestmark = pytest.mark.skipif(not TUNED, reason="this CPU has no tuned code")


@pytest.fixture(autouse=True)
def restored_isa() -> Iterator[None]:
    before = _raw.isa_name()
    yield
    assert _raw.isa_select(before)


def inputs(rng: np.random.Generator, x: Tensor) -> Bytes:
    """Random samples, and samples of the lowest and the highest values."""
    shape = x.shape
    extremes = [np.full(shape, v) for v in (-128, 127)]
    extremes.append(rng.choice([-128, 127], shape))
    found = [rng.integers(-128, 128, (3 * shape[0], *shape[1:])), *extremes]
    return np.concatenate(found).astype(np.int8)


def expect_same(image: bytes, x: object, *, prepared: int | None = 1) -> bytes:
    """By all instruction sets; prepared: how many ops run from copies."""
    answers = {}
    for name in ISAS:
        assert _raw.isa_select(name)
        model = byteprop.load(image)
        answers[name] = np.asarray(model.run(x)).tobytes()
        assert isinstance(model._engine, _raw.Engine)
        if prepared is not None:
            assert model._engine.n_prepared_ops == (0 if name == "portable" else prepared)
    for name in TUNED:
        assert answers[name] == answers["portable"], name
    return answers["portable"]


@pytest.mark.parametrize("depthwise", [False, True], ids=["conv", "depthwise"])
@pytest.mark.parametrize("first", range(0, 240, 40))
def test_convolutions(first: int, depthwise: bool) -> None:
    varied = 0
    for seed in range(first, first + 40):
        rng = np.random.default_rng(seed)
        graph = draw_convolution(rng, depthwise=depthwise)
        if graph is not None:
            image = byteprop.Model(graph).image
            answer = expect_same(image, inputs(rng, graph.tensors[0]), prepared=None)
            varied += len(set(answer)) > 8
    assert varied > 10


def ordinary_convolution(rng: np.random.Generator, **changes: object) -> Graph:
    """That can be packed, unless it is changed."""
    n_in, n_out = 5, 19
    parts = {
        "weights": rng.integers(-127, 128, (n_out, 3, 3, n_in)).astype(np.int8),
        "bias": rng.integers(-999, 999, n_out).astype(np.int32),
        "scales": np.full(n_out, 0.01, np.float32),
        "y_scale": 0.4,
    } | changes
    x = Tensor("x", (1, 6, 5, n_in), DType.INT8, np.float32(0.1), -3)
    y = Tensor("y", (1, 6, 5, n_out), DType.INT8, np.float32(parts["y_scale"]), 7)
    window, _ = pad_window(Window(Axis(3), Axis(3)), x.shape, "SAME")
    weights, bias, scales = (parts[key] for key in ("weights", "bias", "scales"))
    return graph_of(lambda a, b: Conv(a, b, weights, bias, scales, window), x, y)


def test_an_ordinary_convolution_is_packed() -> None:
    rng = np.random.default_rng(1)
    graph = ordinary_convolution(rng)
    answer = expect_same(byteprop.Model(graph).image, inputs(rng, graph.tensors[0]))
    assert len(set(answer)) > 100


@pytest.mark.parametrize(
    "changes",
    [
        {"bias": np.full(19, 2**30, np.int32)},
        {"scales": np.full(19, 5.0, np.float32)},  # a shift to the left
        {"scales": np.full(19, 1e-9, np.float32)},  # one by more than 22
    ],
    ids=["bias", "left", "right"],
)
def test_what_breaks_the_conditions_is_not_packed(changes: dict[str, object]) -> None:
    rng = np.random.default_rng(2)
    graph = ordinary_convolution(rng, **changes)
    expect_same(byteprop.Model(graph).image, inputs(rng, graph.tensors[0]), prepared=0)


@pytest.mark.parametrize("bias", [0, 1, -1, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("scale", [1e-9, 0.01, 20.0])
def test_rows_of_zeros_are_packed_whatever_their_constants(bias: int, scale: float) -> None:
    rng = np.random.default_rng(3)
    zeros = np.zeros((19, 3, 3, 5), np.int8)
    scales = np.full(19, scale, np.float32)
    graph = ordinary_convolution(
        rng, weights=zeros, bias=np.full(19, bias, np.int32), scales=scales
    )
    answer = expect_same(byteprop.Model(graph).image, inputs(rng, graph.tensors[0]))
    assert len(set(answer)) == 1


def test_a_model_keeps_its_answers_when_the_instruction_set_changes() -> None:
    rng = np.random.default_rng(4)
    graph = ordinary_convolution(rng)
    x = inputs(rng, graph.tensors[0])
    answers = set()
    for made_with in ISAS:
        assert _raw.isa_select(made_with)
        model = byteprop.Model(graph)
        for name in ISAS:
            assert _raw.isa_select(name)
            answers.add(model.run(x).tobytes())
    assert len(answers) == 1


def test_what_would_take_too_much_memory_is_not_packed() -> None:
    """Windows that reach far beyond a small input."""
    rng = np.random.default_rng(5)
    x = Tensor("x", (1, 4, 4, 1), DType.INT8, np.float32(0.1), -3)
    y = Tensor("y", (1, 4, 4, 2), DType.INT8, np.float32(0.3), 7)
    window, _ = pad_window(Window(Axis(3, dilation=900), Axis(3, dilation=900)), x.shape, "SAME")
    weights = rng.integers(-127, 128, (2, 3, 3, 1)).astype(np.int8)
    bias, scales = np.zeros(2, np.int32), np.full(2, 0.05, np.float32)
    graph = graph_of(lambda a, b: Conv(a, b, weights, bias, scales, window), x, y)
    expect_same(byteprop.Model(graph).image, inputs(rng, x), prepared=0)


@pytest.mark.parametrize("n_in", [1, 2, 3, 4, 5, 7, 8, 31, 64, 65, 1000])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_dense_layers(n_in: int, rows: int) -> None:
    rng = np.random.default_rng(n_in)
    for n_out in (1, 2, 7, 8, 9, 16, 17, 32, 33, 50):
        per_channel = bool(rng.integers(2)) and rows == 1
        weights, _, scales = constants(rng, (n_out, n_in), 0)
        bias = rng.integers(-9999, 9999, n_out).astype(np.int32)
        scales = scales if per_channel else scales[:1]
        x = tensor(rng, "x", (rows, n_in), 0.1)
        y = tensor(rng, "y", (rows, n_out), 0.1 * 0.01 * 60 * n_in**0.5)
        activation = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
        layer = Dense(0, 1, weights, bias, scales, activation)
        graph = Graph((x, y), (layer,), (0,), (1,))
        expect_same(byteprop.Model(graph).image, inputs(rng, x))


@pytest.mark.parametrize("size", [1, 31, 32, 33, 63, 64, 65, 200])
@pytest.mark.parametrize("kind", [Add, Mul])
def test_pairs(size: int, kind: type[Add] | type[Mul]) -> None:
    rng = np.random.default_rng(size)
    for case in range(20):
        scales = 2.0 ** rng.uniform(-6, 1, 3)
        if case % 5 == 0:
            scales[1] = scales[0]
        a, b, y = (tensor(rng, n, (1, size), s) for n, s in zip("aby", scales, strict=True))
        activation = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
        more = {"subtracts": True} if kind is Add and case % 3 == 0 else {}
        op = kind(0, 2, 1, activation=activation, **more)
        graph = Graph((a, b, y), (op,), (0, 1), (2,))
        expect_same(byteprop.Model(graph).image, [inputs(rng, a), inputs(rng, b)], prepared=0)


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 32, 40])
def test_averages(channels: int) -> None:
    rng = np.random.default_rng(channels)
    x = tensor(rng, "x", (1, 5, 6, channels), 0.1)
    window, positions = pad_window(Window(Axis(3, 2), Axis(4, 1)), x.shape, "SAME")
    y = Tensor("y", (1, *positions, channels), DType.INT8, x.scale, x.zero_point)
    graph = graph_of(lambda a, b: Pool(a, b, PoolKind.AVERAGE, window), x, y)
    expect_same(byteprop.Model(graph).image, inputs(rng, x), prepared=0)
    z = tensor(rng, "z", (1, channels), 0.07)
    graph = graph_of(lambda a, b: Mean(a, b, axes=(1, 2)), x, z)
    expect_same(byteprop.Model(graph).image, inputs(rng, x), prepared=0)


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(MODELS.rglob("*.tflite")) if p.with_suffix(".vectors.npz").exists()],
    ids=lambda path: path.stem,
)
def test_models(path: Path) -> None:
    rng = np.random.default_rng(6)
    model = byteprop.load(path)
    xs = [
        rng.integers(0, 256, (3 * info.shape[0], *info.shape[1:])).astype(info.dtype)
        for info in model.inputs
    ]
    expect_same(model.image, xs[0] if len(xs) == 1 else xs, prepared=None)
