"""Lies to a program that uses the link itself: one lie about each answer, and random ones."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.engine._raw import Engine, const
from byteprop_host.boards.board import Board, load_board
from byteprop_host.deployment import check_build
from byteprop_host.errors import AnswerError, HostError, LinkError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash import RunningBoard
from byteprop_host.link import Device, Frame, HeadStep, Message, TrainingSession, TrainResult
from hostile_board import UNASKED, HostileBoard, Lie, honest_board, patched, payload

sys.path.insert(0, str(Path(__file__).parents[1]))
from training_boards import Task, classification, shown, twin_results

from byteprop.engine._raw_train import Trainer

MODEL = byteprop.load(Path(__file__).parents[1] / "data/models/digits_mlp.tflite")
RAM = const("BP_SOURCE_RAM")
X = bytes(range(64))
TASK = classification((4, 3, 2), 30, window=0)
HEAD = classification((4, 3), 1, window=0)  # one layer, whose classes come and go


@pytest.fixture(scope="module")
def board() -> Iterator[RunningBoard]:
    with honest_board() as running:
        yield running


def load(device: Device) -> None:
    device.load_image(MODEL.image)


def select(device: Device) -> None:
    load(device)
    device.select(RAM)


def infer_two(device: Device) -> None:
    load(device)
    device.infer_upto(X, 2)


def read_tensor(device: Device) -> None:
    load(device)
    device.infer(X)
    device.read_tensor(MODEL.graph.outputs[0], 10)


def train(device: Device) -> TrainingSession:
    session = TrainingSession(device, TASK.image, TASK.config)
    list(session.train(TASK.samples[:10]))
    return session


def rehearse(device: Device) -> None:
    session = TrainingSession(device, HEAD.image, replace(HEAD.config, kept=3))
    steps = [HeadStep(Message.REMEMBER, 1, HEAD.samples[0].x), HeadStep(Message.IMPRINT, 1)]
    steps += [HeadStep(Message.REHEARSE, lr_q24=9000), HeadStep(Message.REMOVE, 0)]
    steps += [HeadStep(Message.HOLD, 1, HEAD.samples[0].x), HeadStep(Message.CHECK)]
    list(session.train(steps))


def evaluate(device: Device) -> None:
    list(train(device).evaluate(TASK.samples[:3]))


def save(device: Device) -> TrainingSession:
    session = train(device)
    session.save()
    return session


def restore(device: Device) -> None:
    session = save(device)
    device.reset()
    session.checkpoint()


def number(kind: Message, at: int, layout: str, value: int) -> Lie:
    return patched(kind, at, layout, value)


LIES: dict[str, tuple[Lie, Callable[[Device], object], str, str]] = {
    "echo": (
        payload(Message.ECHO, lambda old: old[:-1] + b"!"),
        lambda device: device.echo(b"hello"),
        "ECHO answer",
        "bytes",
    ),
    "reset": (
        payload(Message.RESET, lambda old: old + b"!"),
        Device.reset,
        "RESET answer",
        "bytes after the status",
    ),
    "space": (
        payload(Message.LOAD_BEGIN, lambda old: bytes([19]) + struct.pack("<II", 5, 6)),
        load,
        "LOAD_BEGIN answer",
        "bytes needed",
    ),
    "selected model": (number(Message.SELECT, 1, "I", 5), select, "SELECT answer", "model CRC"),
    "selected outputs": (
        number(Message.SELECT, 13, "I", 11), select, "SELECT answer", "output bytes",
    ),
    "a few ops": (
        number(Message.INFER, 5, "I", 5), infer_two, "INFER answer", "CRC-32 of all outputs",
    ),
    "tensor": (
        payload(Message.READ, lambda old: old[:1] + bytes(10)),
        read_tensor,
        "READ answer",
        "CRC-32 of the 10 bytes read",
    ),
    "remembered": (
        payload(Message.REMEMBER, lambda old: old + b"!"),
        rehearse, "REMEMBER answer", "bytes after the status",
    ),
    "imprinted": (
        payload(Message.IMPRINT, lambda old: old + b"!"),
        rehearse, "IMPRINT answer", "bytes after the status",
    ),
    "removed": (
        payload(Message.REMOVE, lambda old: old + b"!"),
        rehearse, "REMOVE answer", "bytes after the status",
    ),
    "rehearsed class": (
        number(Message.REHEARSE, 9, "H", 3), rehearse, "REHEARSE answer", "predicted",
    ),
    "rehearsed correct": (
        number(Message.REHEARSE, 11, "B", 2), rehearse, "REHEARSE answer", "correct",
    ),
    "rehearsed steps": (
        number(Message.REHEARSE, 12, "I", 2), rehearse, "REHEARSE answer", "steps",
    ),
    "held out": (
        payload(Message.HOLD, lambda old: old + b"!"),
        rehearse, "HOLD answer", "bytes after the status",
    ),
    "checked samples": (
        number(Message.CHECK, 9, "H", 0), rehearse, "CHECK answer", "samples held out",
    ),
    "checked right": (number(Message.CHECK, 11, "H", 2), rehearse, "CHECK answer", "right"),
    "checked steps": (number(Message.CHECK, 13, "I", 9), rehearse, "CHECK answer", "steps"),
    "evaluated": (number(Message.EVALUATE, 12, "I", 11), evaluate, "EVALUATE answer", "steps"),
    "saved image": (number(Message.SAVE, 5, "I", 1), save, "SAVE answer", "image bytes"),
    "saved state": (number(Message.SAVE, 9, "I", 1), save, "SAVE answer", "state bytes"),
    "saved samples": (number(Message.SAVE, 17, "I", 11), save, "SAVE answer", "samples"),
    "saved slot": (number(Message.SAVE, 21, "B", 2), save, "SAVE answer", "slot"),
    "save found": (number(Message.SAVE_INFO, 17, "I", 3), restore, "SAVE_INFO answer", "save"),
    "save restored": (number(Message.RESTORE, 1, "I", 99), restore, "RESTORE answer", "save"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_names_message_and_field(name: str, board: RunningBoard) -> None:
    lie, action, message, field = LIES[name]
    board.reset()
    with HostileBoard(board.port, lie) as line, Device.open(line.port, timeout=2.0) as device:
        with pytest.raises(AnswerError) as caught:
            action(device)
    assert (caught.value.message, caught.value.field) == (message, field)
    assert f"the board's {message} is wrong: {field}: expected" in str(caught.value)


@pytest.mark.parametrize("name", LIES)
def test_without_the_lie_it_works(name: str, board: RunningBoard) -> None:
    board.reset()
    with Device.open(board.port, timeout=2.0) as device:
        LIES[name][1](device)


def mutated(frame: Frame, r: random.Random) -> Frame:
    old = frame.payload
    kind = r.randrange(7)
    if kind == 0:
        return replace(frame, payload=old[: r.randrange(len(old) + 1)])
    if kind == 1:
        return replace(frame, payload=old + r.randbytes(r.choice([1, 4, 300, 50_000])))
    if kind == 2:
        return replace(frame, payload=r.randbytes(len(old)))
    if kind == 3:
        return replace(frame, ack=r.choice([0, frame.ack + 1, r.randrange(65_536)]) & 0xFFFF)
    if kind == 4:
        return replace(frame, seq=r.choice([0, frame.seq + 1, r.randrange(65_536)]) & 0xFFFF)
    if kind == 5:
        return replace(frame, type=r.choice([*(0x80 | m for m in range(0x70)), *UNASKED]))
    at = r.randrange(len(old)) if old else 0
    value = r.choice([0, 1, 0x7F, 0xFF]).to_bytes(1, "little")
    return replace(frame, payload=old[:at] + value * r.choice([1, 2, 4]) + old[at + 1 :])


def sometimes(seed: int) -> Lie:
    r = random.Random(seed)
    return lambda frame: [mutated(frame, r) if r.random() < 0.02 else frame]


def infers(device: Device) -> bool:
    load(device)
    x = np.random.default_rng(1).integers(0, 256, (20, 64), dtype=np.uint8)
    got = [a.output for a in device.infer_stream((row.tobytes() for row in x), whole=True)]
    device.profile()
    device.stats()
    return got == [row.tobytes() for row in Engine(MODEL.image).run(x)]


def learns(device: Device) -> bool:
    session = TrainingSession(device, TASK.image, TASK.config, checkpoint_every=12, save_every=7)
    results: list[TrainResult] = list(session.train(TASK.samples))
    task: Task = TASK
    twin = Trainer(task.image, task.config)
    # The loss is the board's own word, which only the host's training can judge.
    expected = [r[1:] for r in twin_results(twin, task.samples)]
    return session.end() == twin.image and [r[1:] for r in shown(results)] == expected


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("use", [infers, learns])
def test_random_lies_end_in_an_error_or_change_nothing(
    use: Callable[[Device], bool], seed: int, board: RunningBoard
) -> None:
    board.reset()
    with HostileBoard(board.port, sometimes(seed)) as line:
        try:
            with Device.open(line.port, timeout=0.3) as device:
                assert use(device)
        except HostError as error:
            assert str(error).isprintable()


def test_a_board_that_runs_another_build_than_was_flashed(board: RunningBoard) -> None:
    cable = load_board("microbit")
    with Device.open(board.port, timeout=2.0) as device:
        running = device.info.build_id
        check_build(device, cable, firmware(cable, running))
        with pytest.raises(LinkError, match=f"expected build 0{15 * '0'}, got {running:016x}"):
            check_build(device, cable, firmware(cable, 0))


def firmware(board: Board, build_id: int) -> Firmware:
    return Firmware(
        board, elf=Path("x.elf"), hex=None, binary=None, uf2=None, build_id=build_id, flash_bytes=0,
        ram_bytes=0, model_bytes=0, sizes={},
    )  # fmt: skip
