"""The program of the ESP32-C3, apart from its set-up."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="emulates the chip")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import Board, BootBlock, boards_root, load_board
from byteprop_host.errors import BuildError
from byteprop_host.firmware.boot_block import check_boot_block
from byteprop_host.firmware.build import build
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import ANSWER, PROTOCOL_VERSION, Message
from models.esp32c3 import Esp32c3
from models.plain import load
from mutants import with_mutant

BOARD = load_board("esp32-c3-devkit")
MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "regression_1x1.tflite"
UART = "soc/esp32c3/uart.c"

# ESP32-C3 TRM, 1.4 "Control and Status Registers": of those that the standard has. It has neither
# `mie` nor counters of cycles and instructions.
CSRS = {"mstatus", "mtvec", "mscratch", "mepc", "mcause", "mtval"}


def program(board: Board) -> bytes:
    made = build(board, byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def test_the_cpu_has_every_csr_that_is_used() -> None:
    objdump = f"{BOARD.build.toolchain}-objdump"
    elf = build(BOARD, byteprop.load(MODEL).image).elf
    code = subprocess.run([objdump, "-d", elf], capture_output=True, text=True, check=True).stdout
    used = re.findall(r"\tcsr\w+\t(?:[a-z]\w,)?(m?[a-z]+)", code)
    assert used
    assert set(used) <= CSRS


def test_a_wrong_header_is_refused() -> None:
    image = program(BOARD)
    check_boot_block(BootBlock.ESP32C3, image)
    for at in range(8):
        damaged = image[:at] + bytes([image[at] ^ 1]) + image[at + 1 :]
        with pytest.raises(BuildError, match="expected 1d 04 db ae 1d 04 db ae at the beginning"):
            check_boot_block(BootBlock.ESP32C3, damaged)
    with pytest.raises(BuildError, match="expected code after the header"):
        check_boot_block(BootBlock.ESP32C3, image[:8])


def test_a_model_beyond_the_mapped_flash_is_refused() -> None:
    small = replace(BOARD, memory=replace(BOARD.memory, flash_bytes=12_000))
    with pytest.raises(byteprop.BytepropError, match="flash"):
        build(small, byteprop.load(MODEL.with_name("digits_mlp.tflite")).image)


def answered_and_faults(board: Board) -> tuple[list[int], list[str]]:
    """Types of what is answered to HELLO and RESET, and after the reset to ECHO."""
    chip = Esp32c3()
    load(chip, program(board), board.memory.flash_origin)
    decoder = Decoder()
    seen = []
    hello = Frame(Message.HELLO, payload=bytes([PROTOCOL_VERSION, 1, 0, 0, 0]))
    for question in (hello, Frame(Message.RESET, seq=1, ack=1), Frame(Message.ECHO)):
        chip.uart.line.to_chip += encode_frame(question)
        for _ in range(150):
            chip.run(2_000)
        seen += [frame.type for frame in decoder.feed(chip.uart.line.taken())]
    return seen, chip.faults


def test_a_reset_sends_first_what_waits() -> None:
    seen, faults = answered_and_faults(BOARD)
    assert seen == [Message.HELLO | ANSWER, Message.RESET | ANSWER, Message.NO_SESSION]
    assert faults == []


def test_without_waiting_a_reset_loses_bytes(tmp_path: Path) -> None:
    text = (boards_root() / UART).read_text(encoding="utf-8")
    begin = text.index("while (UART_STATUS & STATUS_TX_COUNT ||")
    end = text.index("}", begin) + 1
    _, faults = answered_and_faults(with_mutant(BOARD, tmp_path, UART, begin, end))
    assert faults == ["the UART is reset while it sends"]
