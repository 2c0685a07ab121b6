"""Samples from files, and every way in which such a file can be wrong."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import ArgumentError, DataError
from byteprop.data import load_samples

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist/t10k-1000.npz"
X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
Y = np.array([3, 1, 0, 2], np.uint8)
HUGE = 2**40


def idx_bytes(array: npt.NDArray[np.generic], code: int = 0x08) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + shape + array.tobytes()


def npy_bytes(array: npt.NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(shape: str, descr: str = "'|u1'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def to(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to


# --- what is read ---


def test_the_images_in_the_repository() -> None:
    samples = load_samples(FASHION)
    assert (samples.x.shape, samples.x.dtype) == ((1000, 28, 28), np.uint8)
    assert samples.y is not None
    assert np.bincount(samples.y, minlength=10).tolist() == [
        107,
        105,
        111,
        93,
        115,
        87,
        97,
        95,
        95,
        95,
    ]
    assert len(load_samples(FASHION, limit=7)) == 7


@pytest.mark.parametrize("dtype", ["i1", "u1", "<f4", ">f4", "<f8", ">i2", "?"])
def test_npy(write, dtype: str) -> None:  # type: ignore[no-untyped-def]
    x = X.astype(dtype)
    samples = load_samples(write("a.npy", npy_bytes(x)))
    np.testing.assert_array_equal(samples.x, x)
    assert samples.x.dtype == x.dtype.newbyteorder("=")
    assert samples.y is None
    assert samples.x.flags.writeable and samples.x.flags.c_contiguous


def test_npy_in_fortran_order(write) -> None:  # type: ignore[no-untyped-def]
    path = write("a.npy", npy_bytes(np.asfortranarray(X)))
    np.testing.assert_array_equal(load_samples(path).x, X)
    np.testing.assert_array_equal(load_samples(path, limit=3).x, X[:3])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("arr_0", "arr_1")])
def test_npz(tmp_path: Path, save, names: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.npz"
    save(path, **dict(zip(names, (X, Y), strict=True)))
    samples = load_samples(path)
    np.testing.assert_array_equal(samples.x, X)
    np.testing.assert_array_equal(samples.y, Y)


def test_npz_finds_names_in_any_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", other=Y, y=Y, x=X)
    np.testing.assert_array_equal(load_samples(tmp_path / "a.npz").x, X)
    np.savez(tmp_path / "b.npz", X)
    assert load_samples(tmp_path / "b.npz").y is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_idx_finds_its_labels(write, pack) -> None:  # type: ignore[no-untyped-def]
    suffix = ".gz" if pack is gzip.compress else ""
    path = write("t10k-images-idx3-ubyte" + suffix, pack(idx_bytes(X.astype(np.uint8))))
    assert load_samples(path).y is None
    write("t10k-labels-idx1-ubyte", idx_bytes(Y))
    samples = load_samples(path)
    np.testing.assert_array_equal(samples.x, X)
    np.testing.assert_array_equal(samples.y, Y)
    assert len(load_samples(path, limit=2)) == 2


def test_idx_of_other_types(write) -> None:  # type: ignore[no-untyped-def]
    for code, dtype in ((0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")):
        path = write("a.idx", idx_bytes(X.astype(dtype), code))
        np.testing.assert_array_equal(load_samples(path).x, X)


@pytest.mark.parametrize("title", ["a,label,b", "a,Y,b", 'a," y ",b'])
def test_csv_with_labels(write, title: str) -> None:  # type: ignore[no-untyped-def]
    samples = load_samples(write("a.csv", f"{title}\n1,7,2.5\n\n-3,8,1e2\n"))
    np.testing.assert_array_equal(samples.x, np.float32([[1, 2.5], [-3, 100]]))
    assert samples.x.dtype == np.float32
    assert samples.y is not None
    assert (samples.y.tolist(), samples.y.dtype) == ([7, 8], np.int64)


def test_csv_without_labels(write) -> None:  # type: ignore[no-untyped-def]
    for text in ("1,2\r\n3,4\r\n", "a,b\n1,2\n3,4", "\ufeffa,b\n1,2\n3,4\n"):
        samples = load_samples(write("a.csv", text))
        assert samples.x.tolist() == [[1, 2], [3, 4]]
        assert samples.y is None
    assert load_samples(write("a.csv", "1,2\n3,4\nx,y\n"), limit=2).x.tolist() == [[1, 2], [3, 4]]
    assert load_samples(write("a.csv", "1,2\n3,4\n"), limit=0).x.shape == (0, 2)


def test_csv_with_target_values(write) -> None:  # type: ignore[no-untyped-def]
    y = load_samples(write("a.csv", "x,y\n1,0.5\n2,1\n")).y
    assert y is not None
    assert (y.tolist(), y.dtype) == ([0.5, 1.0], np.float32)


# --- what is refused ---


def npz_bytes(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


WRONG = {
    "truncated.npy": (
        npy_bytes(X)[:-1],
        r"truncated: shape \(4, 2, 3\) of float32 needs 96 bytes.* 95 ",
    ),
    "huge.npy": (npy_header(f"({HUGE},)") + bytes(9), "truncated: .* needs 1099511627776 bytes"),
    "overflow.npy": (npy_header(f"({HUGE}, {HUGE}, {HUGE})"), "truncated"),
    "header.npy": (npy_bytes(X)[:20], "damaged .npy header"),
    "zeros.npy": (npy_header("(1,\0)"), "damaged .npy header"),
    "deep.npy": (npy_header("(" * 4000), "damaged .npy header"),
    "code.npy": (npy_header("(exit(1),)"), "damaged .npy header"),
    "negative.npy": (npy_header("(-1, 3)") + bytes(9), r"shape \(-1, 3\) has no samples"),
    "flat.npy": (npy_header(f"({HUGE**2}, 0)"), "no samples of at least one element"),
    "flat.idx": (idx_bytes(np.zeros((4, 0), np.uint8)), "no samples of at least one element"),
    "version.npy": (b"\x93NUMPY\x09\x00" + bytes(64), "damaged .npy header"),
    "object.npy": (
        npy_header("(1,)", "'|O'") + pickle.dumps([1]),
        "holds object; numbers are wanted",
    ),
    "text.npy": (npy_bytes(np.array(["a"])), "holds <U1; numbers"),
    "complex.npy": (npy_bytes(np.zeros(3, complex)), "holds complex128; numbers"),
    "scalar.npy": (npy_bytes(np.float32(1)), "batch axis is wanted"),
    "empty.npz": (npz_bytes(), "not .npy, .npz|holds no arrays"),
    "none.npz": (npz_bytes(x=b"not an array"), r"none.npz\[x.npy\]: damaged .npy header"),
    "short.npz": (npz_bytes(x=npy_header(f"({HUGE},)")), r"short.npz\[x.npy\]: truncated"),
    "cut.npz": (npz_bytes(x=npy_bytes(X))[:-30], "damaged .npz"),
    "count.npz": (npz_bytes(x=npy_bytes(X), y=npy_bytes(Y[:3])), "4 samples and 3 labels"),
    "truncated.idx": (idx_bytes(X.astype("u1"))[:-1], "truncated: 24 bytes are announced, 23"),
    "header.idx": (idx_bytes(X.astype("u1"))[:9], "truncated: 12 bytes are announced, 5"),
    "huge.idx": (bytes([0, 0, 8, 2]) + b"\xff" * 8, "bytes; up to 4294967296 are read at once"),
    "long.idx": (idx_bytes(Y) + b"\0", "more bytes than its header announces"),
    "truncated.gz": (gzip.compress(idx_bytes(Y))[:-9], "damaged .gz|truncated"),
    "crc.gz": (gzip.compress(idx_bytes(Y))[:-8] + bytes(8), "damaged .gz"),
    "other.gz": (gzip.compress(b"text"), "not an IDX file; its content begins with b'text'"),
    "empty.csv": ("", "the file is empty"),
    "ragged.csv": ("1,2\n3,4,5\n", "line 2: 3 columns; the first line has 2"),
    "word.csv": ("1,2\n3,four\n", "line 2, column 2: 'four' is not a finite number"),
    "nan.csv": ("a,b\n1,2\nnan,3\n", "line 3, column 1: 'nan' is not"),
    "latin.csv": (b"a,b\n\xe9,1\n", "not readable as .csv"),
    "unknown.bin": (b"hello", r"not .npy, .npz, IDX \(.gz\) or .csv; .* b'hello'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_named(write, name: str) -> None:  # type: ignore[no-untyped-def]
    content, message = WRONG[name]
    path = write(name, content)
    with pytest.raises(DataError, match=message) as raised:
        load_samples(path)
    assert str(path) in str(raised.value)


def test_labels_of_another_length_are_refused(write) -> None:  # type: ignore[no-untyped-def]
    path = write("a-images", idx_bytes(X.astype(np.uint8)))
    write("a-labels", idx_bytes(Y[:3]))
    with pytest.raises(DataError, match="4 samples and 3 labels"):
        load_samples(path)


def test_no_samples_at_all(write) -> None:  # type: ignore[no-untyped-def]
    for name, content in (("a.npy", npy_bytes(X[:0])), ("a.idx", idx_bytes(X[:0].astype("u1")))):
        assert load_samples(write(name, content)).x.shape == (0, 2, 3)
        assert load_samples(write(name, content), limit=0).x.shape == (0, 2, 3)


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="limit: wanted 0 or more, given -1"):
        load_samples(FASHION, limit=-1)
    with pytest.raises(FileNotFoundError):
        load_samples(tmp_path / "missing.npy")


@given(st.data(), st.sampled_from(["a.npy", "a.npz", "a.idx", "a.idx.gz", "a.csv"]))
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str
) -> None:
    whole = {
        "a.npy": npy_bytes(X),
        "a.npz": npz_bytes(x=npy_bytes(X), y=npy_bytes(Y)),
        "a.idx": idx_bytes(X.astype(np.uint8)),
        "a.idx.gz": gzip.compress(idx_bytes(X.astype(np.uint8)), mtime=0),
        "a.csv": b"a,label\n1,2\n3.5,4\n",
    }[name]
    blob = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(blob[: data.draw(st.integers(0, len(blob)))])
    try:
        samples = load_samples(path)
    except DataError:
        return
    assert samples.x.nbytes < 10 * len(whole)
