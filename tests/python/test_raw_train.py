"""The checked way into training: what it refuses, and going on from a state."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import image
from byteprop.engine import _raw_train
from byteprop.engine._raw_train import Config, Trainer
from byteprop.errors import ArgumentError, BytepropError, TrainingError
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Dense, Softmax

N_IN, N_OUT = 5, 3
RATE = 200_000


def network() -> bytes:
    random = np.random.default_rng(3)
    sizes = ((N_IN, 6, Activation.RELU), (6, N_OUT, Activation.NONE))
    ops = [
        Dense(
            *(k, k + 1, random.integers(-60, 61, (b, a)).astype(np.int8), np.zeros(b, np.int32)),
            *(np.array([2**-6], np.float32), activation),
        )
        for k, (a, b, activation) in enumerate(sizes)
    ]
    tensors = (
        Tensor("x", (1, N_IN), DType.INT8, np.float32(2**-6), -128),
        Tensor("h", (1, 6), DType.INT8, np.float32(2**-5), -128),
        Tensor("z", (1, N_OUT), DType.INT8, np.float32(2**-3), 0),
        Tensor("p", (1, N_OUT), DType.INT8, np.float32(2**-8), -128),
    )
    return image.encode(Graph(tensors, (*ops, Softmax(2, 3)), (0,), (3,)))


IMAGE = network()
X = np.random.default_rng(4).integers(0, 256, (40, N_IN), np.uint8)
Y = (np.arange(40) % N_OUT).astype(np.uint16)


def learn(trainer: Trainer, first: int, end: int) -> None:
    order = np.arange(first, end, dtype=np.uint32)
    trainer.run(X, Y, order=order, lr_q24=np.full(len(order), RATE, np.uint32))


CONFIGS = (
    Config(seed=1),
    Config(seed=1, batch=4, window=2),
    Config(seed=1, momentum_shift=3, nearest=True),
    Config(seed=1, residual=False, frozen=1),
)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("stop", [0, 1, 7, 21, 40])
def test_going_on_from_a_state_gives_the_same_bits(config: Config, stop: int) -> None:
    whole, first = Trainer(IMAGE, config), Trainer(IMAGE, config)
    learn(whole, 0, 40)
    learn(first, 0, stop)
    second = Trainer(first.image, config, state=first.state)
    learn(second, stop, 40)
    assert second.image == whole.image
    assert second.state == whole.state
    assert second.counters == whole.counters
    assert whole.counters.samples == 40


def test_evaluation_changes_nothing() -> None:
    trainer = Trainer(IMAGE, CONFIGS[1])
    learn(trainer, 0, 6)
    before = trainer.image, trainer.state
    assert trainer.run(X, Y)["loss"].min() > 0
    assert (trainer.image, trainer.state) == before


def test_learning_lowers_the_loss() -> None:
    trainer = Trainer(IMAGE, CONFIGS[0])
    before = int(trainer.run(X[:6], Y[:6])["loss"].sum())
    for _ in range(60):
        learn(trainer, 0, 6)
    assert int(trainer.run(X[:6], Y[:6])["loss"].sum()) < before / 2


def test_a_label_out_of_range_is_refused() -> None:
    with pytest.raises(TrainingError, match="E_ARG"):
        Trainer(IMAGE, CONFIGS[0]).run(X[:1], np.array([N_OUT], np.uint16))


def test_arguments_of_the_wrong_shape_are_refused() -> None:
    trainer = Trainer(IMAGE, CONFIGS[0])
    with pytest.raises(ArgumentError, match="x: "):
        trainer.run(X[:, 1:], Y)
    with pytest.raises(ArgumentError, match="order"):
        trainer.run(X, Y, order=np.array([40], np.uint32))
    with pytest.raises(ArgumentError, match="state: "):
        Trainer(IMAGE, CONFIGS[0], state=trainer.state[:-4])


def test_a_state_out_of_bounds_is_refused() -> None:
    trainer = Trainer(IMAGE, CONFIGS[1])
    state = bytearray(trainer.state)
    struct.pack_into("<I", state, 28, 4)  # samples in the batch: as many as a batch has
    with pytest.raises(TrainingError, match="E_ARG"):
        Trainer(IMAGE, CONFIGS[1], state=bytes(state))


@pytest.mark.parametrize("config", [replace(CONFIGS[0], batch=0), replace(CONFIGS[0], window=-1)])
def test_settings_out_of_range_are_refused(config: Config) -> None:
    with pytest.raises(ArgumentError):
        _raw_train.plan(IMAGE, config)


def changed(places: list[tuple[int, int]]) -> bytes:
    data = bytearray(IMAGE)
    for place, value in places:
        data[16 + place % (len(data) - 16)] = value
    struct.pack_into("<I", data, 12, zlib.crc32(data[16:]))
    return bytes(data)


@given(
    st.lists(st.tuples(st.integers(0, len(IMAGE)), st.integers(0, 255)), min_size=1, max_size=4),
    st.sampled_from(CONFIGS),
)
@settings(max_examples=400, deadline=None)
def test_a_changed_image_is_refused_or_stays_a_model(
    places: list[tuple[int, int]], config: Config
) -> None:
    try:
        trainer = Trainer(changed(places), config)
    except BytepropError:
        return
    if trainer.input_bytes == N_IN and trainer.outputs == N_OUT:
        learn(trainer, 0, 12)
        trainer.flush()
    assert Trainer(trainer.image, config).plan == trainer.plan


@given(st.binary(min_size=1, max_size=64), st.integers(0, 2000), st.sampled_from(CONFIGS))
@settings(max_examples=300, deadline=None)
def test_any_state_is_refused_or_gone_on_with(noise: bytes, place: int, config: Config) -> None:
    trainer = Trainer(IMAGE, config)
    learn(trainer, 0, 9)
    state = bytearray(trainer.state)
    for k, byte in enumerate(noise):
        state[(place + k) % len(state)] = byte
    try:
        resumed = Trainer(trainer.image, config, state=bytes(state))
    except TrainingError:
        return
    learn(resumed, 9, 20)
    resumed.flush()
    assert resumed.counters.samples == (struct.unpack_from("<I", state, 4)[0] + 11) % (1 << 32)
