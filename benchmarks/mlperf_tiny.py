"""What the models of MLPerf Tiny cost on the emulated Cortex-M boards.

    python benchmarks/mlperf_tiny.py FOLDER [--board mps2-an386] [--record]

FOLDER has the models (docs/mlperf-tiny.md), by the names of FILES or of the benchmark, such as
kws01.tflite. Models that a board has no memory for are left out. Instructions are counted under
QEMU, where they repeat exactly; they are no latencies. With --record the figures are appended to
benchmarks/results/mlperf-tiny.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import records

import byteprop
from byteprop_host.boards.board import Board, load_board
from byteprop_host.console import table
from byteprop_host.firmware.capacity import memory_needs
from byteprop_host.target import BoardTarget
from byteprop_host.verify.bench import bench

BOARDS = ("mps2-an386", "mps2-an385", "microbit")
# Of the official repository, and as other collections name the same files.
FILES = {
    "kws01": ("kws_ref_model", "kws_dscnn"),
    "ic01": ("pretrainedResnet_quant", "ic01_resnet8"),
    "vww01": ("vww_96_int8", "vww_mobilenet_96"),
    "ad01": ("ad01_int8",),
}
COLUMNS = (
    "commit board model crc32 instructions per_mac macs arena_bytes model_bytes "
    "program_flash_bytes ram_bytes"
).split()


def find(folder: Path, benchmark: str) -> Path | None:
    for name in (benchmark, *FILES[benchmark]):
        path = folder / f"{name}.tflite"
        if path.is_file():
            return path
    return None


def measure(board: Board, benchmark: str, path: Path) -> dict[str, object] | None:
    """None when the model does not fit the board."""
    model = byteprop.load(path)
    if not memory_needs(board, model.image).ok:
        return None
    b = bench(path, BoardTarget(board), samples=1)
    return {
        "commit": records.commit(),
        "board": board.name,
        "model": benchmark,
        "crc32": f"{model.opened.crc32:08x}",
        "instructions": b.median,
        "per_mac": None if b.per_mac is None else f"{b.per_mac:.3f}",
        "macs": b.macs,
        "arena_bytes": b.arena_bytes,
        "model_bytes": b.model_bytes,
        "program_flash_bytes": (b.flash_bytes or 0) - b.model_bytes,
        "ram_bytes": b.ram_bytes,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", action="append", choices=BOARDS, help="default: all of these")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    models = {name: path for name in FILES if (path := find(args.folder, name)) is not None}
    if not models:
        names = ", ".join(f"{names[0]}.tflite" for names in FILES.values())
        raise SystemExit(f"{args.folder}: expected at least one of {names}")
    found = [
        row
        for board in args.board or BOARDS
        for name, path in models.items()
        if (row := measure(load_board(board), name, path)) is not None
    ]
    print(
        table(
            [[str(row[c]) for c in COLUMNS[1:]] for row in found],
            header=COLUMNS[1:],
            right=frozenset(range(3, 10)),
        )
    )
    if args.record:
        records.append("mlperf-tiny", COLUMNS, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
