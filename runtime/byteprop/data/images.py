"""Pictures from files, through Pillow."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.data.folders import Tree, in_turn, tree_of
from byteprop.data.npz import MAX_BYTES, check_unpacked
from byteprop.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp")
MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"P5", b"P6")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP")
_GREY = ("1", "L", "LA")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_INSTALL = 'pip install "byteprop[images]"'

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Header:
    path: Path
    size: tuple[int, int]
    mode: str


@dataclass(frozen=True)
class Images:
    """x: uint8, [N, height, width] of grey images, [N, height, width, 3] of colours, or as
    sample_shape has it. y: class numbers, or None."""

    x: npt.NDArray[np.uint8]
    y: npt.NDArray[np.int64] | None
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_images(
    source: Path,
    *,
    limit: int | None = None,
    split: str | None = None,
    sample_shape: Shape | None = None,
    resize: tuple[int, int] | None = None,
) -> Images:
    """The first `limit` images of a folder, one class in turn after the other, or of one file.

    sample_shape: what a model takes; it decides between grey and colour. resize: (height, width).
    """
    tree = tree_of(source, SUFFIXES, split)
    chosen = in_turn(tree.files)[:limit]
    headers = [_header(path) for _, path in chosen]
    if not headers:
        raise DataError(f"{source}: expected at least one image, got none")
    sizes = sorted({header.size for header in headers})
    if resize is None and len(sizes) > 1:
        raise DataError(_sizes_text(source, headers, sample_shape))
    size = sizes[0] if resize is None else resize
    channels = _channels(headers, size, sample_shape)
    _check_size(source, size, channels, sample_shape)
    if resize is None:
        packed = sum(header.path.stat().st_size for header in headers)
        check_unpacked(len(headers) * math.prod(size) * channels, packed, str(source))
    x = _pixels(source, headers, size, channels)
    y = None if tree.classes is None else np.array([number for number, _ in chosen], np.int64)
    if sample_shape is not None:
        x = x.reshape(len(x), *sample_shape)
    elif channels == 1:
        x = x.reshape(x.shape[:3])
    return Images(x, y, tree.classes, _notes(tree, headers, size, channels, resize))


def _header(path: Path) -> _Header:
    with _opened(path) as image:
        return _Header(path, (image.height, image.width), image.mode)


def _opened(path: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise DataError(f"{path}: images need Pillow to be read: {_INSTALL}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a size that Pillow warns of is refused below
            image = Image.open(path, formats=_FORMATS)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise DataError(f"{path}: expected an image, {_reason(error)}") from None
    try:
        if image.mode not in (*_GREY, *_COLOUR):
            raise DataError(f"{path}: expected 8 bits per colour, got the mode {image.mode}")
        check_unpacked(4 * image.width * image.height, path.stat().st_size, str(path))
    except DataError:
        image.close()
        raise
    return image


def _reason(error: Exception) -> str:
    """Pillow's words, without its reprs of objects."""
    text = str(error) or type(error).__name__
    return "got something else" if "cannot identify" in text else f"but: {text}"


def _channels(headers: list[_Header], size: tuple[int, int], shape: Shape | None) -> int:
    if shape is None:
        return 1 if all(header.mode in _GREY for header in headers) else 3
    if len(shape) == 3:
        return shape[2]
    # A flat input has the values of all channels.
    return 3 if len(shape) == 1 and shape[0] == 3 * math.prod(size) else 1


def _check_size(source: Path, size: tuple[int, int], channels: int, shape: Shape | None) -> None:
    if channels not in (1, 3):
        raise DataError(f"{source}: expected a model of 1 or 3 channels for images, got {channels}")
    if shape is None:
        return
    if len(shape) not in (1, 2, 3) or (len(shape) == 2 and shape[1] == 1):
        raise DataError(f"{source}: expected a model that takes images, got inputs of {shape}")
    fits = math.prod(shape) == math.prod(size) * channels
    if not fits or (len(shape) > 1 and shape[:2] != size):
        expected = _size_text(shape[:2]) if len(shape) > 1 else f"{shape[0]} values"
        raise DataError(
            f"{source}: expected images of {expected}, got {_size_text(size)}; "
            f"{_remedy(shape)} scales them"
        )


def _sizes_text(source: Path, headers: list[_Header], shape: Shape | None) -> str:
    first = headers[0]
    other = next(header for header in headers if header.size != first.size)
    return (
        f"{source}: expected images of one size, got {_size_text(first.size)} in "
        f"{first.path.name} and {_size_text(other.size)} in {other.path.name}; "
        f"{_remedy(shape)} scales them"
    )


def _remedy(shape: Shape | None) -> str:
    """The option, with the size that the model takes where its shape shows it."""
    if shape is not None and len(shape) > 1:
        return f"--resize {_size_text(shape[:2])}"
    for channels in (1, 3):
        side = math.isqrt(shape[0] // channels) if shape is not None else 0
        if shape is not None and side * side * channels == shape[0]:
            return f"--resize {side}x{side}"
    return "--resize HEIGHTxWIDTH (resize= in Python)"


def _pixels(
    source: Path, headers: list[_Header], size: tuple[int, int], channels: int
) -> npt.NDArray[np.uint8]:
    needed = len(headers) * math.prod(size) * channels
    if needed > MAX_BYTES:
        raise DataError(f"{source}: expected at most {MAX_BYTES} bytes at once, got {needed}")
    x = np.empty((len(headers), *size, channels), np.uint8)
    for i, header in enumerate(headers):
        x[i] = _decoded(header.path, size, channels)
    return x


def _decoded(path: Path, size: tuple[int, int], channels: int) -> npt.NDArray[np.uint8]:
    with _opened(path) as image:
        try:
            converted = image.convert("L" if channels == 1 else "RGB")
            if (converted.height, converted.width) != size:
                from PIL import Image

                converted = converted.resize(size[::-1], Image.Resampling.BILINEAR)
            return np.asarray(converted, np.uint8).reshape(*size, channels)
        except Exception as error:
            raise DataError(f"{path}: damaged image: {error}") from None


def _notes(
    tree: Tree,
    headers: list[_Header],
    size: tuple[int, int],
    channels: int,
    resize: tuple[int, int] | None,
) -> tuple[str, ...]:
    kind = "grey" if channels == 1 else "RGB"
    notes = [f"images of {_size_text(size)}, {kind}"]
    scaled = sum(header.size != size for header in headers)
    if resize is not None and scaled:
        notes.append(f"{scaled} of them resized")
    converted = sum((header.mode in _GREY) != (channels == 1) for header in headers)
    if converted:
        notes.append(f"{converted} of them converted to {kind}")
    return (", ".join(notes), *tree.notes)


def _size_text(size: Shape) -> str:
    return "x".join(map(str, size))
