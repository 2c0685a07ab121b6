"""A board that works for long says so, and the host waits for as long as it does."""

from __future__ import annotations

import os
import pty
import struct
import threading
import time
import tty
from pathlib import Path

import byteprop
from byteprop.engine._raw import const
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.link import Decoder, Device, Frame, Message, encode_frame, replay
from test_errors import hello_answer

MODELS = Path(__file__).parents[1] / "data/models"
ANSWER = const("BP_MSG_ANSWER")


def test_device_program_beats_between_ops(tmp_path: Path) -> None:
    """With a tick counter that claims 4 ticks a second, every op takes longer than a quarter."""
    model = byteprop.load(MODELS / "digits_mlp.tflite")
    board = load_board("host")
    path = tmp_path / "wire.jsonl"
    with start(board, build(board, defines={"BP_TICK_HZ": "4u"})) as running:
        with path.open("wb") as log, Device.open(running.port, log=log) as device:
            assert device.info.tick_hz == 4
            device.load_image(model.image)
            first = device.infer(bytes(64))
            assert device.infer(bytes(64)).output == first.output
    beats = [f.frame for f in replay(path) if f.frame.type == Message.HEARTBEAT]
    ops = len(model.graph.ops)
    assert [struct.unpack("<H", b.payload)[0] for b in beats] == 2 * list(range(ops))


def test_time_that_the_caller_takes_is_not_the_boards() -> None:
    """Longer than all time-outs passes between two answers of a stream."""
    board = load_board("host")
    inputs = [bytes([i]) * 64 for i in range(40)]
    with start(board, build(board)) as running, Device.open(running.port, timeout=0.1) as device:
        device.load_image(byteprop.load(MODELS / "digits_mlp.tflite").image)
        outputs = []
        for i, answer in enumerate(device.infer_stream(inputs)):
            outputs.append(answer.output)
            if i == 10:
                time.sleep(1.2)
        assert outputs == [device.infer(x).output for x in inputs]
        assert device.sessions_lost == 0


def test_host_waits_while_the_board_beats() -> None:
    """Five times the time-out passes between request and answer."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    beat = encode_frame(Frame(Message.HEARTBEAT, ack=1, payload=b"\0\0"))

    def board() -> None:
        decoder = Decoder()
        while True:
            sent = os.read(master, 4096)
            os.write(master, hello_answer(sent))
            if any(f.type == Message.ECHO for f in decoder.feed(sent)):
                break
        for _ in range(10):
            time.sleep(0.1)
            os.write(master, beat)
        answer = Frame(Message.ECHO | ANSWER, seq=1, ack=2, payload=b"\0done")
        os.write(master, encode_frame(answer))

    thread = threading.Thread(target=board, daemon=True)
    thread.start()
    with Device.open(os.ttyname(slave), timeout=0.2) as device:
        assert device.echo(b"done") == b"done"
    thread.join(5.0)
    os.close(master)
    os.close(slave)
