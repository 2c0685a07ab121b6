"""Arrays as pictures: which shapes are pictures, and PNG files."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from byteprop_host.data.samples import Ints

Pixels = npt.NDArray[np.uint8]

_LEAST_SIDE = 4
_TALL = 3  # a picture that is more times as high as it is wide is turned
_GREY, _COLOURS = 1, 3
_PNG_GREY, _PNG_RGB = 0, 2
_GAP = 1
_GAP_COLOUR = 255
_MOSAIC_RATIO = 3.0  # width to height


def square_side(n_values: int) -> int | None:
    """The side of a square picture of that many values; None if it is none."""
    side = math.isqrt(n_values)
    return side if side >= _LEAST_SIDE and side * side == n_values else None


def to_grey(values: Ints) -> Pixels:
    """8-bit values as grey: the least is black, the largest white."""
    darkest = -128 if values.dtype == np.int8 else 0
    return (values.astype(np.int64) - darkest).astype(np.uint8)


def pictures_of(values: Ints, shape: Sequence[int]) -> Pixels | None:
    """Samples [n, elems] of a tensor as pictures, [n, height, width] or with 3 colours behind it;
    None if its shape is not that of pictures. Tall ones are turned, so that their height runs to
    the right."""
    found = _picture_shape(shape)
    if found is None:
        return None
    height, width, channels = found
    pixels = to_grey(values).reshape(-1, height, width, channels)
    if is_turned(height, width):
        pixels = pixels.transpose(0, 2, 1, 3)
    return pixels[..., 0] if channels == _GREY else pixels


def is_turned(height: int, width: int) -> bool:
    return height > _TALL * width


def _picture_shape(shape: Sequence[int]) -> tuple[int, int, int] | None:
    """Height, width and channels of one sample; flat samples may be square pictures."""
    _, *rest = shape or (1,)
    if len(rest) == 2:
        rest.append(_GREY)
    if len(rest) == 3 and min(rest[:2]) >= _LEAST_SIDE and rest[2] in (_GREY, _COLOURS):
        return rest[0], rest[1], rest[2]
    side = square_side(math.prod(rest)) if len(rest) == 1 else None
    return None if side is None else (side, side, _GREY)


def mosaic(maps: Pixels) -> Pixels:
    """One picture of the maps [height, width, n], in rows with lines between them."""
    height, width, n = maps.shape
    columns = _columns(n, math.sqrt(_MOSAIC_RATIO * n * height / width))
    rows = -(-n // columns)
    cell = (height + _GAP, width + _GAP)
    whole = np.full((rows * cell[0] - _GAP, columns * cell[1] - _GAP), _GAP_COLOUR, np.uint8)
    for i in range(n):
        y, x = i // columns * cell[0], i % columns * cell[1]
        whole[y : y + height, x : x + width] = maps[:, :, i]
    return whole


def _columns(n: int, ideal: float) -> int:
    """Columns for n maps: about the ideal number, without an empty place in the last row if
    possible."""
    full = [c for c in range(1, n + 1) if n % c == 0 and ideal / 2 < c < ideal * 2]
    if full:
        return min(full, key=lambda c: abs(math.log(c / ideal)))
    return max(1, min(n, round(ideal)))


def png_uri(pixels: Pixels) -> str:
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def png(pixels: Pixels) -> bytes:
    """A PNG file of uint8 [height, width], or [height, width, 3] with colours."""
    height, width = pixels.shape[:2]
    colour = _PNG_GREY if pixels.ndim == 2 else _PNG_RGB
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
