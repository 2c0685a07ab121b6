"""Names of classes in a model file: behind the model follows a zip archive with labels.txt, one
name per line, as TensorFlow Lite's tools attach it. Programs that do not know it read the model
alone."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

from byteprop.errors import ArgumentError

_NAME = "labels.txt"
_END = b"PK\x05\x06"
_END_BYTES = (1 << 16) + 22  # of the end of an archive, with the longest comment
_MOST_BYTES = 1 << 20
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same file at every time


def attach(data: bytes, names: Mapping[int, str], n: int) -> bytes:
    """A model with the names of its n classes; a line stays empty for one without. Without any name
    the bytes stay as they are."""
    if not names:
        return data
    for label, name in names.items():
        if not name.strip() or len(name.splitlines()) != 1 or name != name.strip():
            raise ArgumentError(f"name: expected one line of text for class {label}, got {name!r}")
    archive = io.BytesIO()
    lines = "".join(f"{names.get(i, '')}\n" for i in range(n))
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr(zipfile.ZipInfo(_NAME, _WHEN), lines.encode())
    return data + archive.getvalue()


def detach(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The model alone, and a name per line; () where there are none that can be read."""
    if _END not in data[-_END_BYTES:]:
        return data, ()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            start = min((info.header_offset for info in archive.infolist()), default=len(data))
            if archive.getinfo(_NAME).file_size > _MOST_BYTES:
                return data[:start], ()
            with archive.open(_NAME) as file:
                text = file.read(_MOST_BYTES)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, RuntimeError, zlib.error):
        return data, ()
    lines = text.decode("utf-8", "backslashreplace").split("\n")
    if not lines[-1].strip():
        lines.pop()
    return data[:start], tuple(line.strip() for line in lines)


def named(names: tuple[str, ...], n: int) -> dict[int, str]:
    """By label; none unless there is a line for each of n classes."""
    return {i: name for i, name in enumerate(names) if name} if len(names) == n else {}
