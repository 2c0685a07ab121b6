"""What models cost when they are fed row by row, compared with the whole models.

    python benchmarks/rows.py FOLDER [--board mps2-an386] [--record]

FOLDER has .tflite files, of which those of MODELS are taken. Arenas are those of the model images.
Instructions are of one inference, counted under QEMU; when rows come over the line, what receives
them is part of the figure. With --record they are appended to benchmarks/results/rows.csv.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import records

import byteprop
from byteprop.image.plan import fed_ops
from byteprop_host.boards.board import load_board
from byteprop_host.console import table
from byteprop_host.firmware.capacity import memory_needs
from byteprop_host.target import BoardTarget
from byteprop_host.verify.bench import bench

BOARDS = ("mps2-an386", "microbit")
MODELS = ("vww_mobilenet_96", "person_detect_patched", "rock_paper_scissors", "kws_dscnn")
COLUMNS = (
    "commit board model layers arena_whole arena_rows instructions_whole instructions_rows"
).split()


def instructions(board: str, model: byteprop.Model) -> int | None:
    """None when the model does not fit the board."""
    if not memory_needs(load_board(board), model.image).ok:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bpm"
        model.save(path)
        return bench(path, BoardTarget.of(board), samples=1).median


def measure(board: str, path: Path) -> dict[str, object]:
    whole = byteprop.load(path)
    fed = whole.with_rows()
    return {
        "commit": records.commit(),
        "board": board,
        "model": path.stem,
        "layers": fed_ops(fed.graph),
        "arena_whole": whole.arena_bytes,
        "arena_rows": fed.arena_bytes,
        "instructions_whole": instructions(board, whole),
        "instructions_rows": instructions(board, fed),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", action="append", choices=BOARDS, help="default: all of these")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    paths = [path for name in MODELS if (path := args.folder / f"{name}.tflite").is_file()]
    if not paths:
        raise SystemExit(f"{args.folder}: expected at least one of {', '.join(MODELS)}")
    found = [measure(board, path) for board in args.board or BOARDS for path in paths]
    rows = [[str(row[c]) for c in COLUMNS[1:]] for row in found]
    print(table(rows, header=COLUMNS[1:], right=frozenset(range(2, 7))))
    if args.record:
        records.append("rows", COLUMNS, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
