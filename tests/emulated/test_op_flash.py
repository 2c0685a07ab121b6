"""The flash that a model needs, as it is said before anything is compiled."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import byteprop
from byteprop.image import all_ops
from byteprop_host.boards.board import all_boards, boards_root, load_board
from byteprop_host.boards.toml_table import read_toml
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import memory_needs

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
EXAMPLES = [
    "examples/digits_cnn/digits_cnn.tflite",
    "examples/fashion_mnist/fashion_cnn.tflite",
    "examples/fashion_mnist/fashion_mlp.tflite",
]
MODELS = [*EXAMPLES, "kws_dscnn.tflite", "ic01_resnet8.tflite", "vww_mobilenet_96.tflite"]
BOARDS = ["mps2-an386", "mps2-an385", "rv32-virt", "microbit", "arduino-uno"]


def test_every_op_was_measured_for_every_cpu() -> None:
    table = read_toml(boards_root() / "op_flash.toml")
    for name in BOARDS:
        board = load_board(name)
        assert set(table[board.isa or board.arch]) == all_ops() - set(board.build.ops)
    # Of a sketch the IDE chooses the CPU.
    boards = [b for b in all_boards() if b.build.toolchain != "native" and b.arch != "any"]
    assert {b.isa or b.arch for b in boards} <= set(table)


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("model", MODELS)
def test_what_is_said_is_enough_and_little_more(name: str, model: str) -> None:
    board = load_board(name)
    if shutil.which(f"{board.build.toolchain}-gcc") is None:
        pytest.skip(f"{board.build.toolchain}-gcc is not installed")
    path = ROOT / model if model in EXAMPLES else PUBLIC / model
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    image = byteprop.load(path).image
    needs = memory_needs(board, image)
    if not needs.ok:
        pytest.skip(needs.text)
    built = build(board, image)
    said = needs.flash_needed - built.model_bytes
    assert built.program_flash_bytes <= said <= built.program_flash_bytes * 4 // 3
