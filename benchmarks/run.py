"""What whole inferences cost on the emulated boards, counted by the firmware itself.

    python benchmarks/run.py [--board mps2-an386] [--model digits_mlp] [--record]

Instructions are counted under QEMU, where they repeat exactly; they are no latencies. Of
arduino-uno simavr counts cycles instead, each a sixteenth of a microsecond at 16 MHz; the column
"unit" says which. With --record the figures are appended to benchmarks/results/<board>.csv.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import records

from byteprop.errors import BytepropError
from byteprop_host.boards.board import Board, all_boards, load_board
from byteprop_host.console import table
from byteprop_host.errors import ToolMissingError
from byteprop_host.firmware.build import compiler
from byteprop_host.firmware.capacity import memory_needs
from byteprop_host.target import BoardTarget
from byteprop_host.toolchains import program_version
from byteprop_host.verify.bench import Bench, bench
from models import MODELS

COLUMNS = (
    "commit compiler flags model unit per_inference per_mac macs flash_bytes program_flash_bytes "
    "ram_bytes arena_bytes line_buffer_bytes stack_used_bytes"
).split()


def measure(board: Board, name: str) -> Bench | None:
    """None when the model does not fit the board."""
    model = MODELS[name]()
    if not memory_needs(board, model.image).ok:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.bpm"
        model.save(path)
        return bench(path, BoardTarget(board))


def record(name: str, b: Bench, sizes: dict[str, int]) -> dict[str, object]:
    settings = b.board.build
    cc = compiler(b.board)
    return {
        "commit": records.commit(),
        "compiler": f"{cc.name} {program_version(str(cc))}",
        "flags": " ".join([*settings.flags, "kernels:", *settings.kernel_flags]),
        "model": name,
        "unit": b.unit,
        "per_inference": b.median,
        "per_mac": None if b.per_mac is None else f"{b.per_mac:.3f}",
        "macs": b.macs,
        "flash_bytes": b.flash_bytes,
        "program_flash_bytes": (b.flash_bytes or 0) - sizes.get("model", 0),
        "ram_bytes": b.ram_bytes,
        "arena_bytes": b.arena_bytes,
        "line_buffer_bytes": sizes.get("line_buffers"),
        "stack_used_bytes": b.stack_used_bytes,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", action="append", help="default: every emulated board")
    parser.add_argument("--model", action="append", choices=sorted(MODELS))
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    boards = (
        [load_board(name) for name in args.board]
        if args.board
        else [b for b in all_boards() if b.emulator is not None]
    )
    failed = False
    rows = []
    for board in boards:
        found = []
        for name in args.model or MODELS:
            try:
                result = measure(board, name)
            except ToolMissingError as error:
                print(f"{board.name}: not run: {error}", file=sys.stderr)
                break
            except BytepropError as error:
                print(f"{board.name}, {name}: {error}", file=sys.stderr)
                failed = True
                continue
            if result is not None:
                found.append(record(name, result, dict(result.sizes)))
        rows += [[board.name, *(str(r[c]) for c in COLUMNS[3:])] for r in found]
        if args.record and found:
            records.append(board.name, COLUMNS, found)
    if rows:
        print(table(rows, header=["board", *COLUMNS[3:]], right=frozenset(range(3, 12))))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
