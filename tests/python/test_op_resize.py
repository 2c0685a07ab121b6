"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR against TensorFlow Lite's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

import byteprop
import tflite_builder as tb
from byteprop import ModelError, image, reference
from byteprop.graph import Graph, Op, Tensor
from byteprop.graph.tensor import DType
from byteprop.ops.resize_bilinear import ResizeBilinear
from byteprop.ops.resize_nearest import ResizeNearest
from op_check import check_file, check_round_trips, with_params
from test_op_pool import values

KINDS = {"RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor", "RESIZE_BILINEAR": "ResizeBilinear"}
OPTIONS = [(False, False), (True, False), (False, True)]
OpClass = type[ResizeNearest] | type[ResizeBilinear]


def resize_file(
    kind: str,
    shape: tuple[int, ...] = (1, 4, 3, 2),
    size: tuple[int, ...] = (7, 5),
    *,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
    scale: float = 0.05,
    y_scale: float = 0.05,
    zero_point: int = -3,
    type: int = tb.INT8,
) -> bytes:
    model = tb.ModelBuilder()
    x = model.tensor(shape, type, scale=scale, zero_point=zero_point, name="x")
    listed = np.array(size, np.int32)
    at = model.tensor(listed.shape, tb.INT32, data=listed, name="size")
    y = model.tensor(
        (shape[0], *size[:2], *shape[3:]), type, scale=y_scale, zero_point=zero_point, name="y"
    )
    options = tb.options_of(
        KINDS[kind], AlignCorners=align_corners, HalfPixelCenters=half_pixel_centers
    )
    code = getattr(tflite.BuiltinOperator, kind)
    model.op(code, [x, at], [y], version=3 if half_pixel_centers else 2, options=options)
    return model.build([x], [y])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("align", "half"), OPTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_random_sizes(kind: str, align: bool, half: bool, seed: int) -> None:
    rng = np.random.default_rng([seed, align, half])
    for _ in range(10):
        shape = (
            int(rng.integers(1, 3)),
            *map(int, rng.integers(1, 20, 2)),
            int(rng.integers(1, 4)),
        )
        size = tuple(map(int, rng.integers(1, 30, 2)))
        file = resize_file(
            kind, shape, size, align_corners=align, half_pixel_centers=half,
            zero_point=int(rng.integers(-128, 128)),
        )  # fmt: skip
        check_round_trips(check_file(file, [values(rng, (2 * shape[0], *shape[1:]))]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("align", "half"), OPTIONS)
def test_long_axes(kind: str, align: bool, half: bool) -> None:
    """Many positions, where each step of float32, or of 1/1024, adds up."""
    rng = np.random.default_rng(5)
    for n_in, n_out in ((300, 700), (700, 300), (997, 1013), (1, 900), (640, 1)):
        shape = (1, n_in, 1, 1)
        file = resize_file(kind, shape, (n_out, 1), align_corners=align, half_pixel_centers=half)
        check_file(file, [values(rng, shape)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"align_corners": True, "half_pixel_centers": True}, "half_pixel_centers, got both"),
        ({"size": (7, 0)}, r"at least 1, got \[7, 0\]"),
        ({"size": (7, 5, 2)}, r"a height and a width"),
        ({"shape": (1, 4, 3)}, r"expected \[batch, height, width, channels\]"),
        ({"y_scale": 0.06}, "another scale or zero point"),
    ],
)
def test_files_that_are_refused(kind: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        byteprop.load(resize_file(kind, **changes))


def test_bilinear_in_uint8_is_refused() -> None:
    with pytest.raises(ModelError, match="in uint8 it computes otherwise than in int8"):
        byteprop.load(resize_file("RESIZE_BILINEAR", type=tb.UINT8, zero_point=3))


def test_interpolation_that_reads_beyond_the_input_is_refused() -> None:
    """1500 steps of 1/1024, which is what 1/1500 is rounded to, leave the one position there is."""
    with pytest.raises(ModelError, match="resizing 1 positions to 1500 reads beyond the last one"):
        byteprop.load(resize_file("RESIZE_BILINEAR", (1, 1, 1, 1), (1500, 1)))


def graph_of(op: Op, y: tuple[int, ...]) -> Graph:
    tensors = (
        Tensor("x", (1, 4, 3, 2), DType.INT8, np.float32(0.1), 0),
        Tensor("y", y, DType.INT8, np.float32(0.1), 0),
    )
    return Graph(tensors, (op,), (0,), (1,))


@pytest.mark.parametrize("kind", [ResizeNearest, ResizeBilinear])
@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ((1, 7, 5, 3), (False, False), "as many channels"),
        ((2, 7, 5, 2), (False, False), "with one batch"),
        ((1, 7, 10), (False, False), "expected \\[batch"),
        ((1, 7, 5, 2), (True, True), "got both"),
    ],
)
def test_graphs_that_no_image_holds(
    kind: OpClass, y: tuple[int, ...], options: tuple[bool, bool], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        image.encode(graph_of(kind(0, 1, *options), y))


@pytest.mark.parametrize("kind", [ResizeNearest, ResizeBilinear])
@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"\3"),  # both options
        (4, b"\xff\xff\xff\x7f"),  # rows out of the image; a step that leaves the input
        (4, b"\xff\xff\xff\xff"),
        (8, b"\xfe\xff\xff\x7f"),
    ],
)
def test_records_that_the_reader_refuses(kind: OpClass, at: int, value: bytes) -> None:
    good = image.encode(graph_of(kind(0, 1), (1, 7, 5, 2)))
    with pytest.raises(ModelError, match="E_PARAM|E_BOUNDS|E_ALIGN"):
        byteprop.load(with_params(good, at, value))


def test_an_index_beyond_the_input_is_refused() -> None:
    blob = image.encode(graph_of(ResizeNearest(0, 1), (1, 7, 5, 2)))
    header = np.frombuffer(blob, image.HEADER, 1)[0]
    changed = bytearray(blob)
    changed[int(header["data_offset"])] = 4  # row 4 of 4
    sealed = with_params(bytes(changed), 0, b"\0")
    with pytest.raises(ModelError, match="E_PARAM"):
        byteprop.load(sealed)


def test_records_that_do_not_follow_from_the_shapes_are_refused() -> None:
    good = image.encode(graph_of(ResizeBilinear(0, 1), (1, 7, 5, 2)))
    with pytest.raises(ModelError, match="do not follow|differ|parameters"):
        byteprop.load(with_params(good, 4, b"\x10\0\0\0"))


# --- TILE, as TensorFlow 2.19 writes an enlargement ---


def tile(model: tb.ModelBuilder, x: int, shape: tuple[int, ...], multiples: list[int]) -> int:
    stated = model.tensor((len(multiples),), tb.INT32, data=np.array(multiples, np.int32))
    result = tuple(n * m for n, m in zip(shape, multiples, strict=False))
    y = model.tensor(result, scale=0.1, zero_point=-3)
    options = tb.options_of("Tile")
    model.op(tflite.BuiltinOperator.TILE, [x, stated], [y], options=options)
    return y


def reshape(model: tb.ModelBuilder, x: int, shape: tuple[int, ...]) -> int:
    stated = model.tensor((len(shape),), tb.INT32, data=np.array(shape, np.int32))
    y = model.tensor(shape, scale=0.1, zero_point=-3)
    model.op(tflite.BuiltinOperator.RESHAPE, [x, stated], [y])
    return y


@pytest.mark.parametrize("seed", range(12))
def test_tile(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, *map(int, rng.integers(1, 6, int(rng.integers(1, 4)))))
    model = tb.ModelBuilder()
    x = model.tensor(shape, scale=0.1, zero_point=-3)
    y = tile(model, x, shape, [1, *map(int, rng.integers(1, 5, len(shape) - 1))])
    check_file(model.build([x], [y]), [values(rng, (3, *shape[1:]))])


def test_an_enlargement_by_tile_of_five_dimensions() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 5, 3, 4), scale=0.1, zero_point=-3)
    rows = tile(model, reshape(model, x, (1, 5, 1, 3, 4)), (1, 5, 1, 3, 4), [1, 1, 2, 1, 1])
    columns = tile(model, reshape(model, rows, (1, 10, 3, 1, 4)), (1, 10, 3, 1, 4), [1, 1, 1, 3, 1])
    file = model.build([x], [reshape(model, columns, (1, 10, 9, 4))])
    pixels = values(np.random.default_rng(3), (2, 5, 3, 4))
    check_file(file, [pixels])
    enlarged = pixels.repeat(2, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(byteprop.load(file).run(pixels), enlarged)


@pytest.mark.parametrize("multiples", [[1, 2], [1, 0, 1, 1], [1, -1, 1, 1]])
def test_tiles_that_are_refused(multiples: list[int]) -> None:
    model = tb.ModelBuilder()
    x = model.tensor((1, 4, 3, 2), scale=0.1, zero_point=-3)
    y = tile(model, x, (1, 4, 3, 2), multiples)
    with pytest.raises(ModelError, match="expected 4 multiples of at least 1"):
        byteprop.load(model.build([x], [y]))


@pytest.mark.parametrize("seed", range(6))
def test_tile_of_the_version_that_no_reference_kernel_of_2_14_runs(seed: int) -> None:
    """It says the same of int8; the NumPy reference stands for the runtime."""
    rng = np.random.default_rng(seed)
    shape = (1, *map(int, rng.integers(1, 6, 3)))
    multiples = [1, *map(int, rng.integers(1, 4, 3))]
    model = tb.ModelBuilder()
    x = model.tensor(shape, scale=0.1, zero_point=-3)
    stated = model.tensor((4,), tb.INT32, data=np.array(multiples, np.int32))
    y = model.tensor(tuple(np.multiply(shape, multiples).tolist()), scale=0.1, zero_point=-3)
    options = tb.options_of("Tile")
    model.op(tflite.BuiltinOperator.TILE, [x, stated], [y], version=3, options=options)
    loaded = byteprop.load(model.build([x], [y]))
    pixels = values(rng, (3, *shape[1:]))
    expected = np.tile(pixels, multiples)
    np.testing.assert_array_equal(loaded.run(pixels), expected)
    np.testing.assert_array_equal(reference.run(loaded.graph, [pixels])[0], expected)
