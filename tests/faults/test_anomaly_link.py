"""A detector of anomalies on the native device program, over the link: as the host's, exactly once,
through losses and resets, saved in flash with the weights, and what is refused."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from byteprop.engine._raw import Status, const
from byteprop.engine._raw_anomaly import STATE_BYTES, Config, Detector
from byteprop_host.boards.board import load_board
from byteprop_host.errors import AnswerError
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import (
    DetectorSession,
    Device,
    Frame,
    Message,
    TrainingSession,
    TrainSample,
    encode_frame,
)
from faulty_line import FaultyLine
from hostile_board import HostileBoard, honest_board, patched

sys.path.insert(0, str(Path(__file__).parents[1]))
from anomaly_case import CONFIG, FAULTS, IMAGE, NORMAL, TRAINING, expected, verdicts_of
from training_boards import classifier

DETECTOR = const("BP_OBJ_DETECTOR")


@pytest.fixture
def running() -> Iterator[RunningBoard]:
    board = load_board("host")
    with start(board, build(board)) as running:
        yield running


@pytest.fixture
def device(running: RunningBoard) -> Iterator[Device]:
    with Device.open(running.port) as device:
        device.load_image(IMAGE)
        yield device


def check_run(device: Device) -> DetectorSession:
    """Learns and judges; every score, verdict and the state are the host's."""
    scores, verdicts, state = expected(IMAGE)
    session = DetectorSession(device, IMAGE, CONFIG)
    assert [learnt.score for learnt in session.learn(NORMAL)] == scores
    assert verdicts_of(session.judge([*NORMAL[:9], *FAULTS])) == verdicts
    assert session.state == state
    session.digest()
    return session


def test_the_board_decides_as_the_host_does(device: Device) -> None:
    session = check_run(device)
    verdicts = expected(IMAGE)[1]
    assert any(v.alarm for v in verdicts) and not verdicts[0].alarm
    assert device.session.read(DETECTOR, 0, 0, STATE_BYTES) == session.state


def test_a_bad_line_costs_no_window(running: RunningBoard) -> None:
    with (
        FaultyLine(running.port, rate=1 / 1000, seed=7) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        device.load_image(IMAGE)
        check_run(device)
        assert device.retransmissions > 0


def test_resets_cost_no_window(running: RunningBoard) -> None:
    whole = (len(NORMAL) + 9 + len(FAULTS)) * (len(NORMAL[0]) + 40)
    resets = tuple(len(IMAGE) + 300 + whole * i // 6 for i in (1, 3, 5))
    with (
        FaultyLine(running.port, reset=running.reset, reset_at=resets) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        device.load_image(IMAGE)
        check_run(device)
        assert line.resets == 3


def test_a_repeated_window_is_answered_and_not_learnt_again(device: Device) -> None:
    session = DetectorSession(device, IMAGE, CONFIG)
    list(session.learn(NORMAL[:3]))
    channel = device.session.channel
    device.session.submit_write(const("BP_OBJ_INPUTS"), NORMAL[3])
    seq = channel.submit(Message.ANOMALY_LEARN)
    answer = channel.take(seq).checked()
    for _ in range(3):
        channel._transport.write(encode_frame(Frame(Message.ANOMALY_LEARN, seq, seq)))
    again: list[Frame] = []
    while len(again) < 3:
        again += [f for f in channel._decoder.feed(channel._transport.read(1.0)) if f.seq == seq]
    assert {frame.payload for frame in again} == {b"\0" + answer}
    twin = Detector(CONFIG)
    for score in expected(IMAGE)[0][:4]:
        twin.learn(score)
    assert device.session.read(DETECTOR, 0, 0, STATE_BYTES) == twin.state


def test_trained_weights_and_detector_outlive_a_reset(device: Device) -> None:
    """After training the detector watches the trained model; one save has both."""
    training = TrainingSession(device, IMAGE, TRAINING)
    list(training.train(TrainSample(row, (), 1 << 17) for row in NORMAL))
    trained = training.end()
    assert trained != IMAGE
    session = DetectorSession(device, trained, CONFIG)
    assert [learnt.score for learnt in session.learn(NORMAL)] == expected(trained)[0]
    saved = session.save()
    assert saved.state_bytes == training.plan.state_bytes and saved.detector_bytes == STATE_BYTES
    state = session.state
    list(session.judge(FAULTS))
    device.reset()
    assert session.restore() == saved
    assert session.state == state
    assert device.session.read(const("BP_OBJ_IMAGE"), 0, 0, len(trained)) == trained
    assert verdicts_of(session.judge([*NORMAL[:9], *FAULTS])) == expected(trained)[1]


def test_a_cut_save_leaves_the_one_before(running: RunningBoard) -> None:
    board = load_board("host")
    program = build(board, defines={"BP_APP_TEST_FAULTS": "1", "BP_ASSERTIONS": "1"})
    with start(board, program) as other, Device.open(other.port) as device:
        device.load_image(IMAGE)
        session = DetectorSession(device, IMAGE, CONFIG)
        list(session.learn(NORMAL[:20]))
        first = session.save()
        kept = session.state
        list(session.learn(NORMAL[20:]))
        cut = struct.pack("<BI", const("BP_TEST_CUT"), 60)
        device.session.request(Message.TEST_FAULT, cut)
        device.session.channel.submit(Message.SAVE)
        other.reset()
        device.session.channel.established = False
        assert session.restore() == first
        assert session.state == kept


def test_what_is_out_of_place_is_refused(device: Device) -> None:
    channel = device.session.channel

    def status(kind: int, payload: bytes = b"") -> Status:
        return Status(channel.take(channel.submit(kind, payload)).status)

    config = struct.pack("<HBBBBH", *vars(CONFIG).values(), 0)
    row = struct.pack("<BHI", DETECTOR, 0, 0)
    assert status(Message.ANOMALY_LEARN) is Status.E_STATE
    assert status(Message.SAVE) is Status.E_STATE
    assert status(Message.READ, row + b"\1\0") is Status.E_STATE
    assert status(Message.ANOMALY_BEGIN, config[:-1]) is Status.E_LENGTH
    assert status(Message.ANOMALY_BEGIN, b"\0" * 8) is Status.E_ARG
    assert status(Message.ANOMALY_BEGIN, config) is Status.OK
    assert status(Message.ANOMALY_LEARN, b"x") is Status.E_LENGTH
    assert status(Message.ANOMALY_JUDGE) is Status.E_STATE
    twin = Detector(Config(500))
    for score in range(63):
        twin.learn(score)
    assert status(Message.WRITE, row + twin.state) is Status.OK
    assert status(Message.ANOMALY_LEARN) is Status.E_RANGE  # more ranks than there are
    assert status(Message.ANOMALY_JUDGE) is Status.OK
    assert status(Message.WRITE, row + b"\xff" * 8) is Status.OK
    for kind in (Message.ANOMALY_JUDGE, Message.ANOMALY_LEARN, Message.SAVE):
        assert status(kind) is Status.E_ARG  # no detector can have such bytes
    device.load_image(classifier((8, 3), 1))
    assert status(Message.ANOMALY_LEARN) is Status.E_STATE  # it has gone with its model
    assert status(Message.ANOMALY_BEGIN, config) is Status.E_UNSUPPORTED


@pytest.mark.parametrize(
    ("kind", "at", "layout", "field"),
    [
        (Message.ANOMALY_LEARN, 1, "Q", "score"),
        (Message.ANOMALY_LEARN, 13, "I", "scores learnt from"),
        (Message.ANOMALY_JUDGE, 1, "Q", "score"),
        (Message.ANOMALY_JUDGE, 14, "B", "votes"),
        (Message.ANOMALY_JUDGE, 15, "B", "alarm"),
    ],
)
def test_a_lie_is_named(kind: Message, at: int, layout: str, field: str) -> None:
    with (
        honest_board() as board,
        HostileBoard(board.port, patched(kind, at, layout, 77)) as hostile,
        Device.open(hostile.port, timeout=0.5) as device,
    ):
        device.load_image(IMAGE)
        session = DetectorSession(device, IMAGE, CONFIG)
        with pytest.raises(AnswerError) as caught:
            list(session.learn(NORMAL))
            list(session.judge(FAULTS))
        assert caught.value.field == field
