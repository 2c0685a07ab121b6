"""Measures the flash that each op takes, and writes boards/op_flash.toml.

    python scripts/op_flash.py            takes minutes: a firmware is linked for each op and CPU

byteprop adds these figures for models before anything is compiled. One board stands for all with
its instruction set; figures are rounded up, so that small differences between CPUs do not matter.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from byteprop.image import all_ops
from byteprop_host.boards.board import Board, load_board
from byteprop_host.firmware.build import build

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "boards" / "op_flash.toml"

# One board for each instruction set.
BOARDS = ("mps2-an386", "mps2-an385", "microbit", "rv32-virt", "arduino-uno")
_ROUND = 64
_HEAD = """\
# Flash that an op adds to firmware that has the ops of build.ops, in bytes, by instruction set.
# scripts/op_flash.py writes this.
"""


def flash_of(board: Board, ops: tuple[str, ...]) -> int:
    """Of firmware without a model that has these ops, on a board with flash for all of them."""
    memory = replace(board.memory, flash_bytes=1 << 20)
    settings = replace(board.build, ops=ops)
    return build(replace(board, build=settings, memory=memory)).flash_bytes


def table(board: Board) -> str:
    base = board.build.ops
    without = flash_of(board, base)
    lines = [f"[{board.isa or board.arch}]"]
    for op in sorted(all_ops() - set(base)):
        added = flash_of(board, (*base, op)) - without
        lines.append(f"{op} = {-(-max(added, 0) // _ROUND) * _ROUND}")
        print(f"{board.name}: {lines[-1]}", file=sys.stderr)
    return "\n".join(lines)


def main() -> int:
    tables = [table(load_board(name)) for name in BOARDS]
    TARGET.write_text("\n\n".join([_HEAD.rstrip(), *tables]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
