"""What training costs on the emulated boards, through the link: a sample's forward, backward and
update (ticks of the TRAIN answer), the flash that training adds, and RAM.

    python benchmarks/train_link.py [--board mps2-an386] [--record]

Instructions are counted under QEMU; of arduino-uno simavr counts cycles. With --record the figures
are appended to results/training-boards.csv.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [
    str(Path(__file__).resolve().parent),
    str(Path(__file__).resolve().parents[1] / "tests"),
]

from records import append, commit  # noqa: E402
from training_boards import Task, classification, regression  # noqa: E402

from byteprop_host.boards.board import Board, all_boards, load_board  # noqa: E402
from byteprop_host.firmware.build import build, compiler  # noqa: E402
from byteprop_host.firmware.capacity import training_needs  # noqa: E402
from byteprop_host.flash import start  # noqa: E402
from byteprop_host.link import Device, TrainingSession  # noqa: E402
from byteprop_host.training.plan import can_train, trains_one_layer  # noqa: E402

NETS = {
    "784-20-10": lambda: classification((784, 20, 10), 20, window=0),
    "64-32-10": lambda: classification((64, 32, 10), 40, window=0),
    "1-1": lambda: regression(30),
}
BOARDS = [b.name for b in all_boards() if b.emulator is not None and can_train(b)]
COLUMNS = (
    "commit", "compiler", "board", "net", "samples", "unit", "per_sample", "flash_bytes",
    "flash_added_bytes", "ram_bytes", "image_bytes", "training_bytes", "stack_used_bytes",
)  # fmt: skip


def measure(board: Board, net: str, task: Task) -> dict[str, object]:
    firmware, without = build(board, train=True), build(board)
    counted = board.emulator is not None and board.emulator.icount
    with (
        start(board, firmware, icount=counted, timeout=30.0) as running,
        Device.open(running.port, baud=board.serial.baud, timeout=60.0) as device,
    ):
        session = TrainingSession(device, task.image, task.config)
        # One at a time: bytes that arrive meanwhile would interrupt the CPU.
        ticks = [next(iter(list(session.train([s])))).ticks for s in task.samples]
        stats = device.stats()
        cycles = running.counts_cycles
    costs = ticks if cycles else [board.instructions(t) for t in ticks]
    known = [c for c in costs if c is not None]
    needs = training_needs(board, task.image, task.config)
    return {
        "commit": commit(),
        "compiler": compiler(board).name,
        "board": board.name,
        "net": net,
        "samples": len(ticks),
        "unit": ("cycles" if cycles else "instructions") if known else "none",
        "per_sample": round(float(np.mean(known))) if known else "",
        "flash_bytes": firmware.flash_bytes,
        "flash_added_bytes": firmware.flash_bytes - without.flash_bytes,
        "ram_bytes": needs.ram_needed,
        "image_bytes": len(task.image),
        "training_bytes": session.plan.memory_bytes,
        "stack_used_bytes": stats.stack_bytes - stats.stack_free,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", action="append", choices=BOARDS, help="default: all of them")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    for name in args.board or BOARDS:
        board = load_board(name)
        for net, task in NETS.items():
            made = task()
            is_too_deep = trains_one_layer(board) and net != "1-1"
            if is_too_deep or not training_needs(board, made.image, made.config).ok:
                continue
            row = measure(board, net, made)
            if args.record:
                append("training-boards", COLUMNS, [row])
            print(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
