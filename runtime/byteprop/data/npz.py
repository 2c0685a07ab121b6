"""Reads .npy and .npz from anybody: nothing is unpickled, and every size is checked before memory
follows it.

An array takes the bytes that its file really has, never those that a header only claims. What a
compressed file unpacks to is limited by its size: see `check_unpacked`.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import io
import math
import os
import re
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from byteprop.data.words import shown
from byteprop.errors import DataError

Array = npt.NDArray[Any]
PathLike = str | os.PathLike[str]

MAX_BYTES = 1 << 32
NUMBERS = "biuf"
TEXT = "US"

_MAX_RATIO = 100  # compressed images have about 10
_ALWAYS_UNPACKED = 16_000_000
_MAGIC = b"\x93NUMPY"
_LENGTHS = {  # by version
    b"\x01\x00": struct.Struct("<H"),
    b"\x02\x00": struct.Struct("<I"),
    b"\x03\x00": struct.Struct("<I"),
}
_MAX_HEADER = 10_000
_MAX_DIMS = 32
_DESCR = re.compile(r"[<>|=]?(b1|[iu][1248]|f\d{1,2}|[US][1-9]\d{0,4})")
_CHUNK = 1 << 20
_MAX_DIRECTORY = 1 << 20  # of a zip: 10,000 arrays and more
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error,
    ValueError, OverflowError,
)  # fmt: skip


def read_npy(
    source: bytes | IO[bytes],
    what: str,
    limit: int = MAX_BYTES,
    *,
    kinds: str = NUMBERS,
    rows: int | None = None,
) -> Array:
    """The array of an .npy file, in C order and the machine's byte order.

    source: the bytes of the file, or a seekable file that stands at its beginning. what: the name
    in messages. limit: most bytes that the array may take. kinds: dtype kinds that are read. rows:
    only so many of the first axis. DataError says what is wrong with the file.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    return _read_array(file, what, size, limit, kinds, rows)


def read_npz(
    path: PathLike, what: str | None = None, keys: Sequence[str] | None = None, *,
    limit: int = MAX_BYTES, kinds: str = NUMBERS,
) -> dict[str, Array]:  # fmt: skip
    """The arrays of an .npz file by key, in the order of the file; only `keys` when given.

    what: the name of the file in messages. limit: most bytes that the arrays may take together.
    DataError says what is wrong with the file, and in which array.
    """
    with open_npz(path, what, limit=limit) as file:
        return {k: file.read(k, kinds=kinds) for k in (file.keys if keys is None else keys)}


class Npz:
    """An open .npz file. keys: the names of its arrays, in the order of the file."""

    def __init__(self, archive: zipfile.ZipFile, what: str, size: int, limit: int) -> None:
        self._archive, self._what, self._size, self._limit = archive, what, size, limit
        names = [n for n in archive.namelist() if n.endswith(".npy")]
        if len(set(names)) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise DataError(f"{what}: expected every array once, got {shown(twice)} twice")
        self._members = {n.removesuffix(".npy"): archive.getinfo(n) for n in names}
        self.keys = tuple(self._members)
        self._packed = self._unpacked = 0

    def read(self, key: str, *, kinds: str = NUMBERS, rows: int | None = None) -> Array:
        """One array, or its first `rows` rows."""
        member = self._members.get(key)
        if member is None:
            raise DataError(f"{self._what}: expected an array {key!r}, got {keys_text(self.keys)}")
        what = f"{self._what}[{shown(key)}]"
        self._check_member(member, what)
        with _damage_named(what, "array"), self._archive.open(member) as file:
            limit = self._limit - self._unpacked + member.file_size
            return _read_array(file, what, member.file_size, limit, kinds, rows)

    def _check_member(self, member: zipfile.ZipInfo, what: str) -> None:
        if member.compress_type not in _METHODS:
            raise DataError(
                f"{what}: expected the method stored or deflated, got {member.compress_type}; "
                "numpy.savez writes such a file"
            )
        self._packed += member.compress_size
        self._unpacked += member.file_size
        if self._packed > self._size:
            raise DataError(f"{what}: damaged .npz: its arrays overlap or exceed the file")
        check_unpacked(self._unpacked, self._packed, what)


@contextlib.contextmanager
def open_npz(path: PathLike, what: str | None = None, *, limit: int = MAX_BYTES) -> Iterator[Npz]:
    """An .npz file to read arrays from, as often as once each."""
    what = what or str(Path(path))
    with _Bounded(path) as file:
        with _damage_named(what, ".npz"):
            if not zipfile.is_zipfile(file):
                raise DataError(f"{what}: damaged .npz: its end is missing; was it cut off?")
            archive = zipfile.ZipFile(file)
        with archive:
            file.most = None
            yield Npz(archive, what, os.fstat(file.fileno()).st_size, limit)


class _Bounded(io.FileIO):
    """A file that refuses to give much at once: zipfile reads a directory of any size in one piece,
    and makes objects of ten times its size from it."""

    most: int | None = _MAX_DIRECTORY

    def __init__(self, path: PathLike) -> None:
        super().__init__(os.fspath(path), "r")

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise DataError(
                f"{self.name}: expected a directory of at most {self.most} bytes, got {size}"
            )
        data = super().read(-1 if size is None else size)
        return b"" if data is None else data


def keys_text(keys: Sequence[str]) -> str:
    """Names of arrays for a message, however many and however strange they are."""
    first = ", ".join(shown(k) for k in keys[:20])
    rest = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
    return f"{first}{rest}" if keys else "no arrays"


def check_unpacked(unpacked: int, packed: int, what: str) -> None:
    """Refuses a file that was made to fill the memory: what it unpacks to may be 16 MB, or 100
    times the compressed bytes."""
    most = max(_ALWAYS_UNPACKED, _MAX_RATIO * packed)
    if unpacked > most:
        raise DataError(
            f"{what}: expected at most {most} bytes unpacked from {packed}, got {unpacked}; "
            "save it uncompressed if it is yours"
        )


def read_exactly(file: Any, n_bytes: int, what: str) -> bytearray:
    """n_bytes of a file; no more memory than it really has, whatever was claimed."""
    data = bytearray()
    while len(data) < n_bytes:
        chunk = file.read(min(_CHUNK, n_bytes - len(data)))
        if not chunk:
            raise DataError(f"{what}: truncated: expected {n_bytes} bytes, got {len(data)}")
        data += chunk
    return data


def _read_array(
    file: IO[bytes], what: str, size: int, limit: int, kinds: str, rows: int | None
) -> Array:
    shape, fortran_order, dtype = _header(file, what)
    if dtype.kind not in kinds:
        raise DataError(f"{what}: expected numbers, got {dtype}")
    needed = math.prod(shape) * dtype.itemsize
    there = size - file.tell()
    if needed != there:
        problem = "truncated" if there < needed else "more bytes than its header claims"
        raise DataError(
            f"{what}: {problem}: shape {_shape_text(shape)} of {dtype} needs {needed} bytes, "
            f"got {max(there, 0)} after the header"
        )
    kept = shape if rows is None else (*(min(rows, d) for d in shape[:1]), *shape[1:])
    taken = shape if fortran_order else kept
    n_bytes = math.prod(taken) * dtype.itemsize
    if n_bytes > limit:
        raise DataError(f"{what}: expected at most {limit} bytes at once, got {n_bytes}")
    flat = np.frombuffer(read_exactly(file, n_bytes, what), dtype)
    array = flat.reshape(taken[::-1]).T if fortran_order else flat.reshape(taken)
    return _plain(array[: kept[0]] if shape else array, what)


def _header(file: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    magic = file.read(8)
    length = _LENGTHS.get(magic[6:])
    if not magic.startswith(_MAGIC) or length is None:
        raise DataError(f"{what}: damaged .npy header: it begins with {magic!r}")
    (n,) = length.unpack(read_exactly(file, length.size, f"{what}: damaged .npy header"))
    if n > _MAX_HEADER:
        raise DataError(
            f"{what}: damaged .npy header: expected at most {_MAX_HEADER} bytes, got {n}"
        )
    text = read_exactly(file, n, f"{what}: damaged .npy header").decode("latin-1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python about strange literals
            found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() >= {"shape", "fortran_order", "descr"}:
        raise DataError(
            f"{what}: damaged .npy header: expected shape, fortran_order and descr, got "
            f"{shown(text.strip())}"
        )
    return _understand(found, what)


def _understand(found: dict[str, Any], what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    shape, fortran_order, descr = found["shape"], found["fortran_order"], found["descr"]
    if not isinstance(shape, tuple) or not all(type(d) is int for d in shape):
        raise DataError(f"{what}: damaged .npy header: its shape is no tuple of integers")
    if type(fortran_order) is not bool:
        raise DataError(f"{what}: damaged .npy header: its fortran_order is no bool")
    if not isinstance(descr, str) or "O" in descr:
        kind = "Python objects" if isinstance(descr, str) else "records"
        raise DataError(f"{what}: expected numbers, got {kind}; these are not read")
    if len(shape) > _MAX_DIMS or any(not 0 <= d <= MAX_BYTES for d in shape):
        raise DataError(
            f"{what}: expected up to {_MAX_DIMS} axes of 0 to {MAX_BYTES}, got shape "
            f"{_shape_text(shape)}"
        )
    if 0 in shape and math.prod(d for d in shape if d) > MAX_BYTES:
        raise DataError(f"{what}: the shape {_shape_text(shape)} is too large")
    try:
        dtype = np.dtype(descr) if _DESCR.fullmatch(descr) else None
    except TypeError:
        dtype = None
    if dtype is None:
        raise DataError(f"{what}: expected numbers, got dtype {shown(descr)!r}")
    return shape, fortran_order, dtype


def _plain(array: Array, what: str) -> Array:
    """C order, the machine's byte order, and no value that the dtype does not have."""
    if array.dtype.kind == "b":
        return np.asarray(array.view(np.uint8) != 0, order="C")
    plain = np.asarray(array, array.dtype.newbyteorder("="), order="C")
    if array.dtype.kind == "U":
        _check_text(plain, what)
    return plain


def _check_text(array: Array, what: str) -> None:
    codes = array.reshape(-1).view(np.uint32)
    if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise DataError(f"{what}: expected text, got characters that do not exist")


@contextlib.contextmanager
def _damage_named(what: str, kind: str) -> Iterator[None]:
    """zipfile raises all kinds of errors for bytes that are no zip."""
    try:
        yield
    except DataError:
        raise
    except UnicodeDecodeError:
        raise DataError(f"{what}: damaged {kind}: a name in it is not UTF-8") from None
    except _DAMAGED as error:
        raise DataError(f"{what}: damaged {kind}: {shown(str(error), 100)}") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # those of a disk
            raise
        raise DataError(f"{what}: damaged {kind}: an offset leads outside the file") from None


def _shape_text(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 80 else text[:77] + "..."
