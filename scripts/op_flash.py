"""Measures the flash that each op takes, and writes boards/op_flash.toml.

    python scripts/op_flash.py [--board BOARD]    a firmware is linked for each op: takes minutes

byteprop adds these figures for models before anything is compiled. One board stands for all with
its instruction set; figures are rounded up, so that small differences between CPUs do not matter.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import byteprop
from byteprop.image import all_ops, features, op_defines
from byteprop_host.boards.board import Board, load_board
from byteprop_host.firmware.build import build

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "boards" / "op_flash.toml"
MODEL = ROOT / "tests" / "data" / "models" / "regression_1x1.tflite"

# One board for each instruction set.
BOARDS = ("mps2-an386", "mps2-an385", "microbit", "rv32-virt", "arduino-uno")
_ROUND = 64
_HEAD = """\
# Flash that an op adds to firmware that has the ops of build.ops, in bytes, by instruction set.
# scripts/op_flash.py writes this.
"""


def flash_of(board: Board, image: bytes, more: tuple[str, ...]) -> int:
    """Of the program around a model in flash that has these ops more than the model needs, on a
    board with flash for all of them."""
    roomy = replace(board, memory=replace(board.memory, flash_bytes=1 << 20))
    ops = op_defines(features(image) | set(more))
    defines = {name: value for name, value in ops.items() if name.startswith("BP_OPS")}
    return build(roomy, image, defines=defines).program_flash_bytes


def table(board: Board) -> str:
    image = byteprop.load(MODEL).image
    without = flash_of(board, image, board.build.ops)
    lines = [f"[{board.isa or board.arch}]"]
    for op in sorted(all_ops() - set(board.build.ops)):
        added = flash_of(board, image, (*board.build.ops, op)) - without
        lines.append(f"{op} = {-(-max(added, 0) // _ROUND) * _ROUND}")
        print(f"{board.name}: {lines[-1]}", file=sys.stderr)
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", action="append", choices=BOARDS, help="default: all")
    chosen = parser.parse_args().board or BOARDS
    old = TARGET.read_text(encoding="utf-8").split("\n\n") if TARGET.is_file() else []
    kept = {part.strip().partition("\n")[0]: part.strip() for part in old}
    tables = []
    for name in BOARDS:
        board = load_board(name)
        heading = f"[{board.isa or board.arch}]"
        tables.append(table(board) if name in chosen else kept[heading])
    TARGET.write_text("\n\n".join([_HEAD.rstrip(), *tables]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
