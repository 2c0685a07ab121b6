"""Recognizes files that are not models of byteprop, by content or else by name, and says what to do
with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from byteprop.errors import ModelError

# Enough to see the first names in a zip archive.
HEAD_BYTES = 1 << 16

_WEIGHTS = "or to a float32 .tflite, or take its weights, for byteprop.quantize"
_QUANTIZE = (
    "make an int8 model of it: byteprop quantize {} --data SAMPLES (byteprop help quantization)"
)
_KERAS = _QUANTIZE.format("FILE")
_TORCH = (
    "convert it with litert-torch, to an int8 .tflite or to a float32 one for byteprop.quantize, "
    "which also takes weights alone, transposed to [n_in, n_out]"
)
_ONNX = f"convert it to an int8 .tflite with onnx2tf, {_WEIGHTS}"
_SAVED_MODEL = _QUANTIZE.format("FOLDER")


TFLITE, IMAGE = ".tflite", ".bpm"
_MAGICS = {TFLITE: (4, b"TFL3"), IMAGE: (0, b"BPM1")}


def model_kind(data: bytes) -> str | None:
    """TFLITE or IMAGE, by the first bytes of a file; None for a file of another kind."""
    for kind, (at, magic) in _MAGICS.items():
        if data[at : at + len(magic)] == magic:
            return kind
    return None


def read_model(path: Path, *kinds: str) -> bytes:
    """The bytes of a model file of one of these kinds. ModelError says what another file is; it is
    not read, however large it is."""
    if path.is_dir():
        raise ModelError(f"{path}: expected {_expected(kinds)}, got {recognised_folder(path)}")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if model_kind(head) in kinds:
            file.seek(0)
            return file.read()
        size = os.fstat(file.fileno()).st_size
    raise ModelError(f"{path}: {not_a_model(head, size, kinds, path)}")


def not_a_model(
    head: bytes, size: int, kinds: Sequence[str] = (TFLITE, IMAGE), path: Path | None = None
) -> str:
    """Says that a file is no model of these kinds, and what it is."""
    found = recognised(head[:HEAD_BYTES], path)
    if found is None:
        places = " or ".join(f"{_MAGICS[k][1].decode()!r} at byte {_MAGICS[k][0]}" for k in kinds)
        found = f"{size} bytes without {places}; they begin with {head[:8]!r}"
    return f"expected {_expected(kinds)}, got {found}"


def _expected(kinds: Sequence[str]) -> str:
    return f"a {' or '.join(kinds)} model"


@dataclass(frozen=True)
class _Kind:
    name: str
    advice: str
    is_it: Callable[[bytes], bool]
    suffixes: tuple[str, ...] = ()


def _begins(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


def _zip_with(*names: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(b"PK\x03\x04") and any(name in head for name in names)


def _is_onnx(head: bytes) -> bool:
    """A protobuf of the IR's version, then the name of what produced it."""
    if len(head) < 5 or head[0] != 0x08 or head[2] != 0x12:
        return False
    producer = head[4 : 4 + head[3]]
    return 0 < head[3] < 0x80 and producer.isascii() and producer.decode("ascii").isprintable()


def _is_page(head: bytes) -> bool:
    return head[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


_KINDS = (
    _Kind(
        "a Git LFS pointer",
        "fetch the file that it stands for with `git lfs pull`",
        _begins(b"version https://git-lfs.github.com/spec/"),
    ),
    _Kind("a web page", "download the file itself, not the page that shows it", _is_page),
    _Kind(
        "a checkpoint of a training",
        "go on from it with `byteprop train --checkpoint FILE --resume` or fit(resume=FILE)",
        _begins(b"BPC"),
    ),
    _Kind("a Keras model", _KERAS, _zip_with(b"model.weights.h5", b"config.json"), (".keras",)),
    _Kind("a PyTorch file", _TORCH, _zip_with(b"data.pkl"), (".pt", ".pth")),
    _Kind(
        "an .npz of arrays",
        "byteprop.quantize makes a model of float weights; samples go to --data",
        _zip_with(b".npy"),
        (".npz",),
    ),
    _Kind("a zip archive", "unpack it", _begins(b"PK\x03\x04")),
    _Kind(
        "an HDF5 file, as Keras writes it", _KERAS, _begins(b"\x89HDF\r\n\x1a\n"), (".h5", ".hdf5")
    ),
    _Kind("a pickle, as PyTorch writes it", _TORCH, _begins(b"\x80\x02", b"\x80\x03", b"\x80\x04")),
    _Kind(
        "an .npy array",
        "samples go to --data; byteprop.quantize makes a model of float weights",
        _begins(b"\x93NUMPY"),
    ),
    _Kind("an ONNX model", _ONNX, _is_onnx, (".onnx",)),
    _Kind("a TensorFlow graph", _SAVED_MODEL, _begins(b"\x08\x01\x12"), (".pb",)),
    _Kind("a gzip file", "unpack it with gunzip", _begins(b"\x1f\x8b")),
    _Kind(
        "C source",
        "give the .tflite or .bpm that it was made from",
        lambda head: False,
        (".h", ".c", ".cc", ".cpp"),
    ),
)


def recognised(head: bytes, path: Path | None = None) -> str | None:
    """What a file is that begins with `head` (HEAD_BYTES of it), and what to do; None for a file
    of no known kind."""
    if not head:
        return "an empty file"
    by_content = next((kind for kind in _KINDS if kind.is_it(head)), None)
    if by_content is not None:
        return f"{by_content.name}: {by_content.advice}"
    suffix = "" if path is None else path.suffix.lower()
    by_name = next((kind for kind in _KINDS if suffix in kind.suffixes), None)
    return None if by_name is None else f"by its name {by_name.name}: {by_name.advice}"


def is_npz(path: Path) -> bool:
    """Whether a file is an archive of arrays, whatever its name."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return _zip_with(b".npy")(file.read(HEAD_BYTES))


def recognised_folder(path: Path) -> str:
    """As recognised, of a folder."""
    if (path / "saved_model.pb").exists():
        return f"a SavedModel folder: {_SAVED_MODEL}"
    return "a folder: name a file in it"
