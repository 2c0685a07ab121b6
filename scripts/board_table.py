"""Writes the table of boards into the documents, from the board.toml files.

    python3 scripts/board_table.py            writes
    python3 scripts/board_table.py --check    exits with 1 when a document is out of date

A document takes the table between the lines `<!-- boards: begin -->` and `<!-- boards: end -->`.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np

import byteprop
from byteprop.engine._raw_train import Config
from byteprop.image import without_names
from byteprop_host.boards.board import SKETCH, Board, Same, Tier, all_boards
from byteprop_host.training.plan import can_save, plan_or_none

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"(<!-- boards: begin[^\n]*-->\n).*?(<!-- boards: end -->)", re.S)


_EMULATORS = {"qemu": "QEMU", "unicorn": "Unicorn"}

# What a board is asked to train, the largest first.
NETWORKS = {"784-20-10": (784, 20, 10), "64-32-10": (64, 32, 10), "one neuron": (1, 1)}


@cache
def network(sizes: tuple[int, ...]) -> bytes:
    """The image of an untrained network; a single output is a regression, else classes."""
    *hidden, last = (byteprop.Dense(n, "relu") for n in sizes[1:])
    last = byteprop.Dense(last.units, "softmax" if last.units > 1 else "linear")
    net = byteprop.Sequential([*hidden, last], input_shape=(sizes[0],))
    net.calibrate(np.ones((1, sizes[0]), np.float32), np.zeros(1, np.int64))
    return without_names(net.image)


def learns(board: Board) -> str:
    """The largest of the networks that the board has RAM for, residuals included."""
    if board.build.toolchain == SKETCH:
        return "by its RAM; not on AVR"
    for name, sizes in NETWORKS.items():
        one_layer = len(sizes) == 2
        plan = plan_or_none(board, network(sizes), Config(seed=0, window=0 if one_layer else 512))
        if plan is not None and plan.ok:
            saves = can_save(board) and board.tier is not Tier.HOST
            return f"{name}, saved in its flash" if saves else name
    return "no"


def size(n_bytes: int) -> str:
    for unit, factor in (("MB", 1 << 20), ("KB", 1 << 10)):
        if n_bytes >= factor and n_bytes % factor == 0:
            return f"{n_bytes // factor:,} {unit}"
    return f"{n_bytes:,} B"


def proofs(board: Board) -> str:
    """Cells: CPU and addresses, set-up, flash tool, hardware."""
    if board.tier is Tier.HOST:
        return "a process of this computer | | | "
    if board.build.toolchain == SKETCH:
        return "the AVR core in simavr | | | no"
    shown = board.proofs
    cpu = ", ".join(_EMULATORS.get(name, name) for name in shown.cpu)
    if board.emulator is not None and board.emulator.same is Same.CPU:
        cpu += " (the CPU alone)"
    cells = (cpu, "yes" if shown.set_up else "", ", ".join(shown.flash_tools), shown.hardware)
    return " | ".join(cell or "no" for cell in cells)


def memory(board: Board) -> str:
    if not board.is_baked:
        return "| | "
    return f"| {size(board.memory.flash_bytes)} | {size(board.memory.ram_bytes)} "


def table() -> str:
    lines = [
        "| board | what | CPU | flash | RAM | learns | CPU and addresses | set-up | flash tool "
        "| hardware |",
        "|---" * 10 + "|",
    ]
    for board in all_boards():
        title = f"[{board.title}]({board.url})" if board.url else board.title
        lines.append(
            f"| `{board.name}` | {title} | {board.cpu} {memory(board)}| {learns(board)} "
            f"| {proofs(board)} |"
        )
    return "\n".join(lines) + "\n"


def documents() -> list[Path]:
    candidates = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in candidates if PLACE.search(path.read_text(encoding="utf-8"))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    new_table = table()
    found = documents()
    if not found:
        print("no document has a place for the table of boards", file=sys.stderr)
        return 1
    stale = []
    for path in found:
        old = path.read_text(encoding="utf-8")
        new = PLACE.sub(lambda place: place.group(1) + new_table + place.group(2), old)
        if new == old:
            continue
        stale.append(path)
        if not arguments.check:
            path.write_text(new, encoding="utf-8")
    for path in stale:
        verb = "is out of date; run scripts/board_table.py" if arguments.check else "written"
        print(f"{path.relative_to(ROOT)}: {verb}")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
