"""The flash that ops take in firmware, as scripts/op_flash.py measured it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from byteprop_host.boards.board import Board, boards_root
from byteprop_host.boards.toml_table import read_toml


def op_flash_bytes(board: Board, ops: Iterable[str]) -> int:
    """Bytes that these ops add to firmware_flash_bytes, which has those of build.ops: at least what
    the linker will need, and a little more where ops share code. 0 for a board whose instruction
    set was not measured."""
    added = _table().get(board.isa or board.arch, {})
    return sum(added.get(op, 0) for op in set(ops) - set(board.build.ops))


@cache
def _table() -> Mapping[str, Mapping[str, int]]:
    table: Mapping[str, Mapping[str, int]] = read_toml(boards_root() / "op_flash.toml")
    return table
