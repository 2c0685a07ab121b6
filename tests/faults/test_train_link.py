"""Training over the link, on the native device program: exactly once, through losses and resets,
and what is refused."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.engine._raw import Engine, Status, const
from byteprop.engine._raw_train import Config, Trainer
from byteprop.errors import ArgumentError, TrainingError
from byteprop_host.boards.board import load_board
from byteprop_host.errors import DoesNotFitError, RequestError
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Device, Frame, Message, TrainingSession, TrainSample, encode_frame
from faulty_line import FaultyLine

sys.path.insert(0, str(Path(__file__).parents[1]))
from training_boards import (
    Task,
    classification,
    regression,
    shown,
    twin_digests,
    twin_results,
    without_biases,
)

MODELS = Path(__file__).parents[1] / "data/models"
INPUTS = const("BP_OBJ_INPUTS")
STATE = const("BP_OBJ_TRAIN_STATE")
TASKS = {
    "classifier": classification((64, 32, 10), 300),
    "batch": classification((64, 32, 10), 100, batch=8),
    "momentum": classification((20, 12, 4), 100, batch=3, momentum_shift=3, window=7),
    "regression": regression(300),
    "no biases": without_biases(classification((20, 12, 4), 100, window=7)),
}


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


@contextmanager
def host() -> Iterator[RunningBoard]:
    board = load_board("host")
    with start(board, build(board)) as running:
        yield running


@pytest.fixture
def running() -> Iterator[RunningBoard]:
    with host() as board:
        yield board


@pytest.fixture
def device(running: RunningBoard) -> Iterator[Device]:
    with Device.open(running.port) as device:
        yield device


def test_the_board_learns_as_the_host_does(device: Device, task: Task) -> None:
    twin = Trainer(task.image, task.config)
    session = TrainingSession(device, task.image, task.config)
    assert session.digests() == twin_digests(twin)
    half = len(task.samples) // 2
    for part in (task.samples[:half], task.samples[half:]):
        assert shown(list(session.train(part))) == twin_results(twin, part)
        assert session.digests() == twin_digests(twin)
        assert session.counters() == twin.counters
    evaluated = [replace(s, lr_q24=None) for s in task.samples[:20]]
    assert shown(list(session.evaluate(task.samples[:20]))) == twin_results(twin, evaluated)
    twin.flush()
    assert session.end() == twin.image
    assert session.checkpoint().state == twin.state
    assert shown(list(session.evaluate(task.samples[:5]))) == twin_results(twin, evaluated[:5])
    with pytest.raises(RequestError, match="not allowed in the current state"):
        list(session.train(task.samples[:1]))


def test_inference_serves_between_samples(device: Device) -> None:
    task = TASKS["classifier"]
    twin = Trainer(task.image, task.config)
    session = TrainingSession(device, task.image, task.config)
    channel = device.session.channel
    for sample in task.samples[:20]:
        list(session.train([sample]))
        twin_results(twin, [sample])
        device.session.submit_write(INPUTS, sample.x)
        answer = channel.request(Message.INFER, struct.pack("<H", 0xFFFF))
        wanted = Engine(twin.image).run(np.frombuffer(sample.x, np.uint8).reshape(1, -1))
        assert answer[8:] == wanted.tobytes()
    assert session.digests() == twin_digests(twin)


def test_a_repeated_step_is_answered_again_and_not_done_again(device: Device) -> None:
    task = TASKS["classifier"]
    twin = Trainer(task.image, task.config)
    session = TrainingSession(device, task.image, task.config)
    channel = device.session.channel
    sample = task.samples[0]
    device.session.submit_write(INPUTS, sample.x)
    payload = struct.pack("<IH", sample.lr_q24 or 0, int(str(sample.y)))
    seq = channel.submit(Message.TRAIN, payload)
    first = channel.take(seq).checked()
    before = device.stats().repeated
    for _ in range(3):
        channel._transport.write(encode_frame(Frame(Message.TRAIN, seq, seq, payload=payload)))
    answers = []
    while len(answers) < 3:
        answers += [f for f in channel._decoder.feed(channel._transport.read(1.0)) if f.seq == seq]
    assert {a.payload for a in answers} == {b"\0" + first}
    twin_results(twin, [sample])
    assert device.stats().repeated == before + 3
    assert session.counters() == twin.counters
    assert session.digests() == twin_digests(twin)


def check_against_twin(session: TrainingSession, task: Task, results: object) -> None:
    twin = Trainer(task.image, task.config)
    assert results == twin_results(twin, task.samples)
    assert session.samples == len(task.samples)
    assert session.counters() == twin.counters
    assert session.digests() == twin_digests(twin)
    twin.flush()
    assert session.end() == twin.image


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_lossy_line_costs_no_step(running: RunningBoard, task: Task, seed: int) -> None:
    with (
        FaultyLine(running.port, rate=1 / 1000, seed=seed) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        session = TrainingSession(device, task.image, task.config, checkpoint_every=70)
        results = shown(list(session.train(task.samples)))
        check_against_twin(session, task, results)
        assert sum(line.to_board.done.values()) > 0
        assert device.retransmissions > 0


@pytest.mark.parametrize("save_every", [0, 7])
@pytest.mark.parametrize("rate", [0.0, 1 / 1000])
def test_resets_in_the_middle_cost_no_step(
    running: RunningBoard, task: Task, rate: float, save_every: int
) -> None:
    whole = len(task.samples) * (len(task.samples[0].x) + 50)
    resets = tuple(len(task.image) + 500 + whole * i // 5 for i in (1, 2, 3))
    with (
        FaultyLine(running.port, rate=rate, seed=5, reset=running.reset, reset_at=resets) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        session = TrainingSession(
            device, task.image, task.config, checkpoint_every=60, save_every=save_every
        )
        results = shown(list(session.train(task.samples)))
        check_against_twin(session, task, results)
        assert line.resets == len(resets)
        assert device.sessions_lost > 0
        if rate == 0.0:
            assert (session.restored_from_flash > 0) == (save_every > 0)
            assert save_every > 0 or session.restored_from_host > 0


def test_results_are_told_once_and_in_order(running: RunningBoard) -> None:
    task = TASKS["regression"]
    with (
        FaultyLine(
            running.port, reset=running.reset, reset_at=tuple(range(2_000, 12_000, 1_000))
        ) as line,
        Device.open(line.port, timeout=20.0) as device,
    ):
        session = TrainingSession(device, task.image, task.config, checkpoint_every=10_000)
        steps = [r.steps for r in session.train(task.samples)]
    assert steps == list(range(1, len(task.samples) + 1))
    assert session.results_repeated > 0


def test_given_up_in_the_middle(device: Device) -> None:
    """Samples on their way when the caller stops are not counted, and not learnt."""
    task = TASKS["classifier"]
    twin = Trainer(task.image, task.config)
    session = TrainingSession(device, task.image, task.config)
    stream = session.train(task.samples)
    first = [next(stream) for _ in range(10)]
    stream.close()
    assert shown(first) == twin_results(twin, task.samples[:10])
    assert session.samples == 10
    assert session.counters() == twin.counters
    assert session.digests() == twin_digests(twin)


def test_a_checkpoint_begins_another_session(running: RunningBoard) -> None:
    task = TASKS["momentum"]
    twin = Trainer(task.image, task.config)
    twin_results(twin, task.samples)
    with Device.open(running.port) as device:
        session = TrainingSession(device, task.image, task.config)
        list(session.train(task.samples[:41]))
        checkpoint = session.checkpoint()
    assert checkpoint.samples == 41
    running.reset()
    with Device.open(running.port) as device:
        session = TrainingSession(device, task.image, task.config, resume=checkpoint)
        list(session.train(task.samples[41:]))
        assert session.counters() == twin.counters
        assert session.digests() == twin_digests(twin)


# --- saving ---


def test_what_is_saved_outlives_a_reset(running: RunningBoard) -> None:
    task = TASKS["classifier"]
    twin = Trainer(task.image, task.config)
    with Device.open(running.port) as device:
        session = TrainingSession(device, task.image, task.config)
        sequences = []
        for n in (10, 30):
            list(session.train(task.samples[session.samples : n]))
            saved = session.save()
            sequences.append((saved.sequence, saved.slot, saved.samples))
        assert sequences == [(1, 0, 10), (2, 1, 30)]
        list(session.train(task.samples[30:35]))
    twin_results(twin, task.samples[:30])
    running.reset()
    with Device.open(running.port) as device:
        channel = device.session.channel
        told = channel.request(Message.SAVE_INFO)
        assert channel.request(Message.RESTORE) == told
        image = device.session.read(const("BP_OBJ_IMAGE"), 0, 0, len(task.image))
        assert image == twin.image
        assert device.session.read(STATE, 0, 0, twin.plan.state_bytes) == twin.state


def test_nothing_saved_is_told(device: Device) -> None:
    for kind in (Message.SAVE_INFO, Message.RESTORE):
        with pytest.raises(RequestError) as caught:
            device.session.channel.request(kind)
        assert caught.value.status == "E_NO_MODEL"
    with pytest.raises(RequestError) as caught:
        device.session.channel.request(Message.SAVE)
    assert caught.value.status == "E_STATE"


# --- refusals ---


def begin(**changes: int) -> bytes:
    fields = {
        "seed": 1, "frozen": 0, "batch": 1, "window": 0, "flags": 0, "momentum": 0, "kept": 0,
        "rate": 0, "end": 0,
    }  # fmt: skip
    return struct.pack("<IIHHBBHB3s", *({**fields, **changes} | {"end": end_of(changes)}).values())


def end_of(changes: dict[str, int]) -> bytes:
    return changes.get("end", 0).to_bytes(3, "little")


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"", Status.E_LENGTH),
        (begin() + b"\0", Status.E_LENGTH),
        (begin(batch=0), Status.E_ARG),
        (begin(flags=4), Status.E_ARG),
        (begin(momentum=16), Status.E_ARG),
        (begin(kept=1, window=1), Status.E_UNSUPPORTED),
        (begin(rate=41), Status.E_ARG),
        (begin(end=1 << 8), Status.E_ARG),
        (begin(end=1 << 16), Status.E_ARG),
        (begin(flags=8), Status.E_UNSUPPORTED),
    ],
)
def test_a_bad_configuration_is_refused(device: Device, payload: bytes, status: Status) -> None:
    device.load_image(TASKS["classifier"].image)
    channel = device.session.channel
    answer = channel.take(channel.submit(Message.TRAIN_BEGIN, payload))
    assert Status(answer.status) is status
    refused = channel.take(channel.submit(Message.TRAIN, b"\0" * 6))
    assert Status(refused.status) is Status.E_STATE


def test_requests_out_of_place_are_refused(device: Device) -> None:
    channel = device.session.channel

    def status(kind: int, payload: bytes = b"") -> Status:
        return Status(channel.take(channel.submit(kind, payload)).status)

    read = struct.pack("<BHIH", STATE, 0, 0, 4)
    assert status(Message.TRAIN_BEGIN, begin()) is Status.E_NO_MODEL
    device.load_image(TASKS["classifier"].image)
    for kind in (Message.TRAIN, Message.EVALUATE):
        assert status(kind, b"\0" * 6) is Status.E_STATE
    assert status(Message.TRAIN_END) is Status.E_STATE
    assert status(Message.READ, read) is Status.E_STATE
    assert status(Message.TRAIN_BEGIN, begin()) is Status.OK
    assert status(Message.READ, read) is Status.OK
    assert status(Message.TRAIN, b"\0" * 7) is Status.E_LENGTH
    assert status(Message.TRAIN, struct.pack("<IH", 1, 10)) is Status.E_ARG  # classes 0 .. 9
    assert status(Message.EVALUATE, struct.pack("<H", 10)) is Status.E_ARG
    assert status(Message.EVALUATE, b"") is Status.E_LENGTH
    assert status(Message.TRAIN_END, b"x") is Status.E_LENGTH
    assert status(Message.SAVE, b"x") is Status.E_LENGTH
    beyond = struct.pack("<BHIH", STATE, 0, 2**20, 1)
    assert status(Message.READ, beyond) is Status.E_RANGE


def test_a_state_that_cannot_be_is_refused(device: Device) -> None:
    """Biases beyond what the arithmetic allows; the next sample says so, and a good state heals."""
    task = TASKS["regression"]
    session = TrainingSession(device, task.image, task.config)
    state = session.checkpoint().state
    assert state is not None
    session._session.write(STATE, state[:40] + b"\xff\xff\xff\x7f" + state[44:])
    with pytest.raises(RequestError) as caught:
        list(session.train(task.samples[:1]))
    assert caught.value.status == "E_ARG"
    assert len(list(session.train(task.samples[:3]))) == 3  # it began anew from the checkpoint


def test_targets_have_to_be_as_many_as_outputs(device: Device) -> None:
    task = TASKS["regression"]
    session = TrainingSession(device, task.image, task.config)
    wrong = TrainSample(task.samples[0].x, (1, 2), 1)
    with pytest.raises(RequestError) as caught:
        list(session.train([wrong]))
    assert caught.value.status == "E_LENGTH"
    with pytest.raises(ArgumentError, match="x: expected 1 bytes, got 2"):
        list(session.train([TrainSample(b"ab", (1,), 1)]))


def test_what_does_not_fit_is_refused_with_the_numbers(running: RunningBoard) -> None:
    task = TASKS["batch"]
    small = build(load_board("host"), defines={"BP_POOL_BYTES": "6000u"})
    with start(load_board("host"), small) as board, Device.open(board.port) as device:
        with pytest.raises(DoesNotFitError, match=r"needs \d+ bytes of RAM .* host has 6000"):
            TrainingSession(device, task.image, task.config)


def test_firmware_without_training_says_so() -> None:
    board = load_board("host")
    with start(board, build(board, defines={"BP_APP_TRAIN": "0"})) as running:
        with Device.open(running.port) as device:
            with pytest.raises(RequestError) as caught:
                TrainingSession(device, TASKS["regression"].image, Config(1))
            assert caught.value.status == "E_UNSUPPORTED"


def test_a_model_that_cannot_be_trained_is_refused_with_its_op(device: Device) -> None:
    """Scales that were given cannot be revised; host and board name the same op."""
    image = byteprop.load(MODELS / "digits_mlp.tflite").image
    with pytest.raises(TrainingError) as caught:
        TrainingSession(device, image, Config(1, window=5))
    device.load_image(image)
    channel = device.session.channel
    answer = channel.take(channel.submit(Message.TRAIN_BEGIN, begin(window=5)))
    assert Status(answer.status) is Status.E_UNSUPPORTED
    assert struct.unpack("<H", answer.data) == (caught.value.op,)


def test_loading_ends_training_and_leaves_a_true_image(device: Device) -> None:
    task = TASKS["classifier"]
    twin = Trainer(task.image, task.config)
    session = TrainingSession(device, task.image, task.config)
    list(session.train(task.samples[:20]))
    twin_results(twin, task.samples[:20])
    data = device.session.channel.request(Message.SELECT, bytes([const("BP_SOURCE_RAM")]))
    assert struct.unpack_from("<I", data) == struct.unpack_from("<I", twin.image, 12)
    device.load_image(task.image)  # the untrained one again, not taken for the one that is there
    assert device.session.read(const("BP_OBJ_IMAGE"), 0, 0, len(task.image)) == task.image
