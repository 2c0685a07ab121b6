"""What the device program does with single frames: order, repetition, sessions, refusals."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

import byteprop
from byteprop.engine._raw import Status, const
from byteprop_host.boards.board import load_board
from byteprop_host.errors import DoesNotFitError, RequestError
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.link import Decoder, Device, Frame, Message, encode_frame, open_transport

DIGITS = Path(__file__).parents[1] / "data/models/digits_mlp.tflite"
ANSWER = const("BP_MSG_ANSWER")
INPUTS, IMAGE = const("BP_OBJ_INPUTS"), const("BP_OBJ_IMAGE")


class Line:
    """Frames to and from a board, without a client's care."""

    def __init__(self, port: str) -> None:
        self._transport = open_transport(port, baud=115_200)
        self._decoder = Decoder()

    def send(self, *frames: Frame) -> list[Frame]:
        """Sends, and gives what comes back until the line is quiet."""
        self._transport.write(b"".join(map(encode_frame, frames)))
        answers = []
        while data := self._transport.read(0.2):
            answers += self._decoder.feed(data)
        return answers

    def hello(self, session: int) -> Frame:
        payload = struct.pack("<BI", const("BP_LINK_VERSION"), session)
        (answer,) = self.send(Frame(Message.HELLO, payload=payload))
        return answer

    def close(self) -> None:
        self._transport.close()


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    board = load_board("host")
    with start(board, build(board)) as running:
        yield running.port


@pytest.fixture
def line(port: str) -> Iterator[Line]:
    line = Line(port)
    yield line
    line.close()


@pytest.fixture
def loaded(port: str) -> Iterator[Device]:
    with Device.open(port) as device:
        device.load_image(byteprop.load(DIGITS).image)
        yield device


def echo(seq: int, data: bytes = b"x", ack: int = 0) -> Frame:
    return Frame(Message.ECHO, seq, ack, payload=data)


def test_no_session_after_reset() -> None:
    board = load_board("host")
    with start(board, build(board)) as running:
        line = Line(running.port)
        (answer,) = line.send(echo(5))
        assert (answer.type, answer.seq) == (Message.NO_SESSION, 5)
        line.close()


def test_repeated_request_is_answered_again_and_not_executed_again(line: Line) -> None:
    """LOAD_BEGIN for a new image forgets the old one, so a second execution would show."""
    assert line.hello(1).ack == 1
    begin = Frame(Message.LOAD_BEGIN, 1, 1, payload=struct.pack("<II", 100, 42))
    data = Frame(Message.LOAD_DATA, 2, 1, payload=struct.pack("<I", 0) + b"a" * 60)
    other = Frame(Message.LOAD_BEGIN, 3, 1, payload=struct.pack("<II", 200, 43))
    more = Frame(Message.LOAD_DATA, 4, 1, payload=struct.pack("<I", 0) + b"b" * 10)
    first = line.send(begin, data, other, more)
    again = line.send(begin, data, other, more)
    assert [a.payload for a in first] == [bytes([0]) + struct.pack("<I", n) for n in (0, 60, 0, 10)]
    assert [(a.seq, a.payload) for a in again] == [(a.seq, a.payload) for a in first]
    rest = Frame(Message.LOAD_DATA, 5, 5, payload=struct.pack("<I", 10) + b"b")
    assert line.send(rest)[0].payload == bytes([0]) + struct.pack("<I", 11)


def test_gap_is_told_once_and_nothing_is_executed(line: Line) -> None:
    line.hello(2)
    (nack,) = line.send(echo(2, b"two"), echo(3, b"three"))
    assert (nack.type, nack.seq, nack.ack) == (Message.NACK, 2, 1)
    answers = line.send(echo(1, b"one"), echo(2, b"two"), echo(3, b"three"))
    assert [(a.seq, a.ack, a.payload[1:]) for a in answers] == [
        (1, 2, b"one"),
        (2, 3, b"two"),
        (3, 4, b"three"),
    ]


def test_sync_tells_what_is_expected_and_executes_nothing(line: Line) -> None:
    line.hello(9)
    sync = Frame(Message.SYNC, 999, 1)
    answers = line.send(echo(1), echo(3), sync, echo(2), sync)
    assert [(a.type, a.seq, a.ack) for a in answers] == [
        (Message.ECHO | ANSWER, 1, 2),
        (Message.NACK, 3, 2),
        (Message.SYNC | ANSWER, 999, 2),
        (Message.ECHO | ANSWER, 2, 3),
        (Message.SYNC | ANSWER, 999, 3),
    ]


def test_hello_of_the_same_session_keeps_its_state(line: Line) -> None:
    line.hello(3)
    line.send(echo(1))
    assert line.hello(3).ack == 2
    assert line.hello(4).ack == 1


def test_free_slots_are_told_and_kept_to(line: Line) -> None:
    slots = line.hello(5).aux
    assert slots == load_board("host").serial.slots
    answers = line.send(*(echo(1 + i, ack=1) for i in range(slots + 1)))
    assert [a.aux for a in answers[:slots]] == list(range(slots - 1, -1, -1))
    assert (answers[slots].type, answers[slots].ack) == (Message.NACK, slots + 1)
    (answer,) = line.send(echo(slots + 1, ack=slots + 1))
    assert (answer.type, answer.aux) == (Message.ECHO | ANSWER, slots - 1)


def test_sequence_numbers_wrap(port: str) -> None:
    with Device.open(port) as device:
        channel = device.session.channel
        channel._next_seq = 1
        for first in range(0, 0x10010, 16):
            seqs = [channel.submit(Message.ECHO, b"%d" % (first + i)) for i in range(16)]
            answers = [channel.take(seq).data for seq in seqs]
            assert answers == [b"%d" % (first + i) for i in range(16)]
        assert device.sessions_lost == 0
        assert channel._next_seq < 0x20


def test_long_answer_is_not_repeated_from_changed_memory(loaded: Device, port: str) -> None:
    channel = loaded.session.channel
    n = load_board("host").serial.slot_bytes + 100
    read = struct.pack("<BHIH", IMAGE, 0, 0, n)
    seq = channel.submit(Message.READ, read, long_answer=True)
    first = channel.take(seq).checked()
    assert first == byteprop.load(DIGITS).image[:n]
    repeated = encode_frame(Frame(Message.READ, seq, seq, payload=read))

    def answer_again() -> bytes:
        channel._transport.write(repeated)
        for _ in range(100):
            for frame in channel._decoder.feed(channel._transport.read(0.1)):
                if frame.seq == seq:
                    return frame.payload
        raise AssertionError("no answer")

    assert answer_again() == b"\0" + first
    channel.request(Message.WRITE, struct.pack("<BHI", INPUTS, 0, 0) + b"changed")
    assert answer_again() == bytes([Status.E_STATE])


REFUSED = {
    "unknown request": (0x55, b"", Status.E_UNKNOWN),
    "object": (Message.WRITE, struct.pack("<BHI", 9, 0, 0), Status.E_UNKNOWN),
    "image is read only": (Message.WRITE, struct.pack("<BHI", IMAGE, 0, 0), Status.E_UNKNOWN),
    "write beyond": (Message.WRITE, struct.pack("<BHI", INPUTS, 0, 60) + b"12345", Status.E_RANGE),
    "offset": (Message.WRITE, struct.pack("<BHI", INPUTS, 0, 2**32 - 1) + b"1", Status.E_RANGE),
    "tensor": (Message.READ, struct.pack("<BHIH", 2, 4000, 0, 1), Status.E_RANGE),
    "index": (Message.READ, struct.pack("<BHIH", 0, 1, 0, 1), Status.E_RANGE),
    "length": (Message.READ, b"\0", Status.E_LENGTH),
    "read too long": (Message.READ, struct.pack("<BHIH", 3, 0, 0, 4096), Status.E_LENGTH),
    "digest": (Message.DIGEST, struct.pack("<BHII", 3, 0, 1, 2**32 - 1), Status.E_RANGE),
    "profile": (Message.PROFILE, struct.pack("<H", 3), Status.E_RANGE),
    "source": (Message.SELECT, b"\7", Status.E_UNKNOWN),
    "flash": (Message.SELECT, bytes([const("BP_SOURCE_FLASH")]), Status.E_NO_MODEL),
    "load data gap": (Message.LOAD_DATA, struct.pack("<I", 2**31) + b"x", Status.E_RANGE),
    "infer": (Message.INFER, b"", Status.E_LENGTH),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, loaded: Device) -> None:
    kind, payload, status = REFUSED[name]
    answer = loaded.session.channel.take(loaded.session.channel.submit(kind, payload))
    assert Status(answer.status) is status


def test_nothing_runs_without_a_model(line: Line) -> None:
    line.hello(8)
    begin = Frame(Message.LOAD_BEGIN, 1, 1, payload=struct.pack("<II", 100, 1))
    requests = [
        Frame(Message.INFER, 2, 1, payload=struct.pack("<H", 0xFFFF)),
        Frame(Message.PROFILE, 3, 1, payload=struct.pack("<H", 0)),
        Frame(Message.READ, 4, 1, payload=struct.pack("<BHIH", 1, 0, 0, 1)),
    ]
    answers = line.send(begin, *requests)
    assert [a.payload[0] for a in answers] == [0] + 3 * [Status.E_NO_MODEL]


def test_image_that_is_too_large_is_refused_with_the_numbers(port: str) -> None:
    pool = load_board("host").memory.pool_bytes
    with Device.open(port) as device:
        begin = struct.pack("<II", pool + 1, 0)
        answer = device.session.channel.take(
            device.session.channel.submit(Message.LOAD_BEGIN, begin)
        )
        assert Status(answer.status) is Status.E_SPACE
        assert struct.unpack("<II", answer.data) == (pool + 1, pool)
        image = bytearray(byteprop.load(DIGITS).image)
        struct.pack_into("<I", image, 20, pool)
        with pytest.raises(DoesNotFitError, match=f"has {pool}"):
            device.load_image(bytes(image))


def test_damaged_image_is_refused(port: str) -> None:
    image = bytearray(byteprop.load(DIGITS).image)
    image[200] ^= 1
    other = byteprop.load(DIGITS.with_name("regression_1x1.tflite")).image
    with Device.open(port) as device:
        device.load_image(other)  # or a board that has the whole one would not take it again
        with pytest.raises(RequestError, match="checksum does not match") as caught:
            device.load_image(bytes(image))
        assert caught.value.status == "E_CRC"


def test_profile_and_digest(loaded: Device) -> None:
    model = byteprop.load(DIGITS)
    x = bytes(range(64))
    answer = loaded.infer(x)
    ticks = loaded.profile()
    assert len(ticks) == len(model.graph.ops)
    assert loaded.digest(const("BP_OBJ_OUTPUTS"), 0, 0, len(answer.output)) == answer.crc
    assert loaded.read_outputs() == answer.output
    crc = loaded.digest(IMAGE, 0, 16, len(model.image) - 16)
    assert crc == loaded.info.selected_crc32
