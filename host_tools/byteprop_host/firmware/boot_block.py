"""What a chip's boot ROM looks for in flash before it starts a program: checked after linking,
because a chip that does not find it only waits for a new program."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from byteprop_host.boards.board import BootBlock
from byteprop_host.errors import BuildError

_RP2350_SEARCHED = 4096
_RP2350_BEGIN = 0xFFFFDED3
_RP2350_REST = (0x10210142, 0x000001FF, 0, 0xAB123579)
_ESP32C3_DIRECT_BOOT = 2 * struct.pack("<I", 0xAEDB041D)  # code follows at once
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


def _check_rp2350(image: bytes) -> str:
    """RP2350 Datasheet, 5.9: a block within the first 4 KB, whose items end in their own length,
    then a link to the next block (itself) and an end mark."""
    at = image[:_RP2350_SEARCHED].find(struct.pack("<I", _RP2350_BEGIN))
    if at < 0 or at % 4:
        return f"expected an image definition within the first {_RP2350_SEARCHED} bytes, got none"
    words = struct.unpack_from("<5I", image.ljust(at + 20, b"\0"), at)
    if words != (_RP2350_BEGIN, *_RP2350_REST):
        got = " ".join(f"{word:08x}" for word in words)
        return f"expected an image definition for Arm, secure, RP2350 at {at:#x}, got {got}"
    return ""


def _check_esp32c3(image: bytes) -> str:
    """Direct boot: README of github.com/espressif/esp32c3-direct-boot-example. Anything else has to
    be in the format of Espressif's boot loader."""
    got = image[: len(_ESP32C3_DIRECT_BOOT)]
    if got != _ESP32C3_DIRECT_BOOT:
        return f"expected {_ESP32C3_DIRECT_BOOT.hex(' ')} at the beginning, got {got.hex(' ')}"
    return "" if len(image) > len(got) else "expected code after the header, got none"


_CHECKS: Mapping[BootBlock, Callable[[bytes], str]] = {
    BootBlock.RP2040: _check_rp2040,
    BootBlock.RP2350: _check_rp2350,
    BootBlock.ESP32C3: _check_esp32c3,
}


def check_boot_block(kind: BootBlock | None, image: bytes) -> None:
    """image: flash from its beginning. Raises BuildError if the boot ROM would refuse it."""
    if kind is not None and (wrong := _CHECKS[kind](image)):
        raise BuildError(f"boot block for {kind.value}: {wrong}; the chip would not start it")
