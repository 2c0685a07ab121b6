"""`byteprop flash`: writes firmware to a board, or starts its emulator with it."""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from byteprop_host.commands import (
    EXIT_OK,
    Verb,
    add_baked_model,
    add_board,
    add_mlperf,
    add_port,
    load_baked,
)
from byteprop_host.console import Console

if TYPE_CHECKING:
    from byteprop_host.boards.board import Board
    from byteprop_host.firmware.firmware import Firmware
    from byteprop_host.flash import RunningBoard, Way
    from byteprop_host.link import DeviceInfo


def _configure(parser: argparse.ArgumentParser) -> None:
    add_board(parser)
    add_port(parser)
    add_baked_model(parser)
    add_mlperf(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the commands without running them"
    )
    parser.add_argument(
        "--erase", action="store_true", help="erase the board's whole flash and write nothing"
    )
    parser.add_argument(
        "--reset", action="store_true", help="restart the board's program and write nothing"
    )
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="stop the emulator once it has responded, instead of waiting for Ctrl-C",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop_host.boards.board import load_board
    from byteprop_host.deployment import start_board
    from byteprop_host.firmware.build import build
    from byteprop_host.firmware.sketch import check_is_built_here
    from byteprop_host.flash import find_board, plan

    board = load_board(args.board)
    check_is_built_here(board)
    way = find_board(board, port=args.port, probe=args.probe, emulated=args.emulated)
    if args.erase or args.reset:
        return _act(args, board, way, console)
    image = load_baked(args).image if args.model and board.is_baked else None
    with console.progress() as progress:
        firmware = build(board, image, mlperf=args.mlperf_tiny, progress=progress)
        if args.dry_run:
            commands = plan(board, firmware, way=way)
            console.result(
                commands.text(),
                {"board": board.name, "commands": [list(c) for c in commands.commands]},
            )
            return EXIT_OK
        running = start_board(board, firmware, way=way, timeout=args.timeout, progress=progress)
    waits = way is None and not args.no_wait
    with running:
        info = None if args.mlperf_tiny else _hello(running, firmware, args.timeout)
        # From here on Ctrl-C is the way to end it.
        with suppress(KeyboardInterrupt) if waits else nullcontext():
            if info is None:
                _print_runner(console, running, firmware, args.mlperf_tiny)
            else:
                _print_board(console, running, firmware, info, image)
            if waits:
                _wait(running, console)
    return EXIT_OK


def _act(args: argparse.Namespace, board: Board, way: Way | None, console: Console) -> int:
    """Erases or resets a board on a cable."""
    from byteprop.errors import ArgumentError
    from byteprop_host.flash import CableRunner, Way, choose

    if args.erase and args.reset:
        raise ArgumentError("--erase: expected --erase or --reset, got both")
    runner = choose(board, way or Way())
    assert isinstance(runner, CableRunner)
    if args.erase:
        runner.erase(way or Way(), args.timeout)
    else:
        runner.reset(way or Way(), args.timeout)
    done = "erased" if args.erase else "reset"
    console.result(f"{board.name}: {done}", {"board": board.name, done: True})
    return EXIT_OK


def _hello(running: RunningBoard, firmware: Firmware, timeout: float) -> DeviceInfo:
    from byteprop_host.deployment import check_build
    from byteprop_host.link import Device

    board = running.board
    with Device.open(
        running.port,
        baud=board.serial.baud,
        timeout=timeout,
        board=board.name,
        quiet=running.quiet,
    ) as device:
        check_build(device, board, firmware)
        return device.info


def _print_board(
    console: Console,
    running: RunningBoard,
    firmware: Firmware,
    info: DeviceInfo,
    image: bytes | None,
) -> None:
    from byteprop_host.firmware.model_image import model_image

    # The board's own is that of the image in its CPU's layout; its build was checked.
    crc = None if image is None else f"{model_image(image).crc32:08x}"
    model = f"model {crc} in flash" if crc else "no model in flash"
    console.result(
        f"{info.board} ({info.cpu}) runs build {info.build_id:016x} on {running.port}, {model}",
        {
            "board": info.board,
            "cpu": info.cpu,
            "port": running.port,
            "build_id": f"{info.build_id:016x}",
            "flash_bytes": firmware.flash_bytes,
            "ram_bytes": firmware.ram_bytes,
            "model_crc32": crc,
        },
    )


def _print_runner(
    console: Console, running: RunningBoard, firmware: Firmware, benchmark: str
) -> None:
    """This firmware answers the runner alone, so nothing is asked."""
    board = running.board
    console.result(
        f"{board.name} ({board.cpu}) runs build {firmware.build_id:016x} on {running.port} with "
        f"{board.serial.baud:,} baud, for the runner of MLPerf Tiny as {benchmark}",
        {
            "board": board.name,
            "cpu": board.cpu,
            "port": running.port,
            "baud": board.serial.baud,
            "build_id": f"{firmware.build_id:016x}",
            "flash_bytes": firmware.flash_bytes,
            "ram_bytes": firmware.ram_bytes,
            "mlperf_tiny": benchmark,
        },
    )


def _wait(running: RunningBoard, console: Console) -> None:
    """Waits until the user stops the emulator. FlashError when it exits by itself."""
    from byteprop_host.errors import FlashError

    console.note("running; press Ctrl-C to stop")
    while getattr(running, "is_alive", lambda: True)():
        time.sleep(0.2)
    raise FlashError(f"{running.board.name}: the emulator exited unexpectedly")


VERB = Verb(
    name="flash",
    summary="build firmware and write it to a board, or run it in the board's emulator",
    example="byteprop flash --board microbit --port /dev/ttyACM0 --model fashion.tflite",
    configure=_configure,
    run=_run,
    docs="porting",
)
