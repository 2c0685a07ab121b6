"""Checks the bounds of everything in a flatbuffer that the importer will read, before it is read:
flatbuffers' Python package follows offsets without looking.

Offsets may point at the same place twice, so some kilobytes can describe a tree of any size.
Files made by a writer share nothing but strings and vtables; the verifier therefore spends a budget
that such a file cannot exceed, and time and memory stay in proportion to the file.
"""

from __future__ import annotations

import struct

from byteprop.errors import ModelError
from byteprop.tflite import schema

MAX_TABLES = 1 << 16

_VTABLE_HEADER_BYTES = 4
_SMALLEST_FILE = 8
_MAX_FILE = (1 << 31) - 1


def verify(data: bytes) -> None:
    """Raises ModelError unless everything in byteprop.tflite.schema is within data."""
    if len(data) < _SMALLEST_FILE or data[4:8] != schema.FILE_IDENTIFIER:
        raise ModelError(
            f"not a .tflite file: {len(data)} bytes without the identifier 'TFL3' at byte 4"
        )
    if len(data) > _MAX_FILE:
        raise ModelError(f"a .tflite file of {len(data)} bytes; flatbuffers end at 2 GB")
    verifier = _Verifier(data)
    verifier.table(verifier.follow(0, "root"), schema.ROOT)


class _Verifier:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._tables_left = min(len(data) // 4, MAX_TABLES)
        self._bytes_left = 2 * len(data)

    def table(self, pos: int, name: str) -> None:
        self._spend_table()
        vtable = pos - self._number("<i", pos, name)
        vtable_bytes = self._number("<H", vtable, f"{name}'s vtable")
        table_bytes = self._number("<H", vtable + 2, f"{name}'s vtable")
        if vtable_bytes < _VTABLE_HEADER_BYTES or vtable_bytes % 2:
            raise ModelError(
                f"corrupt file: {name} at byte {pos} has a vtable of {vtable_bytes} bytes"
            )
        self._within(vtable, vtable_bytes, f"{name}'s vtable")
        self._within(pos, table_bytes, name)
        for slot, field in schema.TABLES[name].items():
            offset = self._field_offset(vtable, vtable_bytes, slot)
            if offset:
                self._field(pos, offset, table_bytes, name, slot, field)

    def follow(self, pos: int, what: str) -> int:
        return pos + self._number("<I", pos, what)

    def _field(
        self, pos: int, offset: int, table_bytes: int, name: str, slot: int, field: schema.Field
    ) -> None:
        what = f"{name}, field {slot}"
        size = field.size if isinstance(field, schema.Scalar) else 4
        if offset < 4 or offset + size > table_bytes:
            raise ModelError(f"corrupt file: {what} is outside its table at byte {pos}")
        if isinstance(field, schema.Scalar):
            return
        target = self.follow(pos + offset, what)
        if isinstance(field, schema.String):
            self._vector(target, 1, what)
        elif isinstance(field, schema.Vector):
            self._vector(target, field.size, what)
        elif isinstance(field, schema.SubTable):
            self.table(target, field.table)
        elif isinstance(field, schema.Tables):
            self._vector_of_tables(target, field.table, what)
        else:
            self._union(pos, target, name, field)

    def _vector(self, pos: int, size: int, what: str) -> int:
        count = self._number("<I", pos, what)
        self._within(pos + 4, count * size, what)
        self._bytes_left -= count * size
        if self._bytes_left < 0:
            raise ModelError(f"corrupt file: {what} shares its bytes with too many others")
        return count

    def _vector_of_tables(self, pos: int, table: str, what: str) -> None:
        count = self._vector(pos, 4, what)
        for index in range(count):
            self.table(self.follow(pos + 4 + 4 * index, what), table)

    def _union(self, pos: int, target: int, name: str, field: schema.UnionOf) -> None:
        vtable = pos - self._number("<i", pos, name)
        vtable_bytes = self._number("<H", vtable, name)
        offset = self._field_offset(vtable, vtable_bytes, field.type_slot)
        member = field.members.get(self._data[pos + offset]) if offset else None
        if member is not None:
            self.table(target, member)

    def _field_offset(self, vtable: int, vtable_bytes: int, slot: int) -> int:
        entry = _VTABLE_HEADER_BYTES + 2 * slot
        if entry + 2 > vtable_bytes:
            return 0
        return self._number("<H", vtable + entry, "vtable")

    def _number(self, code: str, pos: int, what: str) -> int:
        self._within(pos, struct.calcsize(code), what)
        value: int = struct.unpack_from(code, self._data, pos)[0]
        return value

    def _within(self, pos: int, size: int, what: str) -> None:
        if pos < 0 or pos + size > len(self._data):
            raise ModelError(
                f"truncated or corrupt file: {what} would be at bytes {pos} to {pos + size} of "
                f"{len(self._data)}"
            )

    def _spend_table(self) -> None:
        self._tables_left -= 1
        if self._tables_left < 0:
            raise ModelError(
                "corrupt file, or far too large: more tables than its bytes can hold, "
                f"or more than {MAX_TABLES}"
            )
