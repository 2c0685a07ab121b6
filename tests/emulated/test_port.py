"""A board's own code alone: memory, ring, ticks, stack and reset, without the device program."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from byteprop_host.boards.board import Board
from byteprop_host.flash import start
from emulation import strict

PROGRAM = Path(__file__).with_name("port_check.c")
TIMEOUT = 30.0


class Line:
    def __init__(self, running: Any, board: Board) -> None:
        self.running = running
        self.board = board
        self.serial = serial.Serial(running.port, board.serial.baud, timeout=0.1)
        self.hello()

    def hello(self) -> None:
        """A UART drops what arrives before it is on: asked until answered, then emptied."""
        for _ in range(int(TIMEOUT / self.serial.timeout)):
            self.serial.write(b"?")
            if self.serial.read(1):
                break
        else:
            pytest.fail(f"{self.board.name} does not answer")
        while self.serial.read(64):
            pass
        self.serial.timeout = TIMEOUT

    def ask(self, letter: bytes, n_words: int = 1) -> tuple[int, ...]:
        self.serial.write(letter)
        return struct.unpack(f"<{n_words}I", self.serial.read(4 * n_words))

    def await_reset(self) -> None:
        self.serial.timeout = 0.1
        self.hello()


@pytest.fixture
def line(board: Board) -> Iterator[Line]:
    with start(board, strict(board, program=(PROGRAM,))) as running:
        made = Line(running, board)
        yield made
        made.serial.close()


def test_memory_is_set_up_and_a_reset_loses_what_the_program_wrote(line: Line) -> None:
    assert line.ask(b"d", 3) == (0x12345678, 0, 0)
    assert line.ask(b"d", 3) == (0x12345678, 0, 1)
    line.serial.write(b"r")
    line.await_reset()
    assert line.ask(b"d", 3) == (0x12345678, 0, 0)
    line.running.reset()
    line.await_reset()
    assert line.ask(b"d", 3) == (0x12345678, 0, 0)


def test_the_ring_holds_a_whole_window_while_nobody_reads(line: Line) -> None:
    burst = bytes(ord("A") + i % 26 for i in range(line.board.serial.rx_window))
    line.serial.write(b"w")
    assert line.serial.read(1) == b"w"  # in the ring it would take the place of a byte
    line.serial.write(burst)
    assert line.serial.read(len(burst)) == burst
    assert line.ask(b"o") == (0,)


def test_ticks_rise_and_the_stack_is_watched(line: Line) -> None:
    readings = [line.ask(b"t")[0] for _ in range(200)]
    assert all(0 < (b - a) % 2**32 < 2**31 for a, b in itertools.pairwise(readings))
    free, total, intact = line.ask(b"s", 3)
    assert line.board.memory.stack_bytes <= total <= line.board.memory.ram_bytes
    assert 0 < free < total
    assert intact == 1
