"""Writes the files of a new board, from those of a board that is like it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from byteprop.errors import ArgumentError
from byteprop.support import files
from byteprop_host.boards.board import load_board, parse_board

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def write_new_board(name: str, source: str, into: Path) -> Sequence[Path]:
    """Writes `into`/`name`/board.toml, and the C files of `source`'s folder.

    The tests of `source` prove nothing of the new board, so it has no [proofs]. ArgumentError when
    the name does not suit or the folder is there already.
    """
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"--new: expected small letters, digits, '-' and '_', such as my-board, got {name!r}"
        )
    board = load_board(source)
    folder = into / name
    if folder.exists():
        raise ArgumentError(f"--new: {folder} is there already; choose another name or --into")
    folder.mkdir(parents=True)
    written = [folder / "board.toml"]
    old = (board.folder / "board.toml").read_text(encoding="utf-8")
    files.write(written[0], _renamed(old, name, board.name).encode())
    for path in sorted([*board.folder.glob("*.c"), *board.folder.glob("*.h")]):
        written.append(folder / path.name)
        files.write(written[-1], path.read_bytes())
    parse_board(written[0])
    return written


def _renamed(text: str, name: str, source: str) -> str:
    """The text of a board.toml with another name, and without proofs."""
    changes = (
        (r'^name = ".*"', f'name = "{name}"'),
        (r'^title = ".*"', f'title = "{name}, like {source}"'),
        (r'^tier = ".*"', 'tier = "described"'),
        (r"^\[proofs\]\n(?:(?!\[).*\n)*", ""),
    )
    for pattern, new in changes:
        text = re.sub(pattern, new, text, count=1, flags=re.MULTILINE)
    return text.rstrip("\n") + "\n"
