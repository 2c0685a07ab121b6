"""Completion of the command line by the shell, made by shtab."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from byteprop_host.boards.board import all_boards
from byteprop_host.errors import INSTALL_HOST, ToolMissingError

SHELLS = ("bash", "zsh", "fish")
HOW = (
    'bash: eval "$(byteprop --completion bash)" in ~/.bashrc; '
    'zsh: byteprop --completion zsh > "${fpath[1]}/_byteprop"; '
    "fish: byteprop --completion fish > ~/.config/fish/completions/byteprop.fish"
)


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script of a shell: verbs, options, their choices, names of boards, and files."""
    try:
        import shtab
    except ImportError:
        raise ToolMissingError(f"shtab is not installed: {INSTALL_HOST}") from None
    _describe(parser, [board.name for board in all_boards()], shtab.FILE)
    return str(shtab.complete(parser, shell=shell))


def _describe(parser: argparse.ArgumentParser, boards: list[str], files: Any) -> None:
    """Says to shtab which arguments are boards and which are files."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                _describe(sub, boards, files)
        elif action.dest == "board":
            action.choices = boards
        elif action.type is Path:
            described: Any = action
            described.complete = files
