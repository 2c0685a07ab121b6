"""Reading .npy and .npz from anybody: what is read, what is refused, and in how much memory."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import DataError
from byteprop.data.npz import keys_text, open_npz, read_npy, read_npz

X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
Y = np.array([3, 1, 0, 2], np.uint8)


def npy_bytes(array: npt.NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(shape: str, descr: str = "'|u1'", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zip_bytes(
    members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, level: int = 9
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=level) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def peak_of(call: Callable[[], object]) -> int:
    """Most bytes that a call had at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(call: Callable[[], object], match: str) -> None:
    with pytest.raises(DataError, match=match):
        call()


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", ">i2", "<u4", ">i8", "<f2", ">f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_number_is_read(dtype: str, order: str) -> None:
    x = np.asarray(X.astype(dtype), order=order)  # type: ignore[call-overload]
    for source in (npy_bytes(x), io.BytesIO(npy_bytes(x))):
        got = read_npy(source, "a.npy")
        np.testing.assert_array_equal(got, x)
        assert got.dtype == x.dtype.newbyteorder("=")
        assert got.flags.writeable and got.flags.c_contiguous
    np.testing.assert_array_equal(read_npy(npy_bytes(x), "a.npy", rows=3), x[:3])


@pytest.mark.parametrize("shape", [(), (0,), (0, 2), (3, 0)])
def test_arrays_without_elements_and_single_numbers(shape: tuple[int, ...]) -> None:
    assert read_npy(npy_bytes(np.zeros(shape)), "a.npy").shape == shape


def test_text_where_it_is_expected() -> None:
    words = np.array(["cat", "zebra", "été"])
    assert read_npy(npy_bytes(words), "a", kinds="US").tolist() == words.tolist()
    as_bytes = np.char.encode(words, "utf-8")
    assert read_npy(npy_bytes(as_bytes), "a", kinds="US").tolist() == as_bytes.tolist()
    refused(lambda: read_npy(npy_bytes(words), "a"), "a: expected numbers, got <U5")
    invalid = npy_header("(1,)", "'<U1'") + b"\xff" * 4
    refused(lambda: read_npy(invalid, "a", kinds="US"), "characters that do not exist")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_in_the_order_of_the_file(tmp_path: Path, save: Callable[..., None]) -> None:
    path = tmp_path / "a.npz"
    save(path, w=X, b=Y, a=X[0])
    got = read_npz(path)
    assert list(got) == ["w", "b", "a"]
    np.testing.assert_array_equal(got["w"], X)
    assert list(read_npz(path, keys=["b"])) == ["b"]
    refused(lambda: read_npz(path, keys=["c"]), "expected an array 'c', got w, b, a")
    refused(lambda: read_npz(path, "weights", keys=["c"]), "^weights: expected")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz")


HUGE = 1 << 40
WRONG_NPY = {
    "truncated": (npy_bytes(X)[:-1], r"truncated: .*\(4, 2, 3\) .* needs 96 bytes, got 95"),
    "longer": (npy_bytes(X) + b"\0", "more bytes than its header claims: .* got 97"),
    "claims": (npy_header("(4294967296,)") + bytes(9), "truncated: .* needs 4294967296 bytes"),
    "axis": (npy_header(f"({HUGE},)"), "expected up to 32 axes of 0 to 4294967296, got shape"),
    "axes": (npy_header("(" + "1," * 40 + ")"), "expected up to 32 axes"),
    "product": (npy_header("(" + "4294967296," * 20 + ")"), "truncated"),
    "empty": (npy_header("(0, 4294967296, 4294967296)"), "too large"),
    "negative": (npy_header("(-1,)"), "axes of 0 to"),
    "bool": (npy_header("(True,)"), "no tuple of integers"),
    "order": (npy_header("(1,)", order="2"), "its fortran_order is no bool"),
    "keys": (
        npy_header("(1,)").replace(b"shape", b"snake"),
        "expected shape, fortran_order and descr, got",
    ),
    "cut": (npy_bytes(X)[:20], "damaged .npy header"),
    "zeros": (npy_header("(1,\0)"), "damaged .npy header"),
    "deep": (npy_header("(" * 4000), "damaged .npy header"),
    "unary": (npy_header("-" * 9000 + "1"), "damaged .npy header"),
    "code": (npy_header("(exit(1),)"), "damaged .npy header"),
    "number": (npy_header("(" + "9" * 9000 + ",)"), "damaged .npy header"),
    "version": (b"\x93NUMPY\x09\x00" + bytes(64), "damaged .npy header"),
    "length": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(64), "at most 10000 bytes, got 4294"),
    "object": (npy_header("(1,)", "'|O'") + b"cbuiltins\nexit\n", "got Python objects"),
    "records": (npy_header("(1,)", "[('a', '<f4')]") + bytes(4), "got records"),
    "text": (npy_bytes(np.array(["a"])), "expected numbers, got <U1"),
    "complex": (npy_bytes(np.zeros(3, complex)), "expected numbers, got dtype '<c16'"),
    "nothing": (npy_header("(1,)", "'<U0'"), "expected numbers, got dtype"),
    "f3": (npy_header("(1,)", "'<f3'"), "expected numbers, got dtype '<f3'"),
    "no": (b"", "damaged .npy header"),
}


@pytest.mark.parametrize("name", WRONG_NPY)
def test_wrong_arrays_are_named(name: str) -> None:
    content, message = WRONG_NPY[name]
    refused(lambda: read_npy(content, "some.npy"), f"^some.npy.*{message}")


def test_a_limit_of_bytes() -> None:
    assert read_npy(npy_bytes(X), "a", 96).nbytes == 96
    refused(lambda: read_npy(npy_bytes(X), "a", 95), "expected at most 95 bytes at once, got 96")
    assert read_npy(npy_bytes(X), "a", 48, rows=2).nbytes == 48


def test_a_limit_of_bytes_is_for_all_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=X)
    size = 2 * len(npy_bytes(X))
    assert len(read_npz(path, limit=size)) == 2
    refused(lambda: read_npz(path, limit=100), r"\[y\]: expected at most")


def test_bytes_of_bool_are_true_or_false() -> None:
    got = read_npy(npy_header("(3,)", "'|b1'") + b"\0\1\2", "a")
    assert got.view(np.uint8).tolist() == [0, 1, 1]


# --- what is wrong with an archive ---


def lying(data: bytes, sizes: tuple[int, int]) -> bytes:
    """A zip of one member whose directory claims other sizes."""
    at = data.index(b"PK\x01\x02") + 20
    return data[:at] + struct.pack("<2I", *sizes) + data[at + 8 :]


ZEROS = 200_000_000


def bomb() -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w") as member,
    ):
        member.write(npy_header(f"({ZEROS},)"))
        for _ in range(200):
            member.write(bytes(1_000_000))
    return file.getvalue()


WHOLE = zip_bytes({"x": npy_bytes(X)})
STORED = zip_bytes({"x": npy_bytes(X)}, zipfile.ZIP_STORED)
WRONG_NPZ = {
    "not": (b"PK\x03\x04 and no more", "damaged .npz"),
    "cut": (WHOLE[:-30], "damaged .npz: its end is missing; was it cut off"),
    "name": (STORED[:26] + b"\xff\xff" + STORED[28:], r"\[x\]: damaged array: .{0,100}$"),
    "array": (zip_bytes({"x": b"text"}), r"\[x\]: damaged .npy header"),
    "crc": (STORED.replace(X.tobytes(), X.tobytes()[::-1]), r"\[x\]: damaged array: Bad CRC"),
    "claims": (lying(STORED, (224, 1 << 30)), r"unpacked from 224, got 1073741824"),
    "exceeds": (lying(STORED, (1 << 30, 1 << 30)), "overlap or exceed the file"),
    "header": (zip_bytes({"x": npy_header("(100000000,)")}), "truncated: .* got 0 after"),
    "lzma": (zip_bytes({"x": npy_bytes(X)}, zipfile.ZIP_LZMA), "stored or deflated, got 14"),
    "bomb": (bomb(), r"\[x\]: expected at most \d+ bytes unpacked .* save it uncompressed"),
    "directory": (
        zip_bytes({f"{i:0100d}": b"" for i in range(9000)}),
        "expected a directory of at most 1048576 bytes, got",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_NPZ)
def test_wrong_archives_are_named(tmp_path: Path, name: str) -> None:
    content, message = WRONG_NPZ[name]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    began = time.monotonic()
    peak = peak_of(lambda: refused(lambda: read_npz(path), f"^{path}.*{message}"))
    assert peak < 4 * len(content) + 16_000_000
    assert time.monotonic() - began < 5


def test_an_array_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning):
        archive.writestr("x.npy", npy_bytes(X))
        archive.writestr("x.npy", npy_bytes(X))
    refused(lambda: read_npz(path), "expected every array once, got x.npy twice")


def test_compressed_images_are_read(tmp_path: Path) -> None:
    """Mostly zero, as drawings are: ten times smaller, and of no other size in memory."""
    path = tmp_path / "a.npz"
    x = np.zeros((20_000, 32, 32), np.uint8)
    x[:, ::4, ::8] = np.random.default_rng(1).integers(0, 255, x[:, ::4, ::8].shape)
    np.savez_compressed(path, x=x)
    assert x.nbytes > 10 * path.stat().st_size
    np.testing.assert_array_equal(read_npz(path)["x"], x)
    assert peak_of(lambda: read_npz(path)) < 2 * x.nbytes


def test_names_are_safe_on_a_terminal() -> None:
    assert "\x1b" not in keys_text(["\x1b[2J", "y" * 1000])
    assert len(keys_text(["y" * 1000] * 1000)) < 2000


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_archives_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    blob = bytearray(data.draw(st.sampled_from([WHOLE, STORED])))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(blob[: data.draw(st.integers(0, len(blob)))])
    try:
        with open_npz(path) as file:
            arrays = [file.read(key) for key in file.keys]
    except DataError:
        return
    assert all(a.nbytes < 10 * len(WHOLE) for a in arrays)


def test_zip_claims_of_its_members_do_not_count_twice(tmp_path: Path) -> None:
    """The budget is that of what is read, so large files give their small arrays."""
    path = tmp_path / "a.npz"
    np.savez(path, big=np.zeros(100_000), small=Y)
    with open_npz(path) as file:
        assert file.keys == ("big", "small")
        np.testing.assert_array_equal(file.read("small"), Y)
    assert zlib.crc32(Y.tobytes()) == zlib.crc32(read_npz(path, keys=["small"])["small"].tobytes())
