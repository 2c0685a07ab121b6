"""The runners of a board: one class for each kind of boards/runner.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from byteprop_host.boards.board import Board
from byteprop_host.flash.avrdude import AvrdudeRunner
from byteprop_host.flash.base import FlashRunner
from byteprop_host.flash.command import CommandRunner
from byteprop_host.flash.daplink import DaplinkRunner
from byteprop_host.flash.dfu_util import DfuUtilRunner
from byteprop_host.flash.esptool import EsptoolRunner
from byteprop_host.flash.native import NativeRunner
from byteprop_host.flash.openocd import OpenocdRunner
from byteprop_host.flash.pyocd import PyocdRunner
from byteprop_host.flash.qemu import QemuRunner
from byteprop_host.flash.simavr import SimavrRunner
from byteprop_host.flash.sketch import SketchRunner
from byteprop_host.flash.st_flash import StFlashRunner
from byteprop_host.flash.uf2 import Uf2Runner

_RUNNERS: Mapping[str, Callable[[Board, Any], FlashRunner]] = {
    "qemu": lambda board, _: QemuRunner(board),
    "native": lambda board, _: NativeRunner(board),
    "simavr": SimavrRunner,
    "sketch": SketchRunner,
    "command": CommandRunner,
    "openocd": OpenocdRunner,
    "pyocd": PyocdRunner,
    "st-flash": StFlashRunner,
    "dfu-util": DfuUtilRunner,
    "avrdude": AvrdudeRunner,
    "esptool": EsptoolRunner,
    "uf2": Uf2Runner,
    "daplink": DaplinkRunner,
}


def runners(board: Board) -> tuple[FlashRunner, ...]:
    """The board's runners in the order of board.toml."""
    return tuple(_RUNNERS[r.kind](board, r) for r in board.runners)
