"""Samples from files: .npy, .npz, IDX (also .gz) and .csv.

Nothing is unpickled, and no more memory is taken than the file really holds or the caller wants.
What a file is, is told by its first bytes; only .csv by its name.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError, DataError

PathLike = str | os.PathLike[str]
Array = npt.NDArray[Any]

_MAX_BYTES = 2**32
_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_MAGIC = b"\x1f\x8b"
_SAMPLE_KEYS = ("x", "images")
_LABEL_KEYS = ("y", "labels")
_LABEL_COLUMNS = ("label", "y")
_IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_IDX_DIMS = 8
# NumPy reads a header as a Python literal; this is what that makes of other text.
_HEADER_ERRORS = (
    ValueError, EOFError, SyntaxError, TypeError, KeyError, OverflowError, MemoryError,
    RecursionError, tokenize.TokenError,
)  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """x: batch first. y: labels or target values, one a sample, when the file has them."""

    x: Array
    y: Array | None = None

    def __len__(self) -> int:
        return len(self.x)


def load_samples(path: PathLike, *, limit: int | None = None) -> Samples:
    """The first `limit` samples of a file (all when None).

    .npy: samples. .npz: arrays x and y, or images and labels, or the first array and the second.
    IDX: `...images...` finds `...labels...` beside it. .csv: real numbers, one sample a line; a
    column titled label or y holds the labels. DataError says what is wrong with a file, and where.
    """
    if limit is not None and limit < 0:
        raise ArgumentError(f"limit: wanted 0 or more, given {limit}")
    source = Path(path)
    samples = _load(source, limit)
    if samples.y is not None and len(samples.y) != len(samples.x):
        raise DataError(f"{source}: {len(samples.x)} samples and {len(samples.y)} labels")
    return samples


def _load(path: Path, limit: int | None) -> Samples:
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_NPY_MAGIC):
        return Samples(_load_npy(path, limit))
    if head.startswith(_ZIP_MAGIC):
        return _load_npz(path, limit)
    if head.startswith(_GZIP_MAGIC) or _looks_like_idx(head):
        return _load_idx_pair(path, limit)
    if path.suffix.lower() == ".csv":
        return _load_csv(path, limit)
    raise DataError(f"{path}: not .npy, .npz, IDX (.gz) or .csv; the file begins with {head!r}")


# ------------------------------------------------------------------------------------------- NumPy


def _load_npy(path: Path, limit: int | None) -> Array:
    with path.open("rb") as file:
        return _read_npy(file, str(path), path.stat().st_size, limit)


def _load_npz(path: Path, limit: int | None) -> Samples:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".npy")]
            x_name, y_name = _choose_arrays(path, names)
            x = _read_member(archive, path, x_name, limit)
            return Samples(x, _read_member(archive, path, y_name, limit) if y_name else None)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: damaged .npz: {error}") from None


def _choose_arrays(path: Path, names: list[str]) -> tuple[str, str | None]:
    keys = [n.removesuffix(".npy") for n in names]
    for x_key, y_key in zip(_SAMPLE_KEYS, _LABEL_KEYS, strict=True):
        if x_key in keys:
            return f"{x_key}.npy", f"{y_key}.npy" if y_key in keys else None
    if not names:
        raise DataError(f"{path}: the archive holds no arrays")
    return names[0], names[1] if len(names) > 1 else None


def _read_member(archive: zipfile.ZipFile, path: Path, name: str, limit: int | None) -> Array:
    with archive.open(name) as file:
        return _read_npy(file, f"{path}[{name}]", archive.getinfo(name).file_size, limit)


def _read_npy(file: IO[bytes], where: str, size: int, limit: int | None) -> Array:
    """Reads only the rows that are wanted, after comparing the header with the size."""
    shape, fortran_order, dtype = _npy_header(file, where)
    if dtype.kind not in "biuf":
        raise DataError(f"{where}: holds {dtype}; numbers are wanted")
    _check_shape(shape, where)
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    needed = shape[0] * row_bytes
    if needed > size - file.tell():
        raise DataError(
            f"{where}: truncated: shape {shape} of {dtype} needs {needed} bytes, "
            f"the file has {max(size - file.tell(), 0)} after its header"
        )
    n = shape[0] if limit is None or fortran_order else min(limit, shape[0])
    flat = np.frombuffer(_read_exactly(file, n * row_bytes, where), dtype)
    x = flat.reshape(shape[::-1]).T if fortran_order else flat.reshape((n, *shape[1:]))
    return _native(x[:limit])


def _check_shape(shape: tuple[int, ...], where: str) -> None:
    if not shape:
        raise DataError(f"{where}: holds one number; an array with a batch axis is wanted")
    if shape[0] < 0 or any(d < 1 for d in shape[1:]):
        raise DataError(f"{where}: shape {shape} has no samples of at least one element")


def _npy_header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    numpy_format: Any = np.lib.format  # has no types
    readers = {
        (1, 0): numpy_format.read_array_header_1_0,
        (2, 0): numpy_format.read_array_header_2_0,
    }
    try:
        version = numpy_format.read_magic(file)
        if version not in readers:
            raise ValueError(f"version {version} is unknown")
        shape, fortran_order, dtype = readers[version](file)
    except _HEADER_ERRORS as error:
        raise DataError(f"{where}: damaged .npy header: {error}") from None
    return shape, fortran_order, dtype


def _read_exactly(file: IO[bytes] | gzip.GzipFile, n_bytes: int, where: str) -> bytes:
    if n_bytes > _MAX_BYTES:
        raise DataError(f"{where}: {n_bytes} bytes; up to {_MAX_BYTES} are read at once, use limit")
    data = file.read(n_bytes)
    if len(data) < n_bytes:
        raise DataError(f"{where}: truncated: {n_bytes} bytes are announced, {len(data)} are there")
    return data


def _native(x: Array) -> Array:
    """C order, the machine's byte order, own memory."""
    return np.array(x, dtype=x.dtype.newbyteorder("="), order="C")


# --------------------------------------------------------------------------------------------- IDX


def _looks_like_idx(head: bytes) -> bool:
    return (
        len(head) >= 4 and head[:2] == b"\0\0" and head[2] in _IDX_DTYPES
        and 1 <= head[3] <= _MAX_IDX_DIMS
    )  # fmt: skip


def _load_idx_pair(path: Path, limit: int | None) -> Samples:
    labels = _labels_beside(path)
    return Samples(_load_idx(path, limit), _load_idx(labels, limit) if labels else None)


def _labels_beside(path: Path) -> Path | None:
    """`t10k-labels-idx1-ubyte.gz` for `t10k-images-idx3-ubyte.gz`, packed or not."""
    if "images" not in path.name:
        return None
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    other = name.removesuffix(".gz") if name.endswith(".gz") else name + ".gz"
    return next((p for p in (path.with_name(name), path.with_name(other)) if p.exists()), None)


def _load_idx(path: Path, limit: int | None) -> Array:
    try:
        with _open_idx(path) as file:
            return _read_idx(file, str(path), limit)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: damaged .gz: {error}") from None


def _open_idx(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if packed else path.open("rb")


def _read_idx(file: BinaryIO | gzip.GzipFile, where: str, limit: int | None) -> Array:
    head = file.read(4)
    if not _looks_like_idx(head):
        raise DataError(f"{where}: not an IDX file; its content begins with {head!r}")
    dtype = np.dtype(_IDX_DTYPES[head[2]])
    shape = struct.unpack(f">{head[3]}I", _read_exactly(file, 4 * head[3], where))
    _check_shape(shape, where)
    n = shape[0] if limit is None else min(limit, shape[0])
    data = _read_exactly(file, n * math.prod(shape[1:]) * dtype.itemsize, where)
    if n == shape[0] and file.read(1):
        raise DataError(f"{where}: has more bytes than its header announces for shape {shape}")
    return _native(np.frombuffer(data, dtype).reshape((n, *shape[1:])))


# --------------------------------------------------------------------------------------------- CSV


def _load_csv(path: Path, limit: int | None) -> Samples:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = _csv_rows(path, file)
            return _samples_of_rows(path, rows, limit)
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}: not readable as .csv: {error}") from None


def _csv_rows(path: Path, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells; empty lines are left out."""
    reader = csv.reader(file)
    for row in reader:
        if row:
            yield reader.line_num, row


def _samples_of_rows(
    path: Path, rows: Iterator[tuple[int, list[str]]], limit: int | None
) -> Samples:
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty")
    label_at: int | None = None
    samples: list[npt.NDArray[np.float64]] = []
    if _is_title(first[1]):
        label_at = _label_column(first[1])
    elif limit != 0:
        samples.append(_csv_sample(path, *first, len(first[1])))
    for line, row in rows:
        if limit is not None and len(samples) >= limit:
            break
        samples.append(_csv_sample(path, line, row, len(first[1])))
    table = np.array(samples, np.float64).reshape(len(samples), len(first[1]))
    if label_at is None:
        return Samples(table.astype(np.float32))
    x = np.delete(table, label_at, axis=1).astype(np.float32)
    return Samples(x, _csv_labels(table[:, label_at]))


def _is_title(row: list[str]) -> bool:
    return not all(_is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_column(titles: list[str]) -> int | None:
    lowered = [title.strip().lower() for title in titles]
    return next((lowered.index(name) for name in _LABEL_COLUMNS if name in lowered), None)


def _csv_sample(path: Path, line: int, row: list[str], width: int) -> npt.NDArray[np.float64]:
    if len(row) != width:
        raise DataError(f"{path}, line {line}: {len(row)} columns; the first line has {width}")
    for column, cell in enumerate(row, start=1):
        if not (_is_number(cell) and math.isfinite(float(cell))):
            where = f"{path}, line {line}, column {column}"
            raise DataError(f"{where}: {cell!r} is not a finite number")
    return np.array(row, np.float64)


def _csv_labels(values: npt.NDArray[np.float64]) -> Array:
    """Whole numbers are classes, others target values."""
    if np.array_equal(values, np.trunc(values)):
        return values.astype(np.int64)
    return values.astype(np.float32)
