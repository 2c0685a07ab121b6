"""`byteprop build`: builds firmware for a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from byteprop.support import files
from byteprop_host.commands import (
    EXIT_OK,
    Verb,
    add_baked_model,
    add_board,
    add_mlperf,
    check_outputs,
    load_baked,
)
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    add_board(parser)
    add_baked_model(parser)
    add_mlperf(parser)
    parser.add_argument(
        "--anomaly",
        action="store_true",
        help="with a detector of anomalies that watches the model (byteprop help anomaly)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="ELF", help="copy the firmware to this file"
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.boards.board import load_board
    from byteprop_host.firmware.build import build
    from byteprop_host.firmware.mlperf_tiny import timestamps
    from byteprop_host.firmware.sketch import check_is_built_here

    check_outputs(args.output)
    board = load_board(args.board)
    image = load_baked(args).image if args.model else None
    with console.progress() as progress:
        progress(f"build {board.name}", 0, 1)
        check_is_built_here(board)
        firmware = build(board, image, anomaly=args.anomaly, mlperf=args.mlperf_tiny)
        progress(f"build {board.name}", 1, 1)
    elf = firmware.elf
    if args.output:
        files.write(args.output, elf.read_bytes())
        elf = args.output
    note = f"\ntimestamps: {timestamps(board)}" if args.mlperf_tiny else ""
    console.result(
        f"{elf}: flash {firmware.flash_bytes:,} bytes (model {firmware.model_bytes:,}), "
        f"RAM {firmware.ram_bytes:,} bytes, build {firmware.build_id:016x}{note}",
        {
            "board": board.name,
            "elf": str(elf),
            "build_id": f"{firmware.build_id:016x}",
            "flash_bytes": firmware.flash_bytes,
            "ram_bytes": firmware.ram_bytes,
            "model_bytes": firmware.model_bytes,
            "sizes": dict(firmware.sizes),
            "anomaly": args.anomaly,
            "mlperf_tiny": args.mlperf_tiny,
        },
    )
    return EXIT_OK


VERB = Verb(
    name="build",
    summary="build firmware for a board, with or without a model in its flash",
    example="byteprop build --board microbit --model fashion.tflite",
    configure=_configure,
    run=_run,
    docs="porting",
)
