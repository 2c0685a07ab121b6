"""The Pico 2's image definition, read by a second parser: made from the source of the chip's boot
ROM, not from the build's check."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import BootBlock, load_board
from byteprop_host.errors import BuildError
from byteprop_host.firmware.boot_block import check_boot_block
from byteprop_host.firmware.build import build
from models.picobin import NoBlock, Start, first_block, started

BOARD = load_board("pico2-uart")
MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "regression_1x1.tflite"
ORIGIN = BOARD.memory.flash_origin
BLOCK_BYTES = 20


@pytest.fixture(scope="module", params=["uploaded", "baked"])
def image(request: pytest.FixtureRequest) -> bytes:
    model = byteprop.load(MODEL).image if request.param == "baked" else None
    made = build(BOARD, model).binary
    assert made is not None
    return made.read_bytes()


def test_the_program_is_started(image: bytes) -> None:
    memory = BOARD.memory
    start = started(image, ORIGIN)
    assert start == Start(memory.ram_origin + memory.ram_bytes, start.entry)
    assert first_block(image).at % 4 == 0
    check_boot_block(BootBlock.RP2350, image)


def is_started(image: bytes) -> bool:
    try:
        return bool(started(image, ORIGIN))
    except NoBlock:
        return False


def test_no_bit_of_the_block_can_change(image: bytes) -> None:
    """But the byte that fills up the last item, which the boot ROM does not read. The build refuses
    that too."""
    at = first_block(image).at
    harmless = set()
    for bit in range(8 * BLOCK_BYTES):
        changed = bytearray(image)
        changed[at + bit // 8] ^= 1 << bit % 8
        with pytest.raises(BuildError, match="expected an image definition"):
            check_boot_block(BootBlock.RP2350, bytes(changed))
        if is_started(bytes(changed)):
            harmless.add(bit)
    assert harmless == set(range(8 * 11, 8 * 12))


def test_a_block_behind_4_kb_is_not_found(image: bytes) -> None:
    at = first_block(image).at
    block = image[at : at + BLOCK_BYTES]
    assert first_block(bytes(4092) + block).at == 4092
    with pytest.raises(NoBlock, match="first 4096 bytes"):
        first_block(bytes(4096) + block)
    with pytest.raises(BuildError, match="within the first 4096 bytes, got none"):
        check_boot_block(BootBlock.RP2350, bytes(4096) + block)


def test_the_file_is_for_this_chip() -> None:
    families = pytest.importorskip("adafruit_uf2", reason="knows the families").load_families()
    assert families["RP2350_ARM_S"] == BOARD.build.uf2_family
