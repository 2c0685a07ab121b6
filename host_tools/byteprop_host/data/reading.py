"""How verbs read data files: the meaning of numbers, and the options that decide it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.data import Labels, Samples, kind_of, load_labels, load_samples, looks_like_images
from byteprop.data.words import mapping_text
from byteprop.errors import ArgumentError
from byteprop.graph import DType, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.graph.quantization import limits

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

PIXEL_SCALE = 1 / 255
INTEGERS = ("codes", "pixels", "real")
_PIXEL_RANGE = 4.0  # an input of a wider range does not take pixels of 0 to 1


@dataclass(frozen=True)
class Reading:
    """Options for files that can be read in several ways. None: inferred, or an error where that
    fails.

    header: whether the first line of a .csv has titles. split: "train", "test" or "val" of an
    .npz with several parts. integers: "codes" of the model's input, "pixels" or "real" values.
    pixel_scale: real value of 1 in the data; None: 1/255 for pixels. resize: (height, width) of
    images. window, hop: of .wav files, in values per channel.
    """

    header: bool | None = None
    split: str | None = None
    integers: str | None = None
    pixel_scale: float | None = None
    resize: tuple[int, int] | None = None
    window: int | None = None
    hop: int | None = None

    def samples(self, path: Path, limit: int | None = None, shape: Shape | None = None) -> Samples:
        """shape: of the input of a model, which images and sound are read for."""
        kind = kind_of(path)
        images, wav = kind == "images", kind == "wav"
        return load_samples(
            path,
            limit=limit,
            sample_shape=shape if images or wav else None,
            resize=self.resize if images else None,
            window=self.window if wav else None,
            hop=self.hop if wav else None,
            **self._options(path),
        )

    def labels(self, path: Path, limit: int | None = None) -> Labels:
        return load_labels(path, limit=limit, **self._options(path))

    def check_used(self, *paths: Path | None) -> None:
        """Raises ArgumentError for an option that applies to none of the files."""
        kinds = {kind_of(p) for p in paths if p is not None}
        given = ", ".join(str(p) for p in paths if p is not None) or "no --data"
        if not kinds and (self.integers, self.pixel_scale) != (None, None):
            option = "--integers" if self.integers is not None else "--pixel-scale"
            raise ArgumentError(f"{option}: expected samples from a file, got no --data")
        if self.header is not None and "csv" not in kinds:
            raise ArgumentError(f"--header: expected a .csv, got {given}")
        has_folder = any(p is not None and p.is_dir() for p in paths)
        if self.split is not None and "npz" not in kinds and not has_folder:
            raise ArgumentError(f"--split: expected an .npz or a folder, got {given}")
        if self.resize is not None and "images" not in kinds:
            raise ArgumentError(f"--resize: expected images, got {given}")
        for option, value in (("--window", self.window), ("--hop", self.hop)):
            if value is not None and "wav" not in kinds:
                raise ArgumentError(f"{option}: expected .wav files, got {given}")

    def _options(self, path: Path) -> dict[str, Any]:
        kind = kind_of(path)
        return {
            "header": self.header if kind == "csv" else None,
            "split": self.split if kind == "npz" or path.is_dir() else None,
        }


@dataclass(frozen=True)
class Numbers:
    """x: integers of the input's own dtype (codes), uint8 (pixels), or real values as floats. how:
    in words, the meaning of integers, where it was not clear. judged: the meaning as --integers
    names it, if it was inferred from the values."""

    x: Array
    how: str = ""
    judged: str = ""


def numbers_for(tensor: Tensor, x: Array, reading: Reading, what: str) -> Numbers:
    """x for the input of a model. The dtype gives the meaning of 8-bit integers: codes in the
    input's own dtype, else pixels in uint8. That of others is inferred from their values."""
    if tensor.dtype is DType.INT16:
        return Numbers(_int16(x, what))
    if x.dtype.kind not in "iu":
        return _reals(x, reading, what)
    is_own = x.dtype == tensor.dtype.numpy and tensor.normalization is None
    if is_own and x.dtype == np.int8 and reading.pixel_scale is not None and not reading.integers:
        raise ArgumentError(
            f"--pixel-scale: {what} has int8, the model's own integers, which need no scale; "
            "leave it out"
        )
    choice = _choice(reading)
    if choice is None and (is_own or x.dtype == np.uint8):
        how = "" if is_own or tensor.normalization is not None else _pixels_text(tensor)
        return Numbers(x, how)
    if choice is not None:
        return _chosen(x, choice, tensor, reading, what)
    judged = _judged(tensor, x, what)
    return replace(_chosen(x, judged, tensor, reading, what), judged=judged)


def _int16(x: Array, what: str) -> Array:
    """The elements of an input of int16, of integers that fit."""
    if x.dtype.kind not in "iu" or (x.size and not -(2**15) <= x.min() <= x.max() < 2**15):
        raise ArgumentError(
            f"{what}: expected integers of int16, as the model's input has, got {x.dtype}; write "
            "them with .astype(np.int16)"
        )
    return np.ascontiguousarray(x.astype("<i2")).view(np.int8)


def numbers_for_new(x: Array, reading: Reading, what: str) -> Numbers:
    """x for a new network that is made for these samples."""
    if x.dtype.kind not in "iu":
        return _reals(x, reading, what)
    choice = _choice(reading)
    if choice == "codes":
        raise ArgumentError(
            "--integers codes: expected a model file, got a new network; use real or pixels"
        )
    if choice is not None:
        return _chosen(x, choice, None, reading, what)
    if x.dtype == np.uint8:
        return Numbers(x)
    judged = "pixels" if looks_like_images(x) else "real"
    return replace(_chosen(x, judged, None, reading, what), judged=judged)


def labels_note(classes: tuple[str, ...] | None) -> tuple[str, ...]:
    """The number of each word."""
    return () if classes is None else (f"labels in sorted order: {mapping_text(classes)}",)


def _choice(reading: Reading) -> str | None:
    """The meaning that the options give; a scale is for pixels."""
    if reading.pixel_scale is None:
        return reading.integers
    if reading.integers in ("codes", "real"):
        raise ArgumentError(
            f"--pixel-scale: expected --integers pixels with it, got {reading.integers}"
        )
    return "pixels"


def _reals(x: Array, reading: Reading, what: str) -> Numbers:
    if reading.integers in ("codes", "pixels"):
        raise ArgumentError(
            f"--integers {reading.integers}: expected integers in {what}, got {x.dtype}"
        )
    if x.dtype.kind == "b":
        x = x.astype(np.float32)
    if _choice(reading) is None or reading.pixel_scale is None:
        return Numbers(x)
    scale = np.float32(reading.pixel_scale)
    return Numbers(x.astype(np.float32) * scale, f"values times {scale:g}")


def _judged(tensor: Tensor, x: Array, what: str) -> str:
    """Infers the meaning of integers from their values. ArgumentError where two are possible and
    give different results."""
    if tensor.normalization is not None or not x.size:
        return "real"
    boundary = Boundary(tensor)
    as_real = boundary.quantize(x.astype(np.float32), what)
    low, high = int(x.min()), int(x.max())
    own = limits(tensor.dtype)
    are_codes = own.y_min <= low and high <= own.y_max
    # Pixels and codes of a uint8 input are the same; codes of int8 without a negative are rare.
    may_be_codes = are_codes and (low < 0 or own.y_min == 0)
    if as_real.outside == 0:
        same = are_codes and np.array_equal(as_real.integers, x)
        if may_be_codes and not boundary.takes_pixels and not same:
            raise ArgumentError(
                f"{what}: integers {low}..{high} may be real values or the model's own integers; "
                "--integers real or --integers codes decides"
            )
        return "real"
    if may_be_codes:
        return "codes"
    real_low, real_high = boundary.real_range
    may_be_pixels = low >= 0 and high <= 255 and real_high - real_low <= _PIXEL_RANGE
    return "pixels" if may_be_pixels else "real"


def _chosen(x: Array, choice: str, tensor: Tensor | None, reading: Reading, what: str) -> Numbers:
    low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
    span = f"integers {low}..{high} are"
    if choice == "real":
        return Numbers(x.astype(np.float32), f"{span} real values")
    if choice == "codes":
        assert tensor is not None
        return Numbers(_codes(x, tensor, low, high, what), f"{span} the model's own")
    scale = PIXEL_SCALE if reading.pixel_scale is None else reading.pixel_scale
    normalizes = tensor is not None and tensor.normalization is not None
    if low >= 0 and high <= 255 and scale == PIXEL_SCALE and not normalizes:
        return Numbers(x.astype(np.uint8), f"{span} pixels, 1/255 each")
    if reading.pixel_scale is None:
        raise ArgumentError(
            f"--integers pixels: expected 0..255 in {what}, got {low}..{high}; --pixel-scale "
            "gives the real value of 1"
        )
    return Numbers(x.astype(np.float32) * np.float32(scale), f"{span} taken times {scale:g}")


def _codes(x: Array, tensor: Tensor, low: int, high: int, what: str) -> Array:
    if tensor.normalization is not None:
        raise ArgumentError("--integers codes: this model normalizes its inputs; give real values")
    own = limits(tensor.dtype)
    if low < own.y_min or high > own.y_max:
        raise ArgumentError(
            f"--integers codes: expected {own.y_min}..{own.y_max} in {what}, got {low}..{high}"
        )
    return x.astype(tensor.dtype.numpy)


def _pixels_text(tensor: Tensor) -> str:
    return "" if Boundary(tensor).takes_pixels else "uint8 are pixels, 1/255 each"
