"""Another program sends HELLO: the session is opened again, nothing is computed twice."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import byteprop
from byteprop.engine._raw import const
from byteprop_host.boards.board import load_board
from byteprop_host.errors import LinkError
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Device, Frame, Message, TrainingSession, encode_frame
from faulty_line import FaultyLine
from hostile_board import HostileBoard, honest, honest_board
from test_lossy_line import samples, streamed, wanted
from test_train_link import TASKS, check_against_twin

sys.path.insert(0, str(Path(__file__).parents[1]))
from training_boards import shown

DIGITS = Path(__file__).parents[1] / "data/models/digits_mlp.tflite"


@pytest.fixture
def running() -> Iterator[RunningBoard]:
    with honest_board() as running:
        yield running


def hello(session: int) -> bytes:
    payload = struct.pack("<BI", const("BP_LINK_VERSION"), session)
    return encode_frame(Frame(Message.HELLO, payload=payload))


def test_inference_recovers_from_a_stray_hello(running: RunningBoard) -> None:
    image = byteprop.load(DIGITS).image
    inputs = samples(120, 64, 1)
    with FaultyLine(running.port) as line, Device.open(line.port, timeout=2.0) as device:
        device.load_image(image)
        outputs = []
        for i, answer in enumerate(device.infer_stream(inputs)):
            outputs.append(answer.output)
            if i % 30 == 10:
                line.send_to_board(hello(i))
        assert outputs == wanted(image, inputs)
        assert device.sessions_lost >= 4


def test_training_recovers_from_a_stray_hello(running: RunningBoard) -> None:
    task = TASKS["classifier"]
    with FaultyLine(running.port) as line, Device.open(line.port, timeout=2.0) as device:
        session = TrainingSession(device, task.image, task.config, checkpoint_every=50)
        results = []
        for i, result in enumerate(session.train(task.samples)):
            results.append(result)
            if i % 90 == 10:
                line.send_to_board(hello(i))
        check_against_twin(session, task, shown(results))
        assert device.sessions_lost >= 3


def test_a_hello_while_nothing_is_asked(running: RunningBoard) -> None:
    """The answer to it is lost, so only the next request shows what has happened; beyond request
    32,768 the board takes even that for an old one and says nothing."""
    image = byteprop.load(DIGITS).image
    x = samples(1, 64, 2)
    for first in (1, 30, 40_000):
        running.reset()
        with FaultyLine(running.port) as line, Device.open(line.port, timeout=2.0) as device:
            channel = device.session.channel
            device.load_image(image)
            while channel._next_seq < first:
                for seq in [channel.submit(Message.ECHO) for _ in range(16)]:
                    channel.take(seq)
            line.send_to_board(hello(first))
            while not channel._transport.read(0.5):
                pass
            assert streamed(device, x) == wanted(image, x)
            assert device.sessions_lost == 1


def test_a_program_that_connects_all_the_time_is_reported(running: RunningBoard) -> None:
    class Intruder(FaultyLine):
        def _pass_on(self, data: bytes) -> None:
            super()._pass_on(data + hello(7))

    with Intruder(running.port) as line, Device.open(line.port, timeout=0.5) as device:
        with pytest.raises(LinkError, match="another program talks to it: 20 sessions were lost"):
            device.load_image(byteprop.load(DIGITS).image)


def test_another_firmware_in_the_middle_is_reported(running: RunningBoard) -> None:
    other = build(load_board("host"), defines={"BP_BUILD_ID": "7ull"})
    with start(load_board("host"), other) as replacement:
        boards = [running.port, replacement.port]
        with HostileBoard(boards[0], honest) as line, Device.open(line.port, timeout=2.0) as device:
            assert device.echo(b"first") == b"first"
            line.plug(boards[1])
            with pytest.raises(LinkError, match="another board or firmware answers: expected"):
                device.echo(b"second")
