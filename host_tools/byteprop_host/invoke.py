"""Runs compilers and linkers."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import BuildError

_SHOWN_COMMAND = 1500  # characters of a command that failed


class CommandFailed(BuildError):
    def __init__(self, text: str, output: str) -> None:
        super().__init__(text)
        self.output = output


def run_tool(program: Path, args: Sequence[str | Path], cwd: Path) -> None:
    done = subprocess.run(
        [program, *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300.0,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode:
        shown = shlex.join(str(a) for a in (program.name, *args))
        if len(shown) > _SHOWN_COMMAND:
            shown = f"{shown[:_SHOWN_COMMAND]} ..."
        raise CommandFailed(f"{done.stderr.strip()}\nthe command was: {shown}", done.stderr)
