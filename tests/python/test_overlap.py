"""How far the output of a convolution may overlap its input: the distance, the plan, the reader."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop import image, reference
from byteprop.engine._raw_conv import (
    Shape,
    conv_distance,
    conv_is_backward,
    depthwise_distance,
    depthwise_scratch,
)
from byteprop.graph import Graph
from byteprop.image.plan import plan
from byteprop.model import Model
from byteprop.ops import Conv, Depthwise
from byteprop.ops.add import Add
from byteprop.ops.window import Axis, Window, pad_window
from random_graphs import Builder

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))


def random_shape(rng: np.random.Generator, *, depthwise: bool) -> tuple[Shape, Window]:
    while True:
        batch, rows, columns, channels, n_out = (int(v) for v in rng.integers(1, 9, 5))
        numbers = rng.integers(1, 5, (2, 3)).tolist()
        padding = str(rng.choice(["SAME", "VALID"]))
        x = (min(batch, 3), rows, columns, channels)
        window, positions = pad_window(Window(*(Axis(*n) for n in numbers)), x, padding)
        if min(positions) < 1:
            continue
        y = (x[0], *positions, channels * (n_out % 3 + 1) if depthwise else n_out)
        fields = np.frombuffer(window.encoded(), "<u2").reshape(-1, 2).T.tolist()
        return Shape(x, y, fields), window


def positions(axis: Axis, o: int, n: int) -> tuple[int, int]:
    """First input position that a window takes, and the one after the last, cut to the image."""
    start = o * axis.stride - axis.pad
    return max(start, 0), min(start + axis.span, n)


def conv_windows(shape: Shape, window: Window) -> list[tuple[int, int]]:
    """For each output pixel the first byte of its window, and the one after its last."""
    _, rows, columns, channels = shape.x
    found = []
    for n, oy, ox in np.ndindex(*shape.y[:3]):
        top, bottom = positions(window.height, oy, rows)
        left, right = positions(window.width, ox, columns)
        first = ((n * rows + top) * columns + left) * channels
        last = ((n * rows + bottom - 1) * columns + right) * channels
        found.append((first, last))
    return found


@pytest.mark.parametrize("seed", range(300))
def test_the_distance_of_a_convolution_is_the_greatest_difference(seed: int) -> None:
    shape, window = random_shape(np.random.default_rng(seed), depthwise=False)
    windows, n_out = conv_windows(shape, window), shape.y[3]
    if conv_is_backward(shape):
        needed = (last - (p + 1) * n_out for p, (_, last) in enumerate(windows))
    else:
        needed = (p * n_out - first for p, (first, _) in enumerate(windows))
    assert conv_distance(shape) == max(0, *needed)


@pytest.mark.parametrize("seed", range(300))
def test_the_distance_of_a_depthwise_convolution_is_enough_and_no_more(seed: int) -> None:
    shape, window = random_shape(np.random.default_rng(seed), depthwise=True)
    batch, rows, columns, channels = shape.x
    _, y_rows, y_columns, n_out = shape.y
    needed = [0]
    for n, oy in np.ndindex(batch, y_rows):
        _, read = positions(window.height, oy, rows)
        written = (n * y_rows + oy + 1) * y_columns * n_out
        if (n, read) != (batch - 1, rows):
            needed.append(written - (n * rows + read) * columns * channels)
    assert depthwise_distance(shape) == max(needed)


def scratch_of_planes(shape: Shape, window: Window) -> int:
    """Of docs/format.md: four channels of the rows that two output rows take, in 16 bits."""
    _, _, columns, channels = shape.x
    _, y_rows, y_columns, n_out = shape.y
    axes = (window.height, window.width)
    if n_out != channels or any((a.kernel, a.dilation) != (3, 1) or a.stride > 2 for a in axes):
        return 0
    rows = 3 + min(1, y_rows - 1) * window.height.stride
    before = window.width.pad
    after = (y_columns - 1) * window.width.stride + 3 - before - columns
    width = columns + max(before, after)
    return min(channels, 4) * 2 * (rows * (width + width % 2) + 2)


@pytest.mark.parametrize("seed", range(100))
def test_scratch_of_a_depthwise_convolution_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, window = random_shape(rng, depthwise=True)
    if seed % 2:
        axes = (Axis(3, int(stride)) for stride in rng.integers(1, 3, 2))
        window, size = pad_window(Window(*axes), shape.x, "SAME")
        fields = np.frombuffer(window.encoded(), "<u2").reshape(-1, 2).T.tolist()
        shape = Shape(shape.x, (shape.x[0], *size, shape.x[3]), fields)
    _, rows, columns, channels = shape.x
    copied = min(window.height.span, rows) * columns * channels
    assert depthwise_scratch(shape) == max(copied, scratch_of_planes(shape, window))


def layer(shape: Shape, window: Window, *, depthwise: bool) -> Graph:
    rng = np.random.default_rng(1)
    b = Builder()
    x, y = b.tensor(shape.x, 0.1, 3), b.tensor(shape.y, 0.5, -4)
    n_out, kernel = shape.y[3], (window.height.kernel, window.width.kernel)
    size = (1, *kernel, n_out) if depthwise else (n_out, *kernel, shape.x[3])
    b.add(
        (Depthwise if depthwise else Conv)(
            x, y,
            weights=rng.integers(-127, 128, size).astype(np.int8),
            bias=rng.integers(-999, 999, n_out).astype(np.int32),
            weight_scales=np.full(n_out, 0.01, np.float32),
            window=window,
        )
    )  # fmt: skip
    return b.graph((x,), (y,))


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_output_over_input_changes_no_byte(seed: int, depthwise: bool) -> None:
    rng = np.random.default_rng(seed)
    graph = layer(*random_shape(rng, depthwise=depthwise), depthwise=depthwise)
    x = rng.integers(-128, 128, graph.tensors[0].shape).astype(np.int8)
    np.testing.assert_array_equal(Model(graph).run(x), reference.run(graph, [x])[0])


def moved(encoded: bytes, tensor: int, change: int) -> bytes:
    """The image with another offset of a tensor."""
    blob = bytearray(encoded)
    header = np.frombuffer(encoded, image.HEADER, 1)[0]
    at = int(header["tensors_offset"]) + tensor * image.TENSOR.itemsize
    assert image.TENSOR.fields is not None
    at += int(image.TENSOR.fields["offset"][1])
    (offset,) = struct.unpack_from("<I", blob, at)
    struct.pack_into("<I", blob, at, offset + change)
    struct.pack_into("<I", blob, 12, zlib.crc32(blob[16:]))
    return bytes(blob)


def overlapping(window: Window, x: tuple[int, ...], n_out: int) -> tuple[Graph, Shape]:
    window, size = pad_window(window, x, "SAME")
    fields = np.frombuffer(window.encoded(), "<u2").reshape(-1, 2).T.tolist()
    shape = Shape(x, (x[0], *size, n_out), fields)
    return layer(shape, window, depthwise=False), shape


def test_the_reader_refuses_four_bytes_less() -> None:
    graph, shape = overlapping(Window(Axis(3), Axis(3)), (1, 8, 8, 4), 4)
    distance = conv_distance(shape)
    assert distance % 4 == 0
    made = plan(graph)
    assert made.offsets[0] - made.offsets[1] == distance
    encoded = image.encode(graph)
    byteprop.load(encoded)
    with pytest.raises(byteprop.ModelError, match="E_OVERLAP"):
        byteprop.load(moved(encoded, 0, -4))


def test_the_arena_is_as_large_as_one_tensor_and_the_distance() -> None:
    """16 channels of 32 x 32, 3 x 3: 528 bytes in addition to one of two equal tensors."""
    graph, shape = overlapping(Window(Axis(3), Axis(3)), (1, 32, 32, 16), 16)
    assert conv_distance(shape) == 528
    scratch = 8 * 9 * 16
    assert plan(graph).arena_bytes == 32 * 32 * 16 + 528 + scratch


def test_a_growing_convolution_goes_backward_over_its_input() -> None:
    graph, shape = overlapping(Window(Axis(1), Axis(1)), (1, 8, 8, 4), 8)
    assert conv_is_backward(shape)
    assert conv_distance(shape) == 0
    assert plan(graph).arena_bytes == 8 * 8 * 8 + 8 * 4


def test_an_input_that_is_read_later_is_not_overlapped() -> None:
    graph, _ = overlapping(Window(Axis(3), Axis(3)), (1, 8, 8, 4), 4)
    kept = replace(graph, outputs=(1, 0))
    assert plan(kept).arena_bytes == 2 * 8 * 8 * 4 + 8 * 9 * 4


def test_a_residual_block_takes_two_tensors_and_the_distance() -> None:
    """16 channels of 32 x 32 twice, as the block's input is read by the sum at its end."""
    b = Builder()
    rng = np.random.default_rng(2)
    image_shape, window = (1, 32, 32, 16), Window(Axis(3, pad=1), Axis(3, pad=1))
    x, first, second, y = (b.tensor(image_shape, 0.1 * (i + 1), i) for i in range(4))
    for source, target in ((x, first), (first, second)):
        weights = rng.integers(-127, 128, (16, 3, 3, 16)).astype(np.int8)
        bias, scales = np.zeros(16, np.int32), np.full(16, 0.01, np.float32)
        b.add(Conv(source, target, weights, bias, scales, window))
    b.add(Add(x, y, second))
    graph = b.graph((x,), (y,))
    assert plan(graph).arena_bytes == 2 * 32 * 32 * 16 + 528 + 8 * 9 * 16
    values = rng.integers(-128, 128, image_shape).astype(np.int8)
    np.testing.assert_array_equal(Model(graph).run(values), reference.run(graph, [values])[0])


@pytest.mark.parametrize(
    ("name", "most"),
    [("kws_dscnn", 9_011), ("ic01_resnet8", 36_864), ("vww_mobilenet_96", 40_960)],
)
def test_ram_of_the_models_of_mlperf_tiny(name: str, most: int) -> None:
    """Arena, scratch memory included: 8.8, 36 and 40 KB."""
    path = PUBLIC / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {PUBLIC}; BYTEPROP_PUBLIC_MODELS names the folder")
    assert byteprop.load(path).arena_bytes <= most
