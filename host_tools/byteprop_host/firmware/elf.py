"""Reads the memory use of a 32-bit little-endian ELF file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from byteprop_host.errors import BuildError

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SEGMENT = struct.Struct("<IIIIIIII")
_SECTION = struct.Struct("<IIIIIIIIII")
_SYMBOL = struct.Struct("<IIIBBH")
_LOAD = 1
_SYMTAB = 2
_ALLOC = 2
_OBJECT = 1


@dataclass(frozen=True)
class Section:
    name: str
    address: int
    size: int


@dataclass(frozen=True)
class Segment:
    """A piece of memory that the loader fills from the file."""

    load_address: int
    data: bytes


@dataclass(frozen=True)
class Elf:
    sections: tuple[Section, ...]  # those that take memory
    segments: tuple[Segment, ...]
    objects: dict[str, int]  # bytes of each variable, added up over equal names

    def section_bytes(self, name: str) -> int:
        return sum(s.size for s in self.sections if s.name == name)


def read_elf(file: Path) -> Elf:
    data = file.read_bytes()
    if data[:6] != b"\x7fELF\x01\x01":
        raise BuildError(f"{file}: is not a 32-bit little-endian ELF file")
    try:
        return _read(data)
    except (struct.error, IndexError) as error:
        raise BuildError(f"{file}: is a damaged ELF file ({error})") from None


def _read(data: bytes) -> Elf:
    head = _HEADER.unpack_from(data)
    segments_at, sections_at = head[5], head[6]
    n_segments, n_sections, names_index = head[10], head[12], head[13]
    headers = [
        _SECTION.unpack_from(data, sections_at + i * _SECTION.size) for i in range(n_sections)
    ]
    names_at = headers[names_index][4]
    sections = tuple(
        Section(_name(data, names_at + h[0]), h[3], h[5]) for h in headers if h[2] & _ALLOC and h[5]
    )
    segments = [
        _SEGMENT.unpack_from(data, segments_at + i * _SEGMENT.size) for i in range(n_segments)
    ]
    loads = tuple(
        Segment(s[3], data[s[1] : s[1] + s[4]]) for s in segments if s[0] == _LOAD and s[4]
    )
    objects: dict[str, int] = {}
    for name, size in _objects(data, headers):
        objects[name] = objects.get(name, 0) + size
    return Elf(sections, loads, objects)


def _objects(data: bytes, headers: list[tuple[int, ...]]) -> Iterator[tuple[str, int]]:
    for header in headers:
        if header[1] != _SYMTAB:
            continue
        names_at = headers[header[6]][4]
        for at in range(header[4], header[4] + header[5], _SYMBOL.size):
            name, _, size, info, _, _ = _SYMBOL.unpack_from(data, at)
            if info & 15 == _OBJECT and size:
                yield _name(data, names_at + name), size


def _name(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("ascii", "replace")


def flash_image(elf: Elf) -> tuple[int, bytes]:
    """Address and bytes of the contents of flash; gaps are 0xFF."""
    loads = [s for s in elf.segments if s.data]
    if not loads:
        raise BuildError("the firmware has no segment to load")
    start = min(s.load_address for s in loads)
    image = bytearray(b"\xff" * (max(s.load_address + len(s.data) for s in loads) - start))
    for s in loads:
        image[s.load_address - start : s.load_address - start + len(s.data)] = s.data
    return start, bytes(image)


def intel_hex(start: int, image: bytes) -> str:
    """The image as Intel HEX with 16 bytes per line."""
    lines: list[str] = []
    upper = -1
    for at in range(0, len(image), 16):
        address = start + at
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(_hex_line(4, 0, upper.to_bytes(2, "big")))
        lines.append(_hex_line(0, address & 0xFFFF, image[at : at + 16]))
    lines.append(_hex_line(1, 0, b""))
    return "\n".join(lines) + "\n"


def _hex_line(kind: int, address: int, data: bytes) -> str:
    record = bytes([len(data)]) + address.to_bytes(2, "big") + bytes([kind]) + data
    return ":" + (record + bytes([-sum(record) & 0xFF])).hex().upper()
