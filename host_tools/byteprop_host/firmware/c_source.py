"""What a C file can see: the headers that it includes, and so the names that decide its object
file. Object files that do not depend on the board or the model are then compiled once for all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
_COMMENT = re.compile(rb"/\*.*?\*/|//[^\n]*", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z_]\w*")


class Headers:
    """Finds the headers of C files in folders, each once, as a compiler looks for them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._included: dict[Path, tuple[tuple[Path, Path | None], ...]] = {}

    def included_by(self, file: Path) -> tuple[tuple[Path, Path | None], ...]:
        """Headers that the file itself includes, but not the compiler's own, each with the folder
        that has it; None: found next to the file."""
        if file not in self._included:
            found = (self._find(name, file, quoted) for name, quoted in _text(file).includes)
            self._included[file] = tuple(each for each in found if each is not None)
        return self._included[file]

    def _find(self, name: str, file: Path, quoted: bool) -> tuple[Path, Path | None] | None:
        if quoted and (beside := file.parent / name).is_file():
            return beside, None
        folder = next((f for f in self.folders if (f / name).is_file()), None)
        return None if folder is None else (folder / name, folder)


@dataclass(frozen=True)
class CSource:
    """headers: all that the file includes, also through others, but not the compiler's own.
    folders: those that they were found in."""

    file: Path
    headers: tuple[Path, ...]
    folders: frozenset[Path]

    @staticmethod
    def of(file: Path, headers: Headers) -> CSource:
        found: set[Path] = set()
        used: set[Path | None] = set()
        unread = [file]
        while unread:
            for header, folder in headers.included_by(unread.pop()):
                used.add(folder)
                if header not in found:
                    found.add(header)
                    unread.append(header)
        return CSource(file, tuple(sorted(found)), frozenset(f for f in used if f is not None))

    def contents(self) -> list[bytes]:
        """Of the file and of its headers."""
        return [_text(path).content for path in (self.file, *self.headers)]

    def seen(self, defines: Mapping[str, str]) -> dict[str, str]:
        """Those of the macros whose names the file or a header has, and those that these need."""
        names: set[str] = set().union(*(_text(path).names for path in (self.file, *self.headers)))
        seen: dict[str, str] = {}
        while more := {n: v for n, v in defines.items() if n in names and n not in seen}:
            seen |= more
            for value in more.values():
                names |= _names(value.encode())
        return {name: value for name, value in defines.items() if name in seen}


@dataclass(frozen=True)
class _Text:
    content: bytes
    includes: tuple[tuple[str, bool], ...]
    names: frozenset[str]


def _text(path: Path) -> _Text:
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1024)
def _read(path: Path, _modified: int, _size: int) -> _Text:
    content = path.read_bytes()
    includes = tuple(
        ((quoted or angled).decode(), bool(quoted)) for quoted, angled in _INCLUDE.findall(content)
    )
    return _Text(content, includes, frozenset(_names(_COMMENT.sub(b" ", content))))


def _names(text: bytes) -> set[str]:
    return {name.decode() for name in _NAME.findall(text)}
