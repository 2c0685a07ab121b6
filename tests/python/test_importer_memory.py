"""A model file or a file of float weights takes memory in proportion to its size, whatever it
claims: at most four times its bytes and 16 MB."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import byteprop
import tflite_builder as tb
from byteprop.errors import BytepropError, DataError, ModelError

CODE = tflite.BuiltinOperator
SMALL = 16_000_000


@pytest.fixture(autouse=True, scope="module")
def _imports_come_first() -> None:
    byteprop.load(tb.softmax_model())
    byteprop.quantize([np.ones((2, 2)), np.ones(2)], np.eye(2))


def peak(run: Callable[[], Any]) -> int:
    """Memory at most in use beyond what was there."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(run: Callable[[], Any], error: type[BytepropError], words: str) -> Callable[[], None]:
    def refuse() -> None:
        with pytest.raises(error, match=words):
            run()

    return refuse


def quantize(path: Path, n_in: int = 4) -> Callable[[], Any]:
    return lambda: byteprop.quantize(path, np.ones((2, n_in)))


# -------------------------------------------------------------------------------------- true sizes


SIDE = 4096  # weights of 16 MB in int8


def test_an_int8_model(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).integers(-127, 128, (SIDE, SIDE)).astype(np.int8)
    path = tmp_path / "large.tflite"
    path.write_bytes(tb.dense_model(weights=weights, bias=np.zeros(SIDE), y_scale=1e3))
    assert peak(lambda: byteprop.load(path)) <= 4 * path.stat().st_size + SMALL


def test_float_weights(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    weights = np.random.default_rng(1).normal(size=(SIDE, SIDE // 2)).astype(np.float32)
    np.savez(path, weights, np.zeros(SIDE // 2), np.ones((SIDE // 2, 2)), np.zeros(2))
    del weights
    assert peak(quantize(path, SIDE)) <= 4 * path.stat().st_size + SMALL


def float_file(weights: np.ndarray[Any, Any]) -> bytes:
    model = tb.ModelBuilder()
    x = model.tensor((1, weights.shape[1]), tb.FLOAT32)
    y = model.tensor((1, weights.shape[0]), tb.FLOAT32)
    w = model.tensor(weights.shape, tb.FLOAT32, data=weights)
    model.op(CODE.FULLY_CONNECTED, [x, w], [y], version=1)
    return model.build([x], [y])


def test_a_float_model(tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(float_file(np.ones((SIDE // 2, SIDE), np.float32)))
    most = 4 * path.stat().st_size + SMALL
    assert peak(quantize(path, SIDE)) <= most
    load = refused(lambda: byteprop.load(path), ModelError, "a float32 model")
    assert peak(load) <= most


# ------------------------------------------------------------------------------------------ claims


def npy(shape: str, data: bytes = b"", descr: str = "<f4") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def archive(path: Path, *members: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for i, member in enumerate(members):
            file.writestr(f"arr_{i}.npy", member)
    return path


@pytest.mark.parametrize(
    "shape", ["(1000000, 1000000)", "(16777216, 64)", f"({2**62}, 8)", "(-1, 4)", "(4,) * 9"]
)
def test_an_array_that_claims_more_than_it_has(tmp_path: Path, shape: str) -> None:
    path = archive(tmp_path / "claims.npz", npy(shape, bytes(64)), npy("(4,)", bytes(16)))
    run = refused(quantize(path), DataError, r"claims.npz\[arr_0\]")
    assert peak(run) <= 4 * path.stat().st_size + SMALL


def test_an_array_that_unpacks_to_a_thousand_times_its_bytes(tmp_path: Path) -> None:
    weights = npy("(4, 25000000)", bytes(400_000_000))
    bomb = archive(tmp_path / "bomb.npz", weights, method=zipfile.ZIP_DEFLATED)
    del weights
    assert peak(refused(quantize(bomb), DataError, "bomb.npz")) <= 4 * bomb.stat().st_size + SMALL


def test_many_arrays_that_each_unpack_to_little(tmp_path: Path) -> None:
    """Each may; together they are refused before the memory is full."""
    array = npy("(750000, 1)", bytes(3_000_000))
    path = archive(tmp_path / "many.npz", *[array] * 40, method=zipfile.ZIP_DEFLATED)
    assert peak(refused(quantize(path), DataError, "many.npz")) <= 4 * path.stat().st_size + SMALL


def test_a_directory_of_a_million_members(tmp_path: Path) -> None:
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0
    ) + b"a.npy"  # fmt: skip
    n = 65_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, n * len(entry), 0, 0)
    path = tmp_path / "directory.npz"
    path.write_bytes(entry * n + end)
    run = refused(quantize(path), DataError, "directory.npz")
    assert peak(run) <= 4 * path.stat().st_size + SMALL


def test_weights_that_many_ops_share(tmp_path: Path) -> None:
    """The image has them once an op."""
    model = tb.ModelBuilder()
    weights = np.random.default_rng(1).integers(-127, 128, (1024, 1024)).astype(np.int8)
    w = model.tensor(weights.shape, scale=0.01, data=weights)
    first = last = model.tensor((1, 1024), scale=0.1)
    for _ in range(4):
        following = model.tensor((1, 1024), scale=10.0)
        model.op(CODE.FULLY_CONNECTED, [last, w], [following], version=6)
        last = following
    data = model.build([first], [last])
    assert peak(lambda: byteprop.load(data)) <= 4 * len(data) + SMALL


@pytest.mark.parametrize("claims", ["dims", "scales", "name"])
def test_a_vector_that_claims_more_than_the_file_has(claims: str) -> None:
    data = bytearray(tb.dense_model(weights=np.ones((2, 3), np.int8), weight_scale=[0.5, 0.25]))
    found = {
        "dims": struct.pack("<Iii", 2, 1, 3),
        "scales": struct.pack("<Iff", 2, 0.5, 0.25),
        "name": struct.pack("<I7s", 7, b"weights"),
    }[claims]
    at = bytes(data).index(found)
    for count in (1 << 20, (1 << 31) - 1, (1 << 32) - 1):
        struct.pack_into("<I", data, at, count)
        run = refused(lambda: byteprop.load(bytes(data)), ModelError, "truncated or corrupt")
        assert peak(run) <= SMALL


def test_an_arena_of_any_size_is_no_memory_of_the_load() -> None:
    """A file of a kilobyte may state activations of 16 MB; they are taken when it runs."""
    data = tb.rescale_model("RELU", shape=(1, 1 << 22))
    assert peak(lambda: byteprop.load(data)) <= 4 * len(data) + SMALL


def test_a_file_that_is_no_model_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(1 << 31)
    run = refused(lambda: byteprop.load(path), ModelError, "2147483648 bytes without 'TFL3'")
    assert peak(run) <= 1_000_000
    assert io.DEFAULT_BUFFER_SIZE < 1_000_000
