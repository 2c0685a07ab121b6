"""Object files: compiled once for each source, headers, flags and compiler, and then kept."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from byteprop_host.console import Progress
from byteprop_host.firmware.c_source import CSource, Headers
from byteprop_host.firmware.firmware import cache_dir, placed_at_once
from byteprop_host.firmware.subprocesses import in_parallel, run_tool


@dataclass(frozen=True)
class CompileUnit:
    """One source file with its headers, and the flags for it. Macros and folders that it does not
    use are not among these, so that boards share object files."""

    source: CSource
    flags: tuple[str, ...]

    @staticmethod
    def of(
        file: Path,
        *,
        flags: Sequence[str],
        defines: Mapping[str, str],
        headers: Headers,
        last_flags: Sequence[str] = (),
    ) -> CompileUnit:
        source = CSource.of(file, headers)
        folders = (f"-I{folder}" for folder in headers.folders if folder in source.folders)
        seen = define_flags(source.seen(defines))
        return CompileUnit(source, (*flags, *seen, *folders, *last_flags))

    def with_defines(self, defines: Mapping[str, str]) -> CompileUnit:
        """With those of the macros that it uses."""
        more = define_flags(self.source.seen(defines))
        return CompileUnit(self.source, (*self.flags, *more))


@dataclass(frozen=True)
class Compiler:
    """roots: folders of the checkout, whose place must not decide object files and build ids, and a
    name for each; one inside another comes first. The compiler runs in the first of them, so that
    __FILE__ is the same in every checkout."""

    program: Path
    roots: tuple[tuple[Path, str], ...]

    def digest(self, unit: CompileUnit) -> str:
        """Of everything that decides the object file."""
        flags = [self._portable(flag) for flag in unit.flags]
        file = unit.source.file.name
        return digest_of(_version(self.program), flags, file, *unit.source.contents())

    def compile_all(self, units: Sequence[CompileUnit], progress: Progress) -> list[Path]:
        """The object files, in the order of units."""
        progress("compile", 0, len(units))
        return in_parallel(
            [partial(self._compile, unit) for unit in units],
            lambda done: progress("compile", done, len(units)),
        )

    def _portable(self, flag: str) -> str:
        for root, name in self.roots:
            flag = flag.replace(str(root), name)
        return flag

    def _compile(self, unit: CompileUnit) -> Path:
        key = self.digest(unit)
        target = cache_dir() / "objects" / key[:2] / f"{key}.o"
        if target.is_file():
            return target
        folder, file = self.roots[0][0], unit.source.file
        with placed_at_once(target) as made:
            source = file.relative_to(folder) if file.is_relative_to(folder) else file
            run_tool(self.program, [*unit.flags, "-c", source, "-o", made], folder)
        return target


def define_flags(defines: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"-D{name}={value}" for name, value in defines.items())


def digest_of(*parts: object) -> str:
    h = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()


@cache
def _version(program: Path) -> str:
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, timeout=30.0
    )
    return done.stdout
