"""arduino-uno in simavr: its cycles are those of the data sheet, and figures are told in them."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

import byteprop
from byteprop_host.boards.board import Board, load_board
from byteprop_host.errors import FlashError, ToolMissingError
from byteprop_host.flash import SimavrRunner, choose, start
from byteprop_host.target import BoardTarget
from byteprop_host.verify import bench as bench_module
from emulation import FLASH, MODELS, Vectors, opened, require, strict

PROGRAM = Path(__file__).with_name("avr_cycles.c")
# Of the ATmega328P's data sheet, chapter "Instruction Set Summary"; the order is the program's.
CYCLES = {
    "nop, nop, nop": 1 + 1 + 1,
    "add, movw": 1 + 1,
    "muls, clr": 2 + 1,
    "adiw, sbiw": 2 + 2,
    "lpm, lpm": 3 + 3,
    "ld, ld": 2 + 2,
    "st": 2,
    "push, pop": 2 + 2,
    "rcall, ret, rjmp": 3 + 4 + 2,
    "call, ret, jmp": 4 + 4 + 3,
    "ldi, ten times dec and brne": 1 + 10 * 1 + 9 * 2 + 1,
    "ldi, sbrs over two words": 1 + 3,
    "ldi, sbrc that does not skip, nop": 1 + 1 + 1,
}


@pytest.fixture
def uno() -> Board:
    return require(load_board("arduino-uno:simavr"))


def ask(line: serial.Serial, number: int) -> int:
    line.write(bytes([ord("a") + number]))
    (cycles,) = struct.unpack("<H", line.read(2))
    return int(cycles)


def ask_until_answered(line: serial.Serial) -> int:
    """A UART drops what arrives before it is on. What is answered late is emptied."""
    for _ in range(100):
        line.write(b"a")
        answer = line.read(2)
        if answer:
            while line.read(64):
                pass
            return int.from_bytes(answer, "little")
    pytest.fail("the board does not answer")


def test_instructions_take_the_cycles_of_the_data_sheet(uno: Board) -> None:
    with (
        start(uno, strict(uno, program=(PROGRAM,))) as running,
        serial.Serial(running.port, uno.serial.baud, timeout=0.1) as line,
    ):
        reading = ask_until_answered(line)
        line.timeout = 10.0
        found = {name: ask(line, i) - reading for i, name in enumerate(CYCLES, 1)}
    assert found == CYCLES


def test_bench_tells_cycles(uno: Board) -> None:
    found = bench_module.bench(MODELS / "digits_mlp.tflite", BoardTarget(uno))
    assert found.unit == "cycles"
    assert found.median is not None and found.minimum is not None and found.maximum is not None
    # Loading a weight and an input and multiplying them takes 7 cycles.
    assert found.median > 7 * found.macs
    # What differs is that the timer overflows, every 65536 cycles, and the UART receives.
    assert found.maximum - found.minimum < found.median / 50
    assert sum(row.cost or 0 for row in found.layers) <= found.maximum


def test_the_reset_button_and_the_watchdog(
    uno: Board, vectors: Callable[[str, int], Vectors]
) -> None:
    model, inputs, outputs = vectors("digits_mlp", 3)
    with opened(uno, strict(uno, model.image)) as (running, device):
        device.select(FLASH)
        assert device.infer(inputs[0]).output == outputs[0]
        running.reset()
        assert device.infer(inputs[1]).output == outputs[1]
        device.reset()
        assert device.infer(inputs[2]).output == outputs[2]


def test_a_simulator_that_dies_breaks_the_line(uno: Board) -> None:
    image = byteprop.load(MODELS / "regression_1x1.tflite").image
    with start(uno, strict(uno, image)) as running:
        with serial.Serial(running.port, uno.serial.baud, timeout=5.0) as line:
            os.kill(running.pid, signal.SIGKILL)
            with pytest.raises((serial.SerialException, OSError)):
                line.read(100)
                line.read(100)
        while running.is_alive():  # it lets the line go first
            time.sleep(0.01)
        with pytest.raises(FlashError, match="the emulator exited"):
            running.reset()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No compiler at all, and one that finds no simavr."""
    board = load_board("arduino-uno:simavr")
    runner = SimavrRunner(board, board.runners[0])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runner.availability().available is False
    assert runner.availability().detail == "cc is not installed"
    cc = tmp_path / "cc"
    cc.write_text("#!/bin/sh\necho 'fatal error: simavr/avr_uart.h: No such file' >&2\nexit 1\n")
    cc.chmod(0o755)
    with pytest.raises(ToolMissingError, match=r"libsimavr-dev is not installed: sudo apt-get"):
        choose(board)
