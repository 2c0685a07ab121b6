"""Files of another kind are recognised, by content first, and the message says what to do."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.errors import ModelError
from byteprop_host.cli import main
from training_data import MODELS

LFS = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 18712\n"
)


def zipped(*names: str, stored: bool = True) -> bytes:
    file = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in names:
            archive.writestr(name, b"{}" * 10)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, w=np.ones((4, 3)), b=np.zeros(3))
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones((4, 3)))
    return file.getvalue()


ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x80\x01" + bytes(100)
GRAPH = b"\x08\x01\x12\x9a\xbb\x02\x0a\x90\x01" + bytes(100)
KERAS = zipped("metadata.json", "config.json", "model.weights.h5")
TORCH = zipped("net/data.pkl", "net/version", "net/data/0")

# What a file holds, what its message says it is, and what it says to do.
FILES = {
    "lfs": (LFS, "a Git LFS pointer", "git lfs pull"),
    "page": (b"\n<!DOCTYPE html>\n<html>", "a web page", "download the file itself"),
    "keras": (KERAS, "a Keras model", "byteprop quantize FILE --data"),
    "h5": (
        b"\x89HDF\r\n\x1a\n" + bytes(99),
        "an HDF5 file, as Keras",
        "byteprop quantize FILE --data",
    ),
    "torch": (TORCH, "a PyTorch file", r"litert-torch, .* transposed to \[n_in, n_out\]"),
    "pickle": (pickle.dumps([1, 2], protocol=2), "a pickle, as PyTorch", "litert-torch"),
    "onnx": (ONNX, "an ONNX model", "onnx2tf"),
    "graph": (GRAPH, "a TensorFlow graph", "byteprop quantize FOLDER --data"),
    "npz": (arrays(), "an .npz of arrays", "byteprop.quantize"),
    "npy": (array(), "an .npy array", "--data"),
    "zip": (zipped("model.tflite"), "a zip archive", "unpack it"),
    "gzip": (gzip.compress(b"TFL3" * 9), "a gzip file", "gunzip"),
    "checkpoint": (
        b"BPC1" + bytes(99),
        "a checkpoint of a training",
        "byteprop train --checkpoint FILE --resume",
    ),
    "empty": (b"", "an empty file", ""),
    "noise": (b"what is this?", "13 bytes without 'TFL3'", "begin with b'what is "),
}


@pytest.mark.parametrize("name", FILES)
def test_content_decides(tmp_path: Path, name: str) -> None:
    data, kind, advice = FILES[name]
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    expected = f"expected a .tflite or .bpm model, got {kind}.*{advice}"
    with pytest.raises(ModelError, match=f"model.tflite: {expected}"):
        byteprop.load(path)
    with pytest.raises(ModelError, match=f"the given bytes: {expected}"):
        byteprop.load(data)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".keras", "a Keras model"),
        (".h5", "an HDF5 file"),
        (".pt", "a PyTorch file"),
        (".PTH", "a PyTorch file"),
        (".onnx", "an ONNX model"),
        (".pb", "a TensorFlow graph"),
        (".h", "C source: give the .tflite or .bpm"),
    ],
)
def test_the_name_counts_where_the_content_says_nothing(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"/* nothing known */")
    with pytest.raises(ModelError, match=f"got by its name {kind}"):
        byteprop.load(path)
    path.write_bytes(LFS)
    with pytest.raises(ModelError, match="got a Git LFS pointer"):
        byteprop.load(path)


def test_a_model_is_a_model_by_any_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((MODELS / "digits_mlp.tflite").read_bytes())
    assert byteprop.load(path).inputs[0].shape == (1, 64)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="got a folder: name a file in it"):
        byteprop.load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(GRAPH)
    with pytest.raises(ModelError, match="got a SavedModel folder: .*byteprop quantize FOLDER"):
        byteprop.load(tmp_path)


@pytest.mark.parametrize("name", ["lfs", "keras", "torch", "onnx"])
def test_quantize_recognises_them_too(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.bin"
    path.write_bytes(FILES[name][0])
    with pytest.raises(
        ModelError, match=f"net.bin: expected a .tflite model, got {FILES[name][1]}"
    ):
        byteprop.quantize(path, np.ones((1, 4)))


def test_quantize_knows_arrays_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(arrays())
    assert byteprop.quantize(path, np.ones((1, 4))).outputs[0].shape == (1, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "FILE"],
        ["verify", "FILE", "--no-report"],
        ["run", "FILE", "--data", "X", "-o", "Y"],
        ["bench", "FILE"],
        ["convert", "FILE", "-o", "Y.bpm"],
        ["build", "--model", "FILE"],
        ["flash", "--model", "FILE", "--board", "mps2-an386"],
        ["train", "--model", "FILE", "--data", "X", "--no-report"],
        ["train", "--checkpoint", "FILE", "--resume", "--net", "4-3", "--data", "X", "--no-report"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_every_verb_says_so(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model, x = tmp_path / "model.tflite", tmp_path / "x.npz"
    model.write_bytes(LFS)
    np.savez(x, x=np.ones((8, 4), np.float32), y=np.zeros(8, np.int64))
    names = {"FILE": str(model), "X": str(x), "Y": str(tmp_path / "y.npy")}
    names["Y.bpm"] = str(tmp_path / "y.bpm")
    assert main([names.get(a, a) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert "Git LFS pointer" in error and "git lfs pull" in error
    assert str(model) in error
