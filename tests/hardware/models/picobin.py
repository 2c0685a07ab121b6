"""What the RP2350's boot ROM reads of a program in flash before it starts it: RP2350 Datasheet, 5.9
"Metadata Block Details". Blocks are taken or left as github.com/raspberrypi/pico-bootrom-rp2350,
varm_blocks.c, does it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SEARCHED = 4096
_BEGIN, _END = 0xFFFFDED3, 0xAB123579
_IMAGE_TYPE, _VECTOR_TABLE, _ENTRY_POINT, _LAST = 0x42, 0x03, 0x44, 0x7F
_MOST_WORDS = 0x180 // 4


class NoBlock(Exception):
    """The boot ROM would look on, and find nothing."""


@dataclass(frozen=True)
class Block:
    """at: where it begins. items: type, and its words. link: to the next block, from its own."""

    at: int
    items: tuple[tuple[int, tuple[int, ...]], ...]
    link: int


def _size(word: int) -> int:
    """Words of an item. The highest bit of its type says that the size has two bytes."""
    return word >> 8 & (0xFFFF if word & 0x80 else 0xFF)


def _block_at(words: tuple[int, ...], at: int) -> Block:
    """Raises NoBlock unless the items end where the last one says, and the end mark follows."""
    items = []
    i = at + 1
    while i + 2 < len(words) and i < at + _MOST_WORDS:
        n = _size(words[i])
        if not n:
            raise NoBlock(f"an item without words at {4 * i:#x}")
        if words[i] & 0xFF == 0x80 | _LAST:
            if n != i - at - 1 or words[i + 2] != _END:
                raise NoBlock(f"the last item at {4 * i:#x} counts wrong, or no end follows")
            link = struct.unpack("<i", struct.pack("<I", words[i + 1]))[0]
            return Block(4 * at, tuple(items), link)
        items.append((words[i] & 0x7F, words[i : i + n]))
        i += n
    raise NoBlock(f"no last item behind {4 * at:#x}")


def first_block(image: bytes) -> Block:
    words = struct.unpack_from(f"<{len(image) // 4}I", image)
    for at in range(min(_SEARCHED // 4, len(words))):
        if words[at] == _BEGIN:
            try:
                return _block_at(words, at)
            except NoBlock:
                continue
    raise NoBlock(f"no block begins in the first {_SEARCHED} bytes")


@dataclass(frozen=True)
class Start:
    """How the boot ROM starts the program."""

    stack: int
    entry: int


def started(image: bytes, origin: int) -> Start:
    """Raises NoBlock when the boot ROM would not start the program on its Arm cores."""
    block = first_block(image)
    if block.link != 0:  # another block would have to follow, and this one be linked to
        raise NoBlock(f"the first block links {block.link} bytes on")
    kind, words = block.items[0] if block.items else (0, (0,))
    if kind != _IMAGE_TYPE or len(words) != 1:
        raise NoBlock("the first item is no image type")
    flags = words[0] >> 16
    is_executable, is_secure = flags & 0xF == 1, flags >> 4 & 3 == 2
    is_arm, is_rp2350, others = flags >> 8 & 7 == 0, flags >> 12 & 7 == 1, flags & 0x88C0
    if not (is_executable and is_secure and is_arm and is_rp2350) or others:
        raise NoBlock(f"the image type is {flags:#06x}")
    if any(kind in (_VECTOR_TABLE, _ENTRY_POINT) for kind, _ in block.items):
        raise NoBlock("its own vector table is not what this program means")
    stack, entry = struct.unpack_from("<2I", image)  # the vectors are at the image's beginning
    if not (entry & 1 and origin <= entry < origin + len(image)):
        raise NoBlock(f"the entry {entry:#x} is not in flash")
    return Start(stack, entry)
