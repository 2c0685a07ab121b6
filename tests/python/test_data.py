"""Samples from files, and every way in which such a file can be wrong."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import ArgumentError, DataError
from byteprop.data import load_labels, load_samples
from test_npz import npy_bytes, npy_header, peak_of

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist/t10k-1000.npz"
X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
Y = np.array([3, 1, 0, 2], np.uint8)


def idx_bytes(array: npt.NDArray[np.generic], code: int = 0x08) -> bytes:
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + shape + array.tobytes()


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


# --- arrays of an .npz by their names ---


@pytest.mark.parametrize(
    ("names", "split", "expected"),
    [
        ("x y", None, "x y"),
        ("y x other", None, "x y"),
        ("X Y", None, "X Y"),
        ("images labels", None, "images labels"),
        ("data target", None, "data target"),
        ("arr_0 arr_1", None, "arr_0 arr_1"),
        ("arr_0", None, "arr_0"),
        ("anything", None, "anything"),
        ("features classes note", None, "features classes"),
        ("x_train y_train", None, "x_train y_train"),
        ("x_test x_train y_train y_test", "train", "x_train y_train"),
        ("x_test x_train y_train y_test", "test", "x_test y_test"),
        ("x_test x_train y_train", "test", "x_test"),
        ("train_images train_labels val_images val_labels", "val", "val_images val_labels"),
        ("trainImages trainLabels testImages testLabels", "test", "testImages testLabels"),
        ("Xtrain ytrain Xvalid yvalid", "val", "Xvalid yvalid"),
    ],
)
def test_arrays_are_paired_by_name(
    tmp_path: Path, names: str, split: str | None, expected: str
) -> None:
    keys = names.split()
    np.savez(tmp_path / "a.npz", **{k: np.full(5, i) for i, k in enumerate(keys)})
    samples = load_samples(tmp_path / "a.npz", split=split)
    x_key, *y_key = expected.split()
    assert samples.x.tolist() == [keys.index(x_key)] * 5
    assert (samples.y is None) == (not y_key)
    if samples.y is not None:
        assert samples.y.tolist() == [keys.index(y_key[0])] * 5


@pytest.mark.parametrize(
    ("names", "split", "message"),
    [
        ("x_test x_train y_train y_test", None, "--split train or test chooses"),
        ("x y x_test y_test", None, "--split test chooses"),
        ("x_test x_train y_train y_test", "val", "arrays of the part 'val', got x_test, x_train"),
        ("x y", "train", "arrays of the part 'train', got x, y"),
        ("one two", None, "expected arrays named x and y, .*, got one, two"),
        ("arr_0 arr_1 arr_2 arr_3", None, "expected arrays named .*got arr_0, arr_1, arr_2"),
        ("x images y", None, "x, images are equally good names; .* got x, images, y"),
        ("x y labels", None, "y, labels are equally good names"),
        ("y", None, "expected arrays named .*, got y"),
    ],
)
def test_arrays_in_doubt_are_listed(
    tmp_path: Path, names: str, split: str | None, message: str
) -> None:
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names.split(), Y))
    with pytest.raises(DataError, match=message):
        load_samples(tmp_path / "a.npz", split=split)


def test_words_become_classes_in_sorted_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, y=["dog", "cat", "dog", "bird"])
    for limit, expected in ((None, [2, 1, 2, 0]), (1, [2])):
        samples = load_samples(tmp_path / "a.npz", limit=limit)
        assert samples.y is not None
        assert samples.y.tolist() == expected
        assert samples.classes == ("bird", "cat", "dog")


# --- labels in a file of their own ---


def test_labels_of_every_format(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    np.savez(tmp_path / "only.npz", anything=Y)
    np.savez(tmp_path / "named.npz", x=X, labels=Y)
    np.savez(tmp_path / "parts.npz", y_train=Y, y_test=Y[:2])
    for path in (
        write("y.npy", npy_bytes(Y)),
        write("y.idx", idx_bytes(Y)),
        write("title.csv", "label\n3\n1\n0\n2\n"),
        write("other.csv", "species\n3\n1\n0\n2\n"),
        write("none.csv", "3\n1\n0\n2\n"),
        write("ids.csv", "id,label\n10,3\n11,1\n12,0\n13,2\n"),
        tmp_path / "only.npz",
        tmp_path / "named.npz",
    ):
        labels = load_labels(path)
        assert labels.y.tolist() == [3, 1, 0, 2]
        assert labels.classes is None
        assert load_labels(path, limit=2).y.tolist() == [3, 1]
    assert load_labels(tmp_path / "parts.npz", split="test").y.tolist() == [3, 1]
    with pytest.raises(DataError, match="--split train or test chooses"):
        load_labels(tmp_path / "parts.npz")


def test_words_as_labels(write) -> None:  # type: ignore[no-untyped-def]
    for path in (
        write("a.npy", npy_bytes(np.array(["no", "yes", "no"]))),
        write("a.csv", "label\nno\nyes\nno\n"),
        write("b.csv", "no\nyes\nno\n"),
    ):
        labels = load_labels(path)
        assert labels.y.tolist() == [0, 1, 0]
        assert labels.classes == ("no", "yes")


def test_words_in_bytes_are_numbered_alike(write) -> None:  # type: ignore[no-untyped-def]
    words = np.array(["zoë", "ant", "été", "ant"])
    as_bytes = np.char.encode(words, "utf-8")
    for array in (words, as_bytes, np.tile(as_bytes, 300_000)):
        path = write("a.npy", npy_bytes(array))
        labels = load_labels(path)
        assert labels.y[:4].tolist() == [1, 0, 2, 0]
        assert labels.classes == ("ant", "zoë", "été")
    assert peak_of(lambda: load_labels(path)) < 4 * path.stat().st_size + 16_000_000
    letters = write("c.npy", npy_bytes(np.tile(np.array([b"b", b"a"]), 2_000_000)))
    assert peak_of(lambda: load_labels(letters)) < 4 * letters.stat().st_size + 16_000_000
    too_many = write("d.npy", npy_bytes(np.arange(65_537).astype(np.str_)))
    with pytest.raises(DataError, match=r"d.npy: expected at most 65536 different labels"):
        load_labels(too_many)
    assert load_labels(write("b.npy", npy_bytes(np.array([b"caf\xe9"])))).classes == (r"caf\xe9",)


def test_one_hot_labels_are_a_row_per_sample(write) -> None:  # type: ignore[no-untyped-def]
    labels = load_labels(write("a.csv", "a,b\n0,1\n1,0\n1,0\n"))
    assert labels.y.tolist() == [[0, 1], [1, 0], [1, 0]]


# --- what is refused ---


def zip_of(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "text")
    return file.getvalue()


def npz_bytes(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


WRONG = {
    "truncated.npy": (npy_bytes(X)[:-1], r"truncated: shape \(4, 2, 3\) .* got 95"),
    "text.npy": (npy_bytes(np.array(["a"])), "expected numbers, got <U1"),
    "scalar.npy": (npy_bytes(np.float32(1)), "expected an array with a batch axis"),
    "flat.npy": (npy_bytes(np.zeros((3, 0))), "no samples of at least one element"),
    "empty.npz": (npz_bytes(), "begins with b'PK|an archive without any"),
    "no.npz": (zip_of("word/document.xml"), "expected an .npz with arrays, got an archive"),
    "none.npz": (npz_bytes(x=b"not an array"), r"none.npz\[x\]: damaged .npy header"),
    "short.npz": (npz_bytes(x=npy_header("(9,)")), r"short.npz\[x\]: truncated"),
    "cut.npz": (npz_bytes(x=npy_bytes(X))[:-30], "damaged .npz"),
    "count.npz": (npz_bytes(x=npy_bytes(X), y=npy_bytes(Y[:3])), "got 4 samples and 3 labels"),
    "truncated.idx": (idx_bytes(X.astype("u1"))[:-1], "truncated: expected 24 bytes, got 23"),
    "header.idx": (idx_bytes(X.astype("u1"))[:9], "truncated: expected 12 bytes, got 5"),
    "huge.idx": (bytes([0, 0, 8, 2]) + b"\xff" * 8, "expected at most 4294967296 bytes at once"),
    "nothing.idx": (bytes([0, 0, 8, 3]) + bytes(4) + b"\xff" * 8, "at most 4294967296 bytes"),
    "flat.idx": (idx_bytes(np.zeros((4, 0), np.uint8)), "no samples of at least one element"),
    "long.idx": (idx_bytes(Y) + b"\0", "more bytes than its header claims"),
    "claims.idx": (bytes([0, 0, 8, 1, 255, 0, 0, 0, 1]), "truncated: .* 4278190080 bytes, got 1"),
    "truncated.gz": (gzip.compress(idx_bytes(Y))[:-9], "damaged .gz|truncated"),
    "crc.gz": (gzip.compress(idx_bytes(Y))[:-8] + bytes(8), "damaged .gz"),
    "other.gz": (gzip.compress(b"text"), "expected IDX, got content that begins with b'text'"),
    "bomb.gz": (
        gzip.compress(idx_bytes(np.zeros((50_000, 1000), np.uint8))),
        r"expected at most 16000000 bytes unpacked from \d+, got 50000000",
    ),
    "unknown.bin": (
        b"hello",
        r"expected .npy, .npz, IDX or .csv \(.gz\), an image or .wav, got .* b'hello'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_named(write, name: str) -> None:  # type: ignore[no-untyped-def]
    content, message = WRONG[name]
    path = write(name, content)

    def load() -> None:
        with pytest.raises(DataError, match=message) as raised:
            load_samples(path)
        assert str(path) in str(raised.value)

    assert peak_of(load) < 4 * len(content) + 16_000_000


def test_labels_of_another_length_are_refused(write) -> None:  # type: ignore[no-untyped-def]
    path = write("a-images", idx_bytes(X.astype(np.uint8)))
    write("a-labels", idx_bytes(Y[:3]))
    with pytest.raises(DataError, match="got 4 samples and 3 labels"):
        load_samples(path)


def test_no_samples_at_all(write) -> None:  # type: ignore[no-untyped-def]
    for name, content in (("a.npy", npy_bytes(X[:0])), ("a.idx", idx_bytes(X[:0].astype("u1")))):
        assert load_samples(write(name, content)).x.shape == (0, 2, 3)
        assert load_samples(write(name, content), limit=0).x.shape == (0, 2, 3)


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="limit: expected 0 or more, got -1"):
        load_samples(FASHION, limit=-1)
    with pytest.raises(ArgumentError, match="split: expected train, test, val, got 'all'"):
        load_samples(FASHION, split="all")
    with pytest.raises(ArgumentError, match=r"header: expected a .csv, got .*t10k-1000.npz"):
        load_samples(FASHION, header=True)
    with pytest.raises(FileNotFoundError):
        load_samples(tmp_path / "missing.npy")


@given(st.data(), st.sampled_from(["a.npy", "a.npz", "a.idx", "a.idx.gz", "a.csv", "b.csv"]))
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
        "b.csv": b'a;b;"c d"\r\n1,5;2;cat\r\n"1";2,5;dog\r\n',
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
