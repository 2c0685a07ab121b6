"""Damaged .tflite files: a documented error in bounded time, or a model that answers as
tflite-runtime does with the same file, where that takes it."""

from __future__ import annotations

import io
import random
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import byteprop
import runtime_answers
import tflite_builder as tb
from byteprop.errors import BytepropError, ModelError
from byteprop.exporter import write_tflite
from byteprop.graph import Activation
from byteprop.ops import Conv, Pad, Reshape
from byteprop.ops.add import Add
from byteprop.ops.mean import Mean
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.reduce_max import ReduceMax
from byteprop.ops.resize_bilinear import ResizeBilinear
from byteprop.ops.resize_nearest import ResizeNearest
from byteprop.ops.window import Axis, Window
from random_graphs import Builder
from training_data import MODELS
from uint8_network import mobilenet

CODE = tflite.BuiltinOperator
Array = np.ndarray[Any, Any]
MUTANTS = 250  # of each file
SECONDS = 2.0  # of one load; usual are milliseconds
WORDS = (0, 1, 2, 3, 4, 9, 127, 128, 255, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)
FLOATS = (0.0, -1.0, 1e-30, 1e30, float("inf"), float("nan"), 0.5, 1 / 256)
# Before and behind its constants, where a file has its structure.
STRUCTURE = 2500


def small_net() -> bytes:
    """Every kind of op that runs, and shape arithmetic before it."""
    model = tb.ModelBuilder()
    x = model.tensor((1, 12), scale=0.5, name="x")
    four, two = (
        model.tensor((2,), tb.INT32, data=np.array(v, np.int32)) for v in ([4, 4], [2, -2])
    )
    shape = model.tensor((2,), tb.INT32)
    model.op(CODE.SUB, [four, two], [shape], options=tb.options_of("Sub"))
    folded = model.tensor((2, 6), scale=0.5)
    model.op(CODE.RESHAPE, [x, shape], [folded])
    w = model.tensor((3, 6), scale=[0.1, 0.2, 0.3], data=np.arange(-9, 9, dtype=np.int8))
    bias = model.tensor(
        (3,), tb.INT32, scale=[0.05, 0.1, 0.15], data=np.array([9, -9, 99], np.int32)
    )
    linear = model.tensor((2, 3), scale=0.7)
    dense = tb.options_of("FullyConnected", FusedActivationFunction=1)
    model.op(CODE.FULLY_CONNECTED, [folded, w, bias], [linear], version=4, options=dense)
    active = model.tensor((2, 3), scale=0.1, zero_point=-128)
    model.op(CODE.RELU6, [linear], [active], version=2)
    again = model.tensor((2, 3), scale=0.2, zero_point=5)
    model.op(CODE.QUANTIZE, [active], [again], version=2)
    y = model.tensor((2, 3), scale=1 / 256, zero_point=-128, name="y")
    model.op(CODE.SOFTMAX, [again], [y], version=2, options=tb.options_of("Softmax", Beta=1.0))
    return model.build([x], [y])


def normalized_net() -> bytes:
    """float32, SUB, MUL, QUANTIZE, dense, DEQUANTIZE, float32."""
    model = tb.ModelBuilder()
    x, centred, scaled = (model.tensor((1, 4), tb.FLOAT32) for _ in range(3))
    mean = model.tensor((4,), tb.FLOAT32, data=np.array([1, -2, 300, 0.5], np.float32))
    factor = model.tensor((4,), tb.FLOAT32, data=np.array([1, 0.5, 0.01, 8], np.float32))
    model.op(CODE.SUB, [x, mean], [centred], options=tb.options_of("Sub"))
    model.op(CODE.MUL, [centred, factor], [scaled], options=tb.options_of("Mul"))
    q, r = model.tensor((1, 4), scale=0.02, zero_point=3), model.tensor((1, 2), scale=0.1)
    model.op(CODE.QUANTIZE, [scaled], [q])
    w = model.tensor((2, 4), scale=0.05, data=np.arange(-4, 4, dtype=np.int8) * 20)
    model.op(CODE.FULLY_CONNECTED, [q, w], [r], version=6)
    y = model.tensor((1, 2), tb.FLOAT32)
    model.op(CODE.DEQUANTIZE, [r], [y], version=2)
    return model.build([x], [y])


def image_net() -> bytes:
    """Both ways of resizing, both pools, a mean and a maximum, from one image to six outputs."""
    b = Builder()
    x = b.tensor((1, 4, 6, 2), 0.1, -5)
    like = {"scale": 0.1, "zero_point": -5}
    window = Window(Axis(2, 2), Axis(2, 2))
    made = [
        ResizeNearest(x, b.tensor((1, 7, 5, 2), **like), half_pixel_centers=True),
        ResizeBilinear(x, b.tensor((1, 7, 5, 2), **like), align_corners=True),
        Pool(x, b.tensor((1, 2, 3, 2), **like), PoolKind.MAX, window),
        Pool(x, b.tensor((1, 2, 3, 2), **like), PoolKind.AVERAGE, window),
        Mean(x, b.tensor((1, 2), 0.07, 9), (1, 2)),
        ReduceMax(x, b.tensor((1, 4, 1, 2), **like), (2,)),
    ]
    outputs = tuple(b.add(op) for op in made)
    return write_tflite(b.graph((x,), outputs))


def dead_channel_net() -> bytes:
    """A PAD that folds, rows without weights, one that saturates, a sum that needs them, a column
    that nothing reads, and dense layers behind it all."""
    b = Builder()
    rng = np.random.default_rng(7)

    def conv(x: int, n_out: int, kernel: int, dead: tuple[int, ...]) -> int:
        batch, rows, columns, n_in = b.tensors[x].shape
        weights = rng.integers(-127, 128, (n_out, kernel, kernel, n_in)).astype(np.int8)
        weights[list(dead)] = 0
        bias = rng.integers(-400, 400, n_out).astype(np.int32)
        scales = np.full(n_out, 0.01, np.float32)
        scales[list(dead)] = 1e-20
        y = b.tensor((batch, rows - kernel + 1, columns - kernel + 1, n_out), 0.2, -128)
        window = Window(Axis(kernel), Axis(kernel))
        return b.add(Conv(x, y, weights, bias, scales, window, Activation.RELU))

    x = b.tensor((1, 4, 3, 2), 0.1, -5)
    padded = b.tensor((1, 6, 5, 2), 0.1, -5)
    b.add(Pad(x, padded, (0, 1, 1, 0), -5))
    trunk = conv(padded, 6, 3, (1, 4))
    total = b.tensor((1, 4, 3, 6), 0.3, -100)
    b.add(Add(conv(trunk, 6, 1, (1, 2)), total, trunk))
    flat, y = b.tensor((1, 48), 0.2, -128), b.tensor((1, 3), 0.5)
    b.add(Reshape(conv(total, 4, 1, (0,)), flat))
    b.dense(flat, rng.integers(-127, 128, (3, 48)).astype(np.int8), y)
    return write_tflite(b.graph((x,), (y,)))


FILES = {path.stem: path.read_bytes() for path in sorted(MODELS.glob("*.tflite"))}
FILES |= {
    "dead_channel_net": dead_channel_net(),
    "image_net": image_net(),
    "small_net": small_net(),
    "normalized_net": normalized_net(),
    "float_ends": tb.float_border_model(shape=(1, 4)),
    "uint8_net": mobilenet(pool=3, wide=True),
}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few bytes, words or floats replaced, a piece copied over another, or the file cut."""
    file = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(min(STRUCTURE, len(file)))
        at = at if rng.random() < 0.5 else len(file) - 1 - at
        kind = rng.random()
        if kind < 0.4:
            file[at] = rng.randrange(256)
        elif kind < 0.6:
            file[at] = (file[at] + rng.choice((-1, 1))) % 256
        elif kind < 0.75:
            struct.pack_into("<I", file, min(at & ~3, len(file) - 4), rng.choice(WORDS))
        elif kind < 0.9:
            struct.pack_into("<f", file, min(at & ~3, len(file) - 4), rng.choice(FLOATS))
        elif kind < 0.98:
            n = rng.choice((4, 8, 16, 64))
            source = rng.randrange(max(1, len(file) - n))
            piece = file[source : source + n]
            file[at : at + n] = piece[: len(file) - at]
        else:
            del file[max(8, at) :]
            break
    return bytes(file)


def inputs_of(model: byteprop.Model, rng: np.random.Generator) -> list[Array]:
    made: list[Array] = []
    for info in model.inputs:
        shape = info.shape or (1,)  # a batch of one
        if info.dtype == np.float32:
            made.append(rng.normal(0, 100 * info.scale, shape).astype(np.float32))
        else:
            limits = np.iinfo(info.dtype)
            made.append(rng.integers(limits.min, limits.max, shape, info.dtype, endpoint=True))
    return made


def is_defined(model: byteprop.Model, inputs: list[Array]) -> bool:
    """Whether the runtime can quantise the inputs: it converts to 32 bits before it saturates; what
    lies beyond them has no defined result. byteprop saturates there."""
    for info, x in zip(model.inputs, inputs, strict=True):
        normalized = x.astype(np.float64)
        if info.normalization is not None:
            sub, mul = info.normalization.sub, info.normalization.mul
            normalized = (normalized.reshape(-1, len(sub)) - sub) * mul
        if not (np.abs(normalized / info.scale) < 2.0**31 - 256).all():
            return False
    return True


def loaded(data: bytes) -> byteprop.Model | None:
    began = time.monotonic()
    try:
        return byteprop.load(data)
    except ModelError as error:
        assert str(error).startswith("the given bytes: ")
        return None
    finally:
        assert time.monotonic() - began < SECONDS


def flat(outputs: Any) -> list[bytes]:
    return [y.tobytes() for y in (outputs if isinstance(outputs, tuple) else (outputs,))]


@pytest.mark.parametrize("name", FILES)
def test_mutants_are_refused_or_answer_as_the_runtime(name: str, tmp_path: Path) -> None:
    builtin_ref.require()
    rng, numbers = random.Random(name), np.random.default_rng(3)
    cases, got = [], []
    for _ in range(MUTANTS):
        data = mutated(FILES[name], rng)
        model = loaded(data)
        if model is None or model.arena_bytes > 1 << 20:
            continue
        x = inputs_of(model, numbers)
        if not is_defined(model, x):
            continue
        cases.append((data, x))
        got.append(flat(model.run(x[0] if len(x) == 1 else x)))
    answers = runtime_answers.answers(tmp_path, cases)
    compared = 0
    for i, (answer, expected) in enumerate(zip(got, answers, strict=True)):
        if expected is not None:
            assert answer == [y.tobytes() for y in expected], tmp_path / f"{i}.tflite"
            compared += 1
    assert len(cases) < MUTANTS
    assert compared >= MUTANTS // 40


def test_the_net_with_dead_channels_has_some() -> None:
    left_out = byteprop.load(FILES["dead_channel_net"]).graph.left_out
    assert left_out is not None
    assert (left_out.channels, left_out.constant) == (3, 2)


def float_net() -> bytes:
    model = tb.ModelBuilder()
    x, hidden, y = (model.tensor((1, n), tb.FLOAT32) for n in (6, 4, 3))
    weights = np.linspace(-1, 1, 24, dtype=np.float32)
    w = model.tensor((4, 6), tb.FLOAT32, data=weights)
    v = model.tensor((3, 4), tb.FLOAT32, data=weights[:12])
    relu = tb.options_of("FullyConnected", FusedActivationFunction=1)
    model.op(CODE.FULLY_CONNECTED, [x, w], [hidden], options=relu)
    model.op(CODE.FULLY_CONNECTED, [hidden, v], [y], options=tb.options_of("FullyConnected"))
    return model.build([x], [y])


def float_weights() -> bytes:
    file = io.BytesIO()
    weights = np.linspace(-1, 1, 24, dtype=np.float32)
    np.savez(file, weights.reshape(6, 4), weights[:4], weights[:12].reshape(4, 3), weights[:3])
    return file.getvalue()


CNN = (MODELS / "float/digits_cnn_float16.tflite").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "file", "shape"),
    [(".tflite", float_net(), (6,)), (".npz", float_weights(), (6,)), (".tflite", CNN, (8, 8, 1))],
)
def test_mutants_of_float_networks_are_refused_or_quantised(
    suffix: str, file: bytes, shape: tuple[int, ...], tmp_path: Path
) -> None:
    rng, x = random.Random(suffix), np.random.default_rng(4).normal(size=(8, *shape))
    path = tmp_path / f"mutant{suffix}"
    done = 0
    mutants = 2 * MUTANTS if file is not CNN else MUTANTS // 2
    for _ in range(mutants):
        path.write_bytes(mutated(file, rng))
        began = time.monotonic()
        try:
            byteprop.quantize(path, x)
            done += 1
        except BytepropError as error:
            assert len(str(error)) > 10
        assert time.monotonic() - began < SECONDS
    assert 0 < done < mutants
