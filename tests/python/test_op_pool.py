"""AVERAGE_POOL_2D and MAX_POOL_2D against TensorFlow Lite's reference kernels, and images that no
writer makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tflite

import byteprop
import tflite_builder as tb
from byteprop import ModelError, image
from byteprop.exporter import write_tflite
from byteprop.graph import Activation, Graph, Tensor
from byteprop.graph.tensor import DType
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window
from op_check import check_file, check_round_trips, with_params

KINDS = ["AVERAGE_POOL_2D", "MAX_POOL_2D"]


def out_size(n: int, kernel: int, stride: int, padding: str) -> int:
    return -(-n // stride) if padding == "SAME" else (n - kernel) // stride + 1


def pool_file(
    kind: str,
    shape: Sequence[int],
    *,
    kernel: tuple[int, int] = (2, 2),
    stride: tuple[int, int] = (2, 2),
    padding: str = "VALID",
    activation: str = "NONE",
    scale: float = 0.05,
    zero_point: int = -3,
    y_scale: float | None = None,
    y_zero_point: int | None = None,
    y_type: int = tb.INT8,
) -> bytes:
    model = tb.ModelBuilder()
    x = model.tensor(shape, scale=scale, zero_point=zero_point, name="x")
    positions = [
        max(out_size(n, k, s, padding), 0)
        for n, k, s in zip(shape[1:3], kernel, stride, strict=True)
        if s
    ]
    out = model.tensor(
        (shape[0], *positions, *shape[3:]), y_type, name="y",
        scale=scale if y_scale is None else y_scale,
        zero_point=zero_point if y_zero_point is None else y_zero_point,
    )  # fmt: skip
    options = tb.options_of(
        "Pool2D",
        Padding=getattr(tflite.Padding, padding),
        StrideH=stride[0],
        StrideW=stride[1],
        FilterHeight=kernel[0],
        FilterWidth=kernel[1],
        FusedActivationFunction=getattr(tflite.ActivationFunctionType, activation),
    )
    model.op(getattr(tflite.BuiltinOperator, kind), [x], [out], version=2, options=options)
    return model.build([x], [out])


def values(rng: np.random.Generator, shape: Sequence[int]) -> npt.NDArray[np.int8]:
    """All values; few, as extremes have them; or one."""
    pool = [np.arange(-128, 128), [-128, 127, -1, 0, 1], [-128], [127]]
    chosen = pool[int(rng.choice(4, p=[0.7, 0.2, 0.05, 0.05]))]
    return rng.choice(np.asarray(chosen), tuple(shape)).astype(np.int8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_random_windows(kind: str, seed: int) -> None:
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    tried = 0
    while tried < 12:
        shape = (
            int(rng.integers(1, 3)),
            *map(int, rng.integers(1, 13, 2)),
            int(rng.integers(1, 6)),
        )
        kernel, stride = (tuple(map(int, rng.integers(1, 6, 2))) for _ in range(2))
        padding = str(rng.choice(["SAME", "VALID"]))
        if padding == "VALID" and (kernel[0] > shape[1] or kernel[1] > shape[2]):
            continue
        file = pool_file(
            kind, shape, kernel=kernel, stride=stride, padding=padding,
            activation=str(rng.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])),
            scale=float(2 ** rng.uniform(-7, 1)), zero_point=int(rng.integers(-128, 128)),
        )  # fmt: skip
        graph = check_file(file, [values(rng, (2 * shape[0], *shape[1:]))])
        check_round_trips(graph)
        tried += 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [-128, 127])
def test_a_window_that_covers_all(kind: str, value: int) -> None:
    file = pool_file(kind, (1, 40, 30, 2), kernel=(40, 30), stride=(40, 30))
    check_file(file, [np.full((1, 40, 30, 2), value, np.int8)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_larger_than_the_image(kind: str) -> None:
    file = pool_file(kind, (1, 2, 3, 1), kernel=(7, 9), stride=(1, 2), padding="SAME")
    check_file(file, [values(np.random.default_rng(1), (1, 2, 3, 1))])


def test_averages_round_halves_away_from_zero() -> None:
    file = pool_file("AVERAGE_POOL_2D", (1, 1, 2, 4), kernel=(1, 2), stride=(1, 2))
    x = np.array([[1, -1, 127, -128], [2, -2, 126, -127]], np.int8).reshape(1, 1, 2, 4)
    assert byteprop.load(file).run(x).ravel().tolist() == [2, -2, 127, -128]
    check_file(file, [x])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": (0, 1)}, "stride and dilation of at least 1"),
        ({"kernel": (5, 1)}, "is smaller than its Window"),
        ({"shape": (1, 4, 4)}, r"expected \[batch, height, width, channels\], got \[1, 4, 4\]"),
        ({"y_zero_point": -2}, "another scale or zero point"),
        ({"y_scale": 0.051}, "another scale or zero point"),
        ({"activation": "TANH"}, "fused activation TANH"),
        ({"y_type": tb.UINT8, "y_zero_point": 3}, "both UINT8 and INT8 in one op"),
    ],
)
def test_files_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        byteprop.load(pool_file("MAX_POOL_2D", **({"shape": (1, 4, 4, 1)} | changes)))


def test_scales_may_differ_as_far_as_in_tensorflow_lite() -> None:
    x = np.arange(-8, 8, dtype=np.int8).reshape(1, 4, 4, 1)
    check_file(pool_file("MAX_POOL_2D", (1, 4, 4, 1), scale=0.05, y_scale=0.0500005), [x])


def graph_of(window: Window, x: tuple[int, ...], y: tuple[int, ...], **changes: Any) -> Graph:
    tensors = (
        Tensor("x", x, DType.INT8, np.float32(0.1), 0),
        Tensor("y", y, DType.INT8, np.float32(0.1), 0),
    )
    return Graph(tensors, (Pool(0, 1, PoolKind.MAX, window, **changes),), (0,), (1,))


SQUARE = Window(Axis(2, 2), Axis(2, 2))


@pytest.mark.parametrize(
    ("window", "y", "message"),
    [
        (SQUARE, (1, 3, 2, 1), "do not begin within 4 positions"),
        (SQUARE, (1, 2, 2, 2), "as many channels"),
        (SQUARE, (2, 2, 2, 1), "with one batch"),
        (Window(Axis(2, 2, 2), Axis(2, 2)), (1, 1, 2, 1), "no dilation"),
        (Window(Axis(2, 2, 1, 2), Axis(2, 2)), (1, 2, 2, 1), "padding below the window's 2"),
        (Window(Axis(0, 1), Axis(2, 2)), (1, 2, 2, 1), "from 1 to 65535"),
        (Window(Axis(70000, 1), Axis(2, 2)), (1, 2, 2, 1), "from 1 to 65535"),
    ],
)
def test_graphs_that_no_image_holds(window: Window, y: tuple[int, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        image.encode(graph_of(window, (1, 4, 4, 1), y))


def test_paddings_that_no_file_can_state() -> None:
    graph = graph_of(Window(Axis(3, 1, 1, 2), Axis(2, 2)), (1, 4, 4, 1), (1, 4, 2, 1))
    assert image.decode(image.encode(graph)) == graph
    with pytest.raises(ModelError, match="has no Window"):
        write_tflite(graph)
    relu = graph_of(SQUARE, (1, 4, 4, 1), (1, 2, 2, 1), activation=Activation.RELU_0_TO_1)
    with pytest.raises(ModelError, match="RELU_0_TO_1"):
        write_tflite(relu)


@pytest.mark.parametrize(
    ("at", "value", "status"),
    [
        (1, b"\2", "E_PARAM"),  # kind
        (0, b"\5", "E_PARAM"),  # activation
        (8, b"\0\0", "E_PARAM"),  # kernel
        (12, b"\0\0", "E_PARAM"),  # stride
        (12, b"\5\0", "E_SHAPE"),  # the second window begins behind the image
        (16, b"\2\0", "E_PARAM"),  # dilation
        (20, b"\2\0", "E_PARAM"),  # padding
    ],
)
def test_records_that_the_reader_refuses(at: int, value: bytes, status: str) -> None:
    good = image.encode(graph_of(SQUARE, (1, 4, 4, 1), (1, 2, 2, 1)))
    with pytest.raises(ModelError, match=status):
        byteprop.load(with_params(good, at, value))
