"""Kept features and classes that come and go, over the link, on the native device program: as the
host's twin, exactly once, through losses and resets, saved in flash, and what is refused."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from byteprop.engine._raw import Status, const
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import (
    Device,
    Frame,
    HeadStep,
    Message,
    TrainingSession,
    TrainSample,
    encode_frame,
)
from faulty_line import FaultyLine

sys.path.insert(0, str(Path(__file__).parents[1]))
from training_boards import (
    Task,
    head,
    head_steps,
    kept_steps,
    shown,
    twin_after,
    twin_digests,
    twin_step,
)

STATE = const("BP_OBJ_TRAIN_STATE")
RATE = round(0.01 * 2**24)
PLAIN = head(40, frozen=0b01)
TASK = Task(PLAIN.image, replace(PLAIN.config, kept=9), PLAIN.samples)


@pytest.fixture
def running() -> Iterator[RunningBoard]:
    board = load_board("host")
    with start(board, build(board)) as running:
        yield running


@pytest.fixture
def device(running: RunningBoard) -> Iterator[Device]:
    with Device.open(running.port) as device:
        yield device


def test_the_board_does_what_the_host_does(device: Device) -> None:
    twin, results = twin_after(TASK, head_steps(TASK))
    session = TrainingSession(device, TASK.image, TASK.config)
    assert shown(list(session.train(head_steps(TASK)))) == results
    assert session.samples == twin.counters.samples == len(TASK.samples)
    assert session.counters() == twin.counters
    assert session.digests() == twin_digests(twin)
    assert session.end() == twin.image


def test_a_convolution_learns_from_kept_features_through_a_reset(running: RunningBoard) -> None:
    task = replace(TASK, config=replace(TASK.config, frozen=0, convs=1))
    twin, results = twin_after(task, kept_steps(task))
    half = len(task.image) + 400 + sum(len(step.x) + 30 for step in kept_steps(task)) // 2
    with (
        FaultyLine(running.port, reset=running.reset, reset_at=(half,)) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        session = TrainingSession(device, task.image, task.config, checkpoint_every=15)
        assert shown(list(session.train(kept_steps(task)))) == results
        assert session.digests() == twin_digests(twin)
        assert session.end() == twin.image
        assert line.resets == 1


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("save_every", [0, 4])
def test_resets_cost_no_step(running: RunningBoard, batch: int, save_every: int) -> None:
    task = replace(TASK, config=replace(TASK.config, batch=batch))
    twin, results = twin_after(task, head_steps(task))
    whole = sum(len(step.x) + 30 for step in head_steps(task))
    resets = tuple(len(task.image) + 400 + whole * i // 5 for i in (1, 2, 3))
    with (
        FaultyLine(running.port, reset=running.reset, reset_at=resets) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        session = TrainingSession(
            device, task.image, task.config, checkpoint_every=15, save_every=save_every
        )
        assert shown(list(session.train(head_steps(task)))) == results
        assert session.digests() == twin_digests(twin)
        assert line.resets == 3
        assert (session.restored_from_flash > 0) == (save_every > 0)
        assert save_every > 0 or session.restored_from_host > 0


def test_a_bad_line_costs_no_step(running: RunningBoard) -> None:
    twin, results = twin_after(TASK, head_steps(TASK))
    with (
        FaultyLine(running.port, rate=1 / 1000, seed=5) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        session = TrainingSession(device, TASK.image, TASK.config, checkpoint_every=15)
        assert shown(list(session.train(head_steps(TASK)))) == results
        assert session.digests() == twin_digests(twin)
        assert device.retransmissions > 0


@pytest.mark.parametrize("kind", [Message.REMEMBER, Message.REHEARSE])
def test_a_repeated_step_is_answered_and_not_done_again(device: Device, kind: Message) -> None:
    first = [step for step in head_steps(TASK) if not isinstance(step, TrainSample)][:3]
    session = TrainingSession(device, TASK.image, TASK.config)
    list(session.train(first))
    step = HeadStep(kind, 1, TASK.samples[5].x if kind == Message.REMEMBER else b"", RATE)
    channel = device.session.channel
    if step.x:
        device.session.submit_write(const("BP_OBJ_INPUTS"), step.x)
    seq = channel.submit(kind, step.payload)
    answer = channel.take(seq).checked()
    for _ in range(3):
        channel._transport.write(encode_frame(Frame(kind, seq, seq, payload=step.payload)))
    again: list[Frame] = []
    while len(again) < 3:
        again += [f for f in channel._decoder.feed(channel._transport.read(1.0)) if f.seq == seq]
    assert {frame.payload for frame in again} == {b"\0" + answer}
    twin, _ = twin_after(TASK, [*first, step])
    assert session.digests() == twin_digests(twin)


def test_what_is_kept_outlives_a_reset_in_flash(running: RunningBoard) -> None:
    done = head_steps(TASK)[:40]
    twin, _ = twin_after(TASK, done)
    with Device.open(running.port) as device:
        session = TrainingSession(device, TASK.image, TASK.config)
        list(session.train(done))
        session.save()
        list(session.train(head_steps(TASK)[40:50]))
    running.reset()
    with Device.open(running.port) as device:
        channel = device.session.channel
        channel.request(Message.RESTORE)
        image = device.session.read(const("BP_OBJ_IMAGE"), 0, 0, len(TASK.image))
        assert image == twin.image
        assert device.session.read(STATE, 0, 0, twin.plan.state_bytes) == twin.state
        channel.request(Message.REHEARSE, struct.pack("<I", RATE))
        twin_step(twin, HeadStep(Message.REHEARSE, lr_q24=RATE))
        assert device.session.read(STATE, 0, 0, twin.plan.state_bytes) == twin.state


def test_requests_out_of_place_are_refused(device: Device) -> None:
    channel = device.session.channel

    def status(kind: int, payload: bytes) -> Status:
        return Status(channel.take(channel.submit(kind, payload)).status)

    label, rate = struct.pack("<H", 1), struct.pack("<I", RATE)
    device.load_image(TASK.image)
    for kind in (Message.REMEMBER, Message.IMPRINT, Message.REMOVE):
        assert status(kind, label) is Status.E_STATE
        assert status(kind, b"x") is Status.E_LENGTH
    assert status(Message.REHEARSE, rate) is Status.E_STATE
    assert status(Message.REHEARSE, label) is Status.E_LENGTH
    for config, wanted in ((PLAIN.config, Status.E_UNSUPPORTED), (TASK.config, Status.E_STATE)):
        assert status(Message.TRAIN_BEGIN, config.pack()) is Status.OK
        assert status(Message.IMPRINT, label) is wanted
        assert status(Message.REHEARSE, rate) is wanted
    assert status(Message.REMEMBER, struct.pack("<H", 4)) is Status.E_ARG
    assert status(Message.TRAIN_END, b"") is Status.OK
    assert status(Message.REMOVE, label) is Status.E_STATE
