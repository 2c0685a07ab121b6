"""The repository as a package is made of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import processes
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, timeout: float = 600.0) -> str:
    """Output of a command that must succeed."""
    return processes.run(*command, cwd=cwd, timeout=timeout)


def copy_of_the_tree(folder: Path) -> Path:
    """The files of the repository, with changes that are not committed."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git clone, so the list of files is unknown")
    listed = run("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder
