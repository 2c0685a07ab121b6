"""Samples and labels from files: .npy, .npz, IDX and text (.csv), the last two also as .gz; images
and .wav files, alone or in folders with a subfolder per class.

Nothing is unpickled, and memory follows what a file really holds, not what it claims; docs/data.md
has the formats and the limits. What a file is, is recognised by its first bytes; text by its name.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from byteprop.data import images, wav
from byteprop.data.csv import Table, read_csv
from byteprop.data.folders import first_suffix, parts_of
from byteprop.data.npz import (
    MAX_BYTES,
    NUMBERS,
    TEXT,
    Npz,
    check_unpacked,
    keys_text,
    open_npz,
    read_exactly,
    read_npy,
)
from byteprop.data.splits import SPLIT_WORDS, SPLITS, choice_text
from byteprop.data.words import numbered
from byteprop.errors import ArgumentError, DataError

PathLike = str | os.PathLike[str]
Array = npt.NDArray[Any]

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_MAGIC = b"\x1f\x8b"
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_SAMPLE_WORDS = frozenset(
    ("x", "image", "images", "data", "input", "inputs", "feature", "features", "sample", "samples")
)
_LABEL_WORDS = frozenset(("y", "label", "labels", "target", "targets", "class", "classes"))
_KEYS_WANTED = "x and y, images and labels, or data and target, each also with _train, _test, _val"
# Of single files too.
FOLDER_KINDS = ("images", "wav")
_KIND_TEXTS = {"images": "images", "wav": ".wav files"}
_IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_IDX_DIMS = 8
_PIXELS_OF_AN_IMAGE = 64  # the least that is taken for one


@dataclass(frozen=True)
class Labels:
    """y: class numbers or target values, one per sample; or a row per sample: one-hot labels or
    several target values. classes: what the numbers stand for, where the file has words; they are
    numbered in sorted order. notes: what was decided, in words."""

    y: Array
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Samples:
    """x: batch first. y, classes: as in Labels, when the file has them. notes: what was decided, in
    words."""

    x: Array
    y: Array | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


def load_samples(
    path: PathLike,
    *,
    limit: int | None = None,
    header: bool | None = None,
    split: str | None = None,
    sample_shape: tuple[int, ...] | None = None,
    resize: tuple[int, int] | None = None,
    window: int | None = None,
    hop: int | None = None,
) -> Samples:
    """The first `limit` samples of a file or folder (all when None).

    .npy: samples. .npz: arrays by name: x and y, images and labels, or data and target, also as
    x_train and y_train and so on; split: "train", "test" or "val" chooses. IDX: `...images...`
    finds `...labels...` next to it. .csv: one sample a line; a column titled label, y, class or
    target has the labels, or else the only column of words. header: whether the first line of a
    .csv holds titles; None: judged by the columns.

    Images (.png, .jpg, .bmp, .gif, .ppm, .webp) and .wav files: one file, or a folder. Its
    subfolders are classes, in sorted order; samples are of one class in turn after the other, so
    that the first ones are of all classes. Subfolders train, test and val are parts, for `split`.
    Images: uint8, [N, height, width] if all are grey, else [N, height, width, 3]; resize: (height,
    width), where sizes differ. Sound: PCM of 16 bits as float32 in -1..1, [N, window], or [N,
    window, channels]; window, hop: values per window, and from window to window. sample_shape: what
    a model takes of images and sound, instead: it decides between grey and colour, and the window.

    dtype of x: as in the file; of a .csv, float32, or where every value is written as an integer,
    an integer dtype: uint8 for images (64 values or more in 0..255, some above 127), else int32 or
    int64. DataError says what is wrong with a file, and where.
    """
    source, kind = _checked(path, limit, header, split)
    _check_options(source, kind, resize, window, hop)
    if kind in FOLDER_KINDS:
        return _load_folder(
            source, kind, limit=limit, split=split, sample_shape=sample_shape, resize=resize,
            window=window, hop=hop,
        )  # fmt: skip
    if kind == "csv":
        samples = _samples_of_table(source, read_csv(source, limit=limit, header=header))
    elif kind == "npz":
        samples = _load_npz(source, limit, split)
    elif kind == "npy":
        samples = Samples(_samples_array(_load_npy(source, limit, NUMBERS), str(source)))
    else:
        samples = _load_idx_pair(source, limit)
    if samples.y is not None and len(samples.y) != len(samples.x):
        raise DataError(
            f"{source}: expected one label per sample, got {len(samples.x)} samples and "
            f"{len(samples.y)} labels"
        )
    return samples


def load_labels(
    path: PathLike,
    *,
    limit: int | None = None,
    header: bool | None = None,
    split: str | None = None,
) -> Labels:
    """Labels, or target values, from a file of their own; arguments as in load_samples.

    .csv: the column titled label, y, class or target, or the only column; or all columns, as a row
    of numbers per sample. .npz: the only array, or the one with such a name.
    """
    source, kind = _checked(path, limit, header, split)
    if kind in FOLDER_KINDS:
        raise DataError(f"{source}: expected a file of labels, got {_KIND_TEXTS[kind]}")
    if kind == "csv":
        table = read_csv(source, limit=limit, header=header, only_labels=True)
        if table.y is None:
            return Labels(table.x, notes=table.notes)
        return Labels(table.y, table.classes, table.notes)
    if kind == "npz":
        with open_npz(source) as file:
            key = _label_key(source, file.keys, split)
            y, classes = _read_labels(file, key, limit)
    elif kind == "npy":
        y, classes = _numbers_of(_load_npy(source, None, NUMBERS + TEXT), str(source), limit)
    else:
        y, classes = _load_idx(source, limit), None
    return Labels(_samples_array(y, str(source)), classes)


def kind_of(path: PathLike) -> str:
    """ "npy", "npz", "idx", "csv", "images" or "wav"; DataError for anything else. That of a folder
    is the kind of its first file."""
    source = Path(path)
    if source.is_dir():
        return _kind_of_folder(source)
    with source.open("rb") as file:
        head = file.read(12)
    if head.startswith(_NPY_MAGIC):
        return "npy"
    if head.startswith(_ZIP_MAGIC):
        return "npz"
    is_gzip = head.startswith(_GZIP_MAGIC)
    named = source.with_suffix("") if is_gzip else source
    if named.suffix.lower() in _TEXT_SUFFIXES:
        return "csv"
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return "wav"
    if head.startswith(images.MAGIC) or (head[:4] == b"RIFF" and head[8:] == b"WEBP"):
        return "images"
    if is_gzip or _looks_like_idx(head):
        return "idx"
    raise DataError(
        f"{source}: expected .npy, .npz, IDX or .csv (.gz), an image or .wav, got a file that "
        f"begins with {head[:8]!r}"
    )


def _kind_of_folder(folder: Path) -> str:
    suffix = first_suffix(folder, images.SUFFIXES + wav.SUFFIXES)
    if suffix is None:
        raise DataError(
            f"{folder}: expected a folder of images ({', '.join(images.SUFFIXES)}) or of .wav "
            "files, got none of them"
        )
    return "wav" if suffix in wav.SUFFIXES else "images"


def has_split(path: PathLike, split: str) -> bool:
    """Whether a path is an .npz or a folder with several parts, one of them this."""
    if Path(path).is_dir():
        folders = parts_of(Path(path))
        return len(folders) > 1 and split in folders
    if kind_of(path) != "npz":
        return False
    with open_npz(path) as file:
        parts = _by_split(file.keys, "x")
    return len(parts) > 1 and split in parts


def looks_like_images(x: Array) -> bool:
    """Whether integers are the bytes of images: 64 values or more per sample, all in 0..255, some
    above 127."""
    if x.dtype.kind not in "iu" or x[:1].size < _PIXELS_OF_AN_IMAGE:
        return False
    return bool(x.min() >= 0 and 127 < x.max() <= 255)


def _checked(
    path: PathLike, limit: int | None, header: bool | None, split: str | None
) -> tuple[Path, str]:
    if limit is not None and limit < 0:
        raise ArgumentError(f"limit: expected 0 or more, got {limit}")
    if split is not None and split not in SPLITS:
        raise ArgumentError(f"split: expected {', '.join(SPLITS)}, got {split!r}")
    source = Path(path)
    kind = kind_of(source)
    if header is not None and kind != "csv":
        raise ArgumentError(f"header: expected a .csv, got {source}")
    if split is not None and not (kind == "npz" or source.is_dir()):
        raise ArgumentError(f"split: expected an .npz or a folder with parts, got {source}")
    return source, kind


def _check_options(
    source: Path, kind: str, resize: tuple[int, int] | None, window: int | None, hop: int | None
) -> None:
    given = [("resize", resize, "images"), ("window", window, "wav"), ("hop", hop, "wav")]
    for name, option, its_kind in given:
        if option is not None and kind != its_kind:
            raise ArgumentError(f"{name}: expected {_KIND_TEXTS[its_kind]}, got {source}")
        sizes = option if isinstance(option, tuple) else () if option is None else (option,)
        if any(not isinstance(n, int) or not 1 <= n < 1 << 31 for n in sizes):
            raise ArgumentError(f"{name}: expected numbers of at least 1, got {option}")
    if resize is not None and len(resize) != 2:
        raise ArgumentError(f"resize: expected (height, width), got {resize}")


def _load_folder(
    source: Path,
    kind: str,
    *,
    resize: tuple[int, int] | None,
    window: int | None,
    hop: int | None,
    **options: Any,
) -> Samples:
    if kind == "images":
        found: images.Images | wav.Sounds = images.read_images(source, resize=resize, **options)
    else:
        found = wav.read_wavs(source, window=window, hop=hop, **options)
    return Samples(found.x, found.y, found.classes, found.notes)


def _samples_of_table(source: Path, table: Table) -> Samples:
    if not table.x.shape[1]:
        raise DataError(f"{source}: expected samples, got a column of labels alone")
    x = table.x
    if x.dtype.kind != "f":
        fits = not x.size or (x.min() >= -(2**31) and x.max() < 2**31)
        x = x.astype(np.uint8 if looks_like_images(x) else np.int32 if fits else np.int64)
    return Samples(x, table.y, table.classes, table.notes)


def _samples_array(x: Array, what: str) -> Array:
    if not x.shape:
        raise DataError(f"{what}: expected an array with a batch axis, got one number")
    if any(d < 1 for d in x.shape[1:]):
        raise DataError(f"{what}: shape {x.shape} has no samples of at least one element")
    return x


def _numbers_of(y: Array, what: str, limit: int | None) -> tuple[Array, tuple[str, ...] | None]:
    """Words become class numbers, of all of them before the first are taken."""
    if y.dtype.kind not in TEXT:
        return y[:limit], None
    try:
        codes, classes = numbered(y)
    except ValueError as error:
        raise DataError(f"{what}: {error}") from None
    return codes[:limit], classes


# ------------------------------------------------------------------------------------------- NumPy


def _load_npy(path: Path, limit: int | None, kinds: str) -> Array:
    with path.open("rb") as file:
        return read_npy(file, str(path), kinds=kinds, rows=limit)


def _load_npz(path: Path, limit: int | None, split: str | None) -> Samples:
    with open_npz(path) as file:
        x_key, y_key = _choose_keys(path, file.keys, split)
        x = _samples_array(file.read(x_key, rows=limit), f"{path}[{x_key}]")
        if y_key is None:
            return Samples(x)
        y, classes = _read_labels(file, y_key, limit)
        return Samples(x, _samples_array(y, f"{path}[{y_key}]"), classes)


def _read_labels(file: Npz, key: str, limit: int | None) -> tuple[Array, tuple[str, ...] | None]:
    return _numbers_of(file.read(key, kinds=NUMBERS + TEXT), key, limit)


def _choose_keys(path: Path, keys: Sequence[str], split: str | None) -> tuple[str, str | None]:
    """The arrays of samples and of labels, by their names."""
    if not keys:
        raise DataError(f"{path}: expected an .npz with arrays, got an archive without any")
    if tuple(keys) in (("arr_0",), ("arr_0", "arr_1")) and split is None:  # of numpy.savez(x, y)
        return keys[0], keys[1] if len(keys) > 1 else None
    samples, labels = _by_split(keys, "x"), _by_split(keys, "y")
    if not samples and not labels and len(keys) == 1 and split is None:
        return keys[0], None
    found = f"got {keys_text(keys)}"
    if not samples:
        raise DataError(f"{path}: expected arrays named {_KEYS_WANTED}, {found}")
    part = _choose_split(path, keys, samples, split)
    x_keys, y_keys = samples[part], labels[part]
    if len(x_keys) > 1 or len(y_keys) > 1:
        several = x_keys if len(x_keys) > 1 else y_keys
        raise DataError(
            f"{path}: {keys_text(several)} are equally good names; expected one of them, {found}"
        )
    return x_keys[0], y_keys[0] if y_keys else None


def _label_key(path: Path, keys: Sequence[str], split: str | None) -> str:
    if len(keys) == 1 and split is None:
        return keys[0]
    labels = _by_split(keys, "y")
    if not labels:
        raise DataError(f"{path}: expected an array named y or labels, got {keys_text(keys)}")
    found = labels[_choose_split(path, keys, labels, split)]
    if len(found) > 1:
        raise DataError(f"{path}: expected one array of labels, got {keys_text(found)}")
    return found[0]


def _choose_split(
    path: Path, keys: Sequence[str], by_split: dict[str, list[str]], split: str | None
) -> str:
    parts = [p for p in by_split if by_split[p]]
    if split is not None:
        if split not in parts:
            raise DataError(f"{path}: expected arrays of the part {split!r}, got {keys_text(keys)}")
        return split
    if len(parts) > 1:
        raise DataError(
            f"{path}: expected one set of samples, got {keys_text(keys)}; {choice_text(parts)} "
            "chooses (split= in Python)"
        )
    return parts[0]


def _by_split(keys: Sequence[str], role: str) -> dict[str, list[str]]:
    """Keys of one role by the part that they name; "" for none."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        its_role, part = _role(key)
        if its_role == role:
            found[part].append(key)
    return found


def _role(key: str) -> tuple[str, str]:
    """("x" or "y", part) as in `x_train`, `testImages`, `ytest`; ("", "") for other names."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key)
    parted = re.sub(rf"^([xy])({'|'.join(SPLIT_WORDS)})$", r"\1_\2", parted, flags=re.I)
    words = [w for w in re.split(r"[^a-z0-9]+", parted.lower()) if w]
    parts = [SPLIT_WORDS[w] for w in words if w in SPLIT_WORDS]
    names = [w for w in words if w not in SPLIT_WORDS]
    if len(names) != 1 or len(parts) > 1:
        return "", ""
    role = "x" if names[0] in _SAMPLE_WORDS else "y" if names[0] in _LABEL_WORDS else ""
    return role, parts[0] if parts else ""


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
            return _read_idx(file, path, limit)
    except (gzip.BadGzipFile, zlib.error, EOFError, struct.error) as error:
        raise DataError(f"{path}: damaged .gz: {error}") from None


def _open_idx(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if packed else path.open("rb")


def _read_idx(file: BinaryIO | gzip.GzipFile, path: Path, limit: int | None) -> Array:
    what = str(path)
    head = file.read(4)
    if not _looks_like_idx(head):
        raise DataError(f"{what}: expected IDX, got content that begins with {head!r}")
    dtype = np.dtype(_IDX_DTYPES[head[2]])
    shape = struct.unpack(f">{head[3]}I", read_exactly(file, 4 * head[3], what))
    if any(d < 1 for d in shape[1:]):
        raise DataError(f"{what}: shape {shape} has no samples of at least one element")
    n = shape[0] if limit is None else min(limit, shape[0])
    needed = n * math.prod(shape[1:]) * dtype.itemsize
    if max(needed, math.prod(shape[1:])) > MAX_BYTES:
        raise DataError(f"{what}: expected at most {MAX_BYTES} bytes at once, got {needed}")
    if isinstance(file, gzip.GzipFile):
        check_unpacked(needed, path.stat().st_size, what)
    data = read_exactly(file, needed, what)
    if n == shape[0] and file.read(1):
        raise DataError(f"{what}: has more bytes than its header claims for shape {shape}")
    x = np.frombuffer(data, dtype).reshape((n, *shape[1:]))
    return np.asarray(x, dtype.newbyteorder("="), order="C")
