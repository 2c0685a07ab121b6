"""The verbs of the `byteprop` command: one file each, with a `VERB` in it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from byteprop_host.console import Console

EXIT_OK = 0
EXIT_DIFFERENT = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130

NAMES = (
    "boards", "info", "build", "flash", "verify", "train", "run", "bench", "monitor", "convert",
)  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """One subcommand. `run` returns the exit code; errors are raised."""

    name: str
    summary: str
    example: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], int]
    has_json: bool = True


def add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--board",
        "-b",
        default="host",
        metavar="BOARD",
        help="board to use (default: host, the device program as a process; "
        "`byteprop boards` lists them)",
    )


def add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        "-p",
        metavar="PORT",
        help="serial port of the board, for instance /dev/ttyACM0 (default: the board's emulator; "
        "for a board without one, the port with its USB ids)",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long a silent board is waited for (default: %(default)g)",
    )


def add_wire_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wire-log",
        type=Path,
        metavar="FILE",
        help="record every byte of the line to FILE, for `byteprop monitor --replay`",
    )


def add_samples(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument(
        "--data",
        "-d",
        type=Path,
        required=required,
        metavar="FILE",
        help="samples: .npy, .npz (x and y), IDX (.gz too) or .csv"
        + ("" if required else " (default: generated ones)"),
    )
    parser.add_argument(
        "--samples", "-n", type=positive_int, metavar="N", help="take the first N samples only"
    )
    parser.add_argument(
        "--pixel-scale",
        type=_fraction,
        default=1 / 255,
        metavar="S",
        help="real value of one step of uint8 data when the model's input is no uint8 "
        "(default: 1/255)",
    )


def _fraction(text: str) -> float:
    value = float(Fraction(text))
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"must be positive, not {text}")
    return value


def positive_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be a positive number of seconds, not {text}")
    return value


def positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return value
