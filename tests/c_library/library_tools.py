"""The C library as one folder, made once for all tests here."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import processes
import pytest

ROOT = Path(__file__).resolve().parents[2]
STRICT = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror".split()


def script() -> SimpleNamespace:
    """The names of scripts/c_library.py."""
    # A dataclass looks its module up.
    name = "c_library_script"
    sys.modules[name] = SimpleNamespace()  # type: ignore[assignment]
    return SimpleNamespace(**runpy.run_path(str(ROOT / "scripts/c_library.py"), run_name=name))


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*command: str | Path, cwd: Path | None = None, timeout: float = 170.0) -> str:
    """Output of a command that must succeed."""
    return processes.run(*command, cwd=cwd, timeout=timeout)


def sources(library: Path, c_library: SimpleNamespace, *components: str) -> list[Path]:
    """Of these components, in the library's folder."""
    described = c_library.read()
    return [
        library / "src" / described.place(source)
        for component in described.components
        if component.name in components
        for source in component.sources
    ]


@contextmanager
def on_a_line(command: list[str], *, speaks: bool = False) -> Iterator[str]:
    """Runs a program behind a pseudo-terminal, whose descriptor is its last argument; yields its
    port. speaks: it prints a line when it is ready."""
    from byteprop_host.flash.process import Child, Pty

    with Pty.closed_on_failure() as pty:
        child = Child([*command, str(pty.master)], fds=[pty.master])
        try:
            pty.give_master()
            if speaks:
                assert child.stdout.readline()
            yield pty.port
        finally:
            child.close()
            pty.close()
