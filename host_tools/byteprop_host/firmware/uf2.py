"""UF2 files, for boot loaders with a drive. Format: github.com/microsoft/uf2, "File Format"."""

from __future__ import annotations

import struct

_BLOCK = struct.Struct("<8I476sI")  # 512 bytes
_BEGIN = (0x0A324655, 0x9E5D5157)
_END = 0x0AB16F30
_HAS_FAMILY = 0x00002000
_PAYLOAD = 256


def uf2(start: int, image: bytes, family: int) -> bytes:
    """The image as blocks of 256 bytes at addresses that are multiples of 256; what is missing of
    the first and last page is 0xFF, because the boot loader writes whole pages."""
    front = start % _PAYLOAD
    image = b"\xff" * front + image
    image += b"\xff" * (-len(image) % _PAYLOAD)
    total = len(image) // _PAYLOAD
    return b"".join(
        _BLOCK.pack(
            *_BEGIN,
            _HAS_FAMILY,
            start - front + _PAYLOAD * i,
            _PAYLOAD,
            i,
            total,
            family,
            image[_PAYLOAD * i : _PAYLOAD * (i + 1)],
            _END,
        )
        for i in range(total)
    )
