"""Finds and runs the examples of the documentation.

A fenced block is run when its first line says so:

    ```console run                 lines with "$ " are commands; what follows is their output
    ```python run                  executed; the blocks of one document share their names
    ```python file=test_board.py   written to that file for later blocks

Further words: `needs=program,program` (not run where a program is missing) and `slow`. In shown
output, `...` stands for anything, over lines too. A command that shows no output only has to
succeed. Blocks in `console` or `python` that are not to be run say why: `not-run=needs-a-board`.

The blocks of one document run in order, in one empty folder that has `examples` and
`scripts` in it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNNABLE = {"console", "python"}
TIMEOUT = 300.0


@dataclass(frozen=True)
class Block:
    document: str
    line: int
    language: str
    words: frozenset[str]
    settings: dict[str, str]
    text: str

    @property
    def where(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def needs(self) -> list[str]:
        return [name for name in self.settings.get("needs", "").split(",") if name]

    @property
    def is_declared(self) -> bool:
        """Whether the block says that it is run, or why not."""
        return "run" in self.words or bool(self.settings.keys() & {"file", "not-run"})


def find_blocks(document: Path) -> list[Block]:
    """All fenced blocks of a Markdown file that name a language."""
    pattern = re.compile(r"^```(\w[\w+-]*)([^\n]*)\n(.*?)^```\s*$", re.M | re.S)
    text = document.read_text(encoding="utf-8")
    blocks = []
    for match in pattern.finditer(text):
        words = match.group(2).split()
        settings = dict(word.split("=", 1) for word in words if "=" in word)
        blocks.append(
            Block(
                document=document.relative_to(ROOT).as_posix()
                if document.is_relative_to(ROOT)
                else document.name,
                line=text.count("\n", 0, match.start()) + 1,
                language=match.group(1),
                words=frozenset(word for word in words if "=" not in word),
                settings=settings,
                text=match.group(3),
            )
        )
    return blocks


def missing_programs(block: Block) -> list[str]:
    return [name for name in block.needs if shutil.which(name) is None]


@dataclass(frozen=True)
class Command:
    line: str
    output: str


def commands(block: Block) -> list[Command]:
    """The commands of a console block, each with the output shown."""
    found: list[Command] = []
    command: str | None = None
    output: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command is not None:
                found.append(Command(command, "\n".join(output)))
            command, output = line[2:], []
        elif command is not None and command.endswith("\\") and not output:
            command = command[:-1] + line.strip()
        else:
            output.append(line)
    if command is not None:
        found.append(Command(command, "\n".join(output)))
    return found


def matches(shown: str, real: str) -> bool:
    """Whether real output is what is shown; `...` stands for anything, trailing blanks for none."""

    def tidy(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    parts = [re.escape(part) for part in tidy(shown).split("...")]
    return re.fullmatch(".*".join(parts), tidy(real), re.S) is not None


class ExampleError(AssertionError):
    """An example of the documentation does not do what the document says."""


@dataclass
class Runner:
    """Runs the blocks of one document in one folder."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("examples", "scripts"):
            (self.folder / name).symlink_to(ROOT / name)

    def run(self, block: Block) -> None:
        if "file" in block.settings:
            (self.folder / block.settings["file"]).write_text(block.text, encoding="utf-8")
        if "run" not in block.words:
            return
        if block.language == "console":
            for command in commands(block):
                self._run_command(block, command)
        elif block.language == "python":
            self._run_python(block)

    def _run_command(self, block: Block, command: Command) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        done = subprocess.run(
            ["bash", "-c", command.line],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        told = f"{block.where}: $ {command.line}\n{done.stdout}{done.stderr}"
        if done.returncode != 0:
            raise ExampleError(f"exit code {done.returncode}\n{told}")
        if command.output.strip() and not matches(command.output, done.stdout):
            raise ExampleError(f"the document shows\n{command.output}\nbut\n{told}")

    def _run_python(self, block: Block) -> None:
        code = compile("\n" * block.line + block.text, ROOT / block.document, "exec")
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, self.names)
        finally:
            os.chdir(before)
