"""Boards learn, and what they learn is the host's to the bit: weights, residuals, biases, counters,
over a clean and a lossy line and through resets. And what a microbit saves survives a reset at
every write of its flash."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byteprop import image
from byteprop.engine._raw import Engine, const
from byteprop.engine._raw_train import Config, Trainer
from byteprop.errors import ArgumentError
from byteprop.ops import Dense
from byteprop_host.boards.board import Board, all_boards, load_board
from byteprop_host.errors import DoesNotFitError, RequestError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import training_needs
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.link import Device, Message, TrainingSession
from byteprop_host.link.channel import SessionLost
from byteprop_host.link.training import TrainSample
from byteprop_host.training.plan import can_train, check_plan, plan_training, trains_one_layer
from emulation import COMPILED, compilable, opened, require

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))
from training_boards import (
    Task,
    classification,
    head,
    head_steps,
    kept_steps,
    regression,
    shown,
    twin_after,
    twin_digests,
    twin_results,
    without_biases,
)

from faulty_line import FaultyLine
from image_net import ImageNet, image_graph

BOARDS = [b.name for b in all_boards() if b.emulator is not None and can_train(b)]


def task_of(name: str, n: int | None = None) -> Task:
    """The largest of three networks that the board can train."""
    board = load_board(name)
    if trains_one_layer(board):
        return regression(n or 300)
    large = classification((784, 20, 10), n or 60, window=25)
    if training_needs(board, large.image, large.config).ok:
        return large
    return classification((64, 32, 10), n or 150, window=40)


def firmware_of(board: Board, **defines: str) -> Firmware:
    return build(require(board), train=True, defines=defines, flags=["-Werror"])


@contextmanager
def begun(
    name: str, task: Task, *, checkpoint_every: int = 1000, **defines: str
) -> Iterator[tuple[Any, Device, TrainingSession]]:
    board = load_board(name)
    with opened(board, firmware_of(board, **defines)) as (running, device):
        yield (
            running,
            device,
            TrainingSession(device, task.image, task.config, checkpoint_every=checkpoint_every),
        )


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_learns_the_hosts_bits(name: str) -> None:
    task = task_of(name)
    twin = Trainer(task.image, task.config)
    with begun(name, task) as (_, device, session):
        half = len(task.samples) // 2
        for part in (task.samples[:half], task.samples[half:]):
            assert shown(list(session.train(part))) == twin_results(twin, part)
            assert session.digests() == twin_digests(twin)
            assert session.counters() == twin.counters
        checkpoint = session.checkpoint()
        assert (checkpoint.image, checkpoint.state) == (twin.image, twin.state)
        assert session.end() == twin.image
        stats = device.stats()
    used = stats.stack_bytes - stats.stack_free
    assert 100 < used <= stats.stack_bytes * 17 // 20
    assert stats.rx_overruns == 0
    assert twin.counters.samples == len(task.samples)


def test_convolutions_learn_within_the_stack_of_a_microbit() -> None:
    """Whose stack is the smallest of the boards that train them."""
    windows = {"depthwise": ((3, 1, 1),) * 2, "conv": ((1, 1, 0),) * 2, "mean": ((1, 1, 0),) * 2}
    kinds = ("depthwise", "conv", "depthwise", "conv", "mean")
    net = ImageNet(tuple((kind, *windows[kind]) for kind in kinds), per_channel=True)
    graph = image_graph(net, np.random.default_rng(1))
    model, config = image.encode(graph), Config(seed=1, convs=len(kinds))
    x = np.random.default_rng(2).integers(0, 256, (6, graph.tensors[0].elems)).astype(np.uint8)
    samples = [TrainSample(row.tobytes(), i % 3, 300_000) for i, row in enumerate(x)]
    twin = Trainer(model, config)
    board = load_board("microbit")
    with opened(board, build(require(board), image=model, train=True)) as (_, device):
        session = TrainingSession(device, model, config, checkpoint_every=1000)
        assert shown(list(session.train(samples))) == twin_results(twin, samples)
        assert session.digests() == twin_digests(twin)
        stats = device.stats()
    assert stats.stack_bytes - stats.stack_free <= stats.stack_bytes * 17 // 20


@pytest.mark.parametrize("name", ["mps2-an386", "rv32-virt", "microbit"])
def test_batches_and_momentum(name: str) -> None:
    large, small = (
        classification(sizes, 40, batch=6, momentum_shift=3, window=3)
        for sizes in ((64, 32, 10), (16, 12, 4))
    )
    task = large if training_needs(load_board(name), large.image, large.config).ok else small
    twin = Trainer(task.image, task.config)
    with begun(name, task) as (_, _, session):
        assert shown(list(session.train(task.samples))) == twin_results(twin, task.samples)
        assert session.digests() == twin_digests(twin)
        twin.flush()
        assert session.end() == twin.image
        assert session.checkpoint().state == twin.state


@pytest.mark.parametrize("name", ["mps2-an386", "rv32-virt", "microbit", "arduino-uno"])
def test_layers_without_bias_get_one(name: str) -> None:
    if trains_one_layer(load_board(name)):  # its training knows no QUANTIZE
        task = regression(30)
        graph = image.decode(task.image)
        bare = replace(graph, ops=(replace(graph.ops[0], has_bias=False),))
        task = replace(task, image=image.encode(bare))
    else:
        task = without_biases(classification((16, 12, 4), 40))
    twin = Trainer(task.image, task.config)
    with begun(name, task) as (_, _, session):
        assert shown(list(session.train(task.samples))) == twin_results(twin, task.samples)
        trained = session.end()
    assert trained == twin.image
    assert all(op.has_bias for op in image.decode(trained).ops if isinstance(op, Dense))


@pytest.mark.parametrize("name", ["mps2-an386", "microbit", "arduino-uno"])
@pytest.mark.parametrize("rate", [0.0, 1 / 1000])
def test_a_bad_line_and_resets_cost_no_step(name: str, rate: float) -> None:
    task = task_of(name)
    twin = Trainer(task.image, task.config)
    wanted = twin_results(twin, task.samples)
    board = load_board(name)
    whole = len(task.samples) * (len(task.samples[0].x) + 50)
    reset_at = len(task.image) + 1000 + whole // 2
    with opened(board, firmware_of(board)) as (running, device):
        device.close()
        line = FaultyLine(
            running.port, rate=rate, seed=3, reset=running.reset, reset_at=(reset_at,)
        )
        with line, Device.open(line.port, baud=board.serial.baud, timeout=30.0) as device:
            save_every = 30 if board.memory.save_slot_bytes else 0
            session = TrainingSession(
                device, task.image, task.config, checkpoint_every=50, save_every=save_every
            )
            assert shown(list(session.train(task.samples))) == wanted
            assert session.counters() == twin.counters
            assert session.digests() == twin_digests(twin)
            assert session.end() == twin.image
            assert line.resets == 1
            assert device.sessions_lost > 0


# --- what a build with training takes ---


@pytest.mark.parametrize("name", [name for name in COMPILED if can_train(load_board(name))])
def test_needs_of_board_toml_cover_what_is_built(name: str) -> None:
    board = compilable(name)
    firmware = build(board, train=True, flags=["-Werror"])
    memory = board.memory
    used = firmware.ram_bytes - firmware.sizes["pool"]
    assert firmware.flash_bytes <= memory.train_flash_bytes
    assert memory.train_flash_bytes <= firmware.flash_bytes * 5 // 4
    assert used <= memory.train_ram_bytes <= used * 5 // 4


@pytest.mark.parametrize("name", BOARDS)
def test_the_fit_is_exact(name: str) -> None:
    """What is told to be needed is what the board takes, byte for byte."""
    task = task_of(name, 1)
    board = load_board(name)
    needs = training_needs(board, task.image, task.config)
    assert needs.ok
    needed = needs.ram_needed - board.memory.train_ram_bytes
    assert needed % 4 == 0
    for pool, fits in ((needed, True), (needed - 4, False)):
        with opened(board, firmware_of(board, BP_POOL_BYTES=f"{pool}UL")) as (_, device):
            if fits:
                TrainingSession(device, task.image, task.config)
            else:
                with pytest.raises(DoesNotFitError, match=f"needs {needed} bytes of RAM"):
                    TrainingSession(device, task.image, task.config)


def test_what_does_not_fit_is_refused_before_flashing() -> None:
    task = task_of("mps2-an386", 1)
    with pytest.raises(DoesNotFitError, match=r"microbit: needs \d+ bytes of RAM, board has \d+"):
        check_plan(plan_training(load_board("microbit"), task.image, task.config), task.config)
    with pytest.raises(ArgumentError, match="trains an uploaded model"):
        build(load_board("arduino-uno"), task.image, train=True)


def test_a_baked_model_is_trained_in_ram() -> None:
    task = task_of("microbit")
    board = require(load_board("microbit"))
    twin = Trainer(task.image, task.config)
    with opened(board, build(board, task.image, train=True)) as (_, device):
        device.select(const("BP_SOURCE_FLASH"))
        channel = device.session.channel
        memory, state = struct.unpack(
            "<II", channel.request(Message.TRAIN_BEGIN, task.config.pack())
        )
        assert (memory, state) == (twin.plan.memory_bytes, twin.plan.state_bytes)
        for sample in task.samples[:10]:
            device.session.submit_write(const("BP_OBJ_INPUTS"), sample.x)
            channel.request(Message.TRAIN, struct.pack("<IH", sample.lr_q24 or 0, sample.y))
        twin_results(twin, task.samples[:10])
        channel.request(Message.TRAIN_END)
        assert device.session.read(const("BP_OBJ_IMAGE"), 0, 0, len(task.image)) == twin.image


# --- a model in flash: only what learns is in RAM ---


@contextmanager
def begun_in_flash(
    name: str, task: Task, **options: Any
) -> Iterator[tuple[Any, Device, TrainingSession]]:
    board = require(load_board(name))
    firmware = build(board, task.image, train=True, flags=["-Werror"], **options)
    with opened(board, firmware) as (running, device):
        yield (
            running,
            device,
            TrainingSession(device, task.image, task.config, base=task.image, checkpoint_every=20),
        )


@pytest.mark.parametrize("name", ["mps2-an386", "rv32-virt", "microbit"])
@pytest.mark.parametrize("frozen", [0b01, 0b00])
def test_the_head_of_a_cnn_learns_the_hosts_bits(name: str, frozen: int) -> None:
    task = head(50, frozen=frozen)
    twin = Trainer(task.image, task.config)
    with begun_in_flash(name, task) as (_, device, session):
        for part in (task.samples[:25], task.samples[25:]):
            assert shown(list(session.train(part))) == twin_results(twin, part)
            assert session.digests() == twin_digests(twin)
            assert session.counters() == twin.counters
        checkpoint = session.checkpoint()
        assert (checkpoint.image, checkpoint.state) == (twin.image, twin.state)
        assert session.end() == twin.image
        check_answers(device, task, twin.image)
        device.reset()  # what was learned is put back before the next inference
        check_answers(device, task, twin.image)
    assert twin.image != task.image


@pytest.mark.parametrize("name", ["mps2-an386", "mps2-an385", "rv32-virt", "microbit"])
def test_classes_come_and_go_as_on_the_host(name: str) -> None:
    plain = head(24)
    task = replace(plain, config=replace(plain.config, kept=9))
    twin, results = twin_after(task, head_steps(task))
    with begun_in_flash(name, task) as (_, device, session):
        assert shown(list(session.train(head_steps(task)))) == results
        assert session.digests() == twin_digests(twin)
        assert session.end() == twin.image
        check_answers(device, task, twin.image)


def test_features_are_kept_where_a_convolution_learns() -> None:
    plain = head(16, frozen=0)
    task = replace(plain, config=replace(plain.config, kept=5, convs=1))
    twin, results = twin_after(task, kept_steps(task))
    with begun_in_flash("mps2-an386", task) as (_, device, session):
        assert shown(list(session.train(kept_steps(task)))) == results
        assert session.digests() == twin_digests(twin)
        assert session.end() == twin.image
        check_answers(device, task, twin.image)


def check_answers(device: Device, task: Task, trained: bytes) -> None:
    x = [s.x for s in task.samples[:5]]
    rows = np.frombuffer(b"".join(x), np.uint8).reshape(5, -1)
    expected = [row.tobytes() for row in Engine(trained).run(rows)]
    assert [answer.output for answer in device.infer_stream(x, whole=True)] == expected


def test_batches_of_a_model_in_flash() -> None:
    task = head(20, batch=6, momentum_shift=2)
    twin = Trainer(task.image, task.config)
    with begun_in_flash("mps2-an386", task) as (_, _, session):
        assert shown(list(session.train(task.samples))) == twin_results(twin, task.samples)
        twin.flush()
        assert session.end() == twin.image
        assert session.checkpoint().state == twin.state


@pytest.mark.parametrize("name", ["mps2-an386", "microbit"])
def test_a_model_in_flash_on_a_bad_line_with_resets(name: str) -> None:
    task = head(60)
    twin = Trainer(task.image, task.config)
    wanted = twin_results(twin, task.samples)
    board = require(load_board(name))
    with opened(board, build(board, task.image, train=True)) as (running, device):
        device.close()
        resets = (2500, 6000)
        line = FaultyLine(running.port, rate=1 / 1000, seed=3, reset=running.reset, reset_at=resets)
        with line, Device.open(line.port, baud=board.serial.baud, timeout=30.0) as device:
            save_every = 15 if board.memory.save_slot_bytes else 0
            session = TrainingSession(
                device, task.image, task.config, base=task.image, checkpoint_every=25,
                save_every=save_every,
            )  # fmt: skip
            assert shown(list(session.train(task.samples))) == wanted
            assert session.digests() == twin_digests(twin)
            assert session.end() == twin.image
            assert line.resets == len(resets)
            assert device.sessions_lost > 0


def test_a_save_of_a_model_in_flash_has_what_was_learned_alone() -> None:
    task = head(40)
    twin = Trainer(task.image, task.config)
    with begun_in_flash("microbit", task) as (_, device, session):
        list(session.train(task.samples[:30]))
        twin_results(twin, task.samples[:30])
        saved = session.save()
        assert saved.image_bytes == 4
        assert saved.state_bytes == session.plan.state_bytes > twin.plan.state_bytes
        device.reset()
        assert (session.checkpoint().image, session.checkpoint().state) == (twin.image, twin.state)
        assert session.restored_from_flash == 1
        rest = task.samples[30:]
        assert shown(list(session.train(rest))) == twin_results(twin, rest)
        assert session.end() == twin.image
        session.save()
        for _ in range(2):
            device.reset()
            assert session.checkpoint().image == twin.image
            check_answers(device, task, twin.image)
        assert session.restored_from_flash == 3


def test_an_uploaded_model_is_not_trained_as_one_in_flash() -> None:
    task = head(1)
    with begun_in_flash("mps2-an386", task) as (_, device, _):
        device.load_image(task.image)
        with pytest.raises(RequestError) as caught:
            config = replace(task.config, in_flash=True).pack()
            device.session.request(Message.TRAIN_BEGIN, config)
        assert caught.value.status == "E_ARG"


def test_the_fit_of_a_model_in_flash_is_exact() -> None:
    task = head(1)
    board = require(load_board("mps2-an386"))
    needs = plan_training(board, task.image, task.config)
    assert needs.in_flash
    assert needs.ok
    needed = needs.ram_needed - board.memory.train_ram_bytes
    for pool, fits in ((needed, True), (needed - 4, False)):
        firmware = build(board, task.image, train=True, defines={"BP_POOL_BYTES": f"{pool}UL"})
        used = firmware.ram_bytes - firmware.sizes["pool"]
        assert firmware.flash_bytes <= needs.flash_needed
        assert used <= board.memory.train_ram_bytes
        with opened(board, firmware) as (_, device):
            if fits:
                TrainingSession(device, task.image, task.config, base=task.image)
            else:
                with pytest.raises(DoesNotFitError, match=f"needs {needed} bytes of RAM"):
                    TrainingSession(device, task.image, task.config, base=task.image)


def test_boards_without_flash_to_write_say_so() -> None:
    task = task_of("sifive_e", 1)
    with begun("sifive_e", task) as (_, _, session):
        with pytest.raises(RequestError) as caught:
            session.save()
    assert caught.value.status == "E_UNSUPPORTED"


# --- power cuts ---


def restored(device: Device, task: Task, twin: Trainer) -> tuple[bytes, bytes] | None:
    """Image and state that RESTORE brings back; None when there are none."""
    try:
        device.session.channel.request(Message.RESTORE)
    except RequestError as error:
        assert error.status == "E_NO_MODEL"
        return None
    return (
        device.session.read(const("BP_OBJ_IMAGE"), 0, 0, len(task.image)),
        device.session.read(const("BP_OBJ_TRAIN_STATE"), 0, 0, twin.plan.state_bytes),
    )


def saved_without_reset(device: Device) -> bool:
    try:
        device.session.channel.request(Message.SAVE)
    except SessionLost:
        return False
    return True


def test_a_reset_at_every_write_leaves_the_old_or_the_new() -> None:
    """With the microbit's own flash controller. Three saves, each tried with a reset before its
    first, second, ... flash operation until it goes through: so each slot is written while the
    other one holds the last save, and the first slot also while it holds the one before."""
    task = classification((4, 3, 2), 60, window=0)
    twin = Trainer(task.image, task.config)
    old: tuple[bytes, bytes] | None = None
    resets = []
    with begun("microbit", task, checkpoint_every=5, BP_APP_TEST_FAULTS="1") as (
        _,
        device,
        session,
    ):
        for _ in range(3):
            cut, saved = 0, False
            while not saved:
                cut += 1
                sample = task.samples[cut % len(task.samples)]
                list(session.train([sample]))
                twin_results(twin, [sample])
                new = (twin.image, twin.state)
                cut_at = struct.pack("<BI", const("BP_TEST_CUT"), cut)
                device.session.channel.request(Message.TEST_FAULT, cut_at)
                saved = saved_without_reset(device)
                device.session.restore()
                found = restored(device, task, twin)
                assert found == (new if saved else old), f"reset before flash operation {cut}"
                session._epoch = -1  # the session goes on from its own checkpoint
            old = new
            resets.append(cut - 1)
    page, words = 1024, (40 + len(task.image) + 3) // 4 + (twin.plan.state_bytes + 3) // 4
    assert resets == 3 * [words + -(-4 * words // page)]
