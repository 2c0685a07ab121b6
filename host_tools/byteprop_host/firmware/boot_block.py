"""What a chip's boot ROM looks for in flash before it starts a program: checked after linking,
because a chip that does not find it only waits for a new program."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from byteprop_host.boards.board import BootBlock
from byteprop_host.errors import BuildError

_RP2040_BYTES = 256  # the last four are the CRC of the others


def crc32_unreflected(data: bytes) -> int:
    """CRC-32 as the boot ROM of the RP2040 computes it: RP2040 Datasheet, 2.8.1.3.1. Most
    significant bit first, begins with all ones, no exclusive or at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


def _check_rp2040(image: bytes) -> str:
    """What is wrong; "" if nothing is."""
    if len(image) < _RP2040_BYTES:
        return f"expected at least {_RP2040_BYTES} bytes, got {len(image)}"
    right = crc32_unreflected(image[: _RP2040_BYTES - 4])
    (stored,) = struct.unpack_from("<I", image, _RP2040_BYTES - 4)
    if stored != right:
        return f"expected CRC-32 {right:#010x} at offset {_RP2040_BYTES - 4}, got {stored:#010x}"
    return ""


_CHECKS: Mapping[BootBlock, Callable[[bytes], str]] = {
    BootBlock.RP2040: _check_rp2040,
}


def check_boot_block(kind: BootBlock | None, image: bytes) -> None:
    """image: flash from its beginning. Raises BuildError if the boot ROM would refuse it."""
    if kind is not None and (wrong := _CHECKS[kind](image)):
        raise BuildError(f"boot block for {kind.value}: {wrong}; the chip would not start it")
