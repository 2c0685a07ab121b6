"""A model across the boundary of the first 64 KB of flash, where pointers of 16 bits end."""

from __future__ import annotations

import numpy as np
import pytest

import byteprop
from byteprop.engine._raw import Engine
from byteprop.image import without_names
from byteprop_host.boards.board import load_board
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import check_memory
from emulation import FLASH, opened, require, strict

N_IN = 784


def network(hidden: int) -> bytes:
    net = byteprop.Sequential(
        [byteprop.Dense(hidden, "relu"), byteprop.Dense(10, "softmax")], input_shape=(N_IN,)
    )
    rng = np.random.default_rng(hidden)
    net.calibrate(rng.random((20, N_IN)).astype(np.float32), rng.integers(0, 10, 20))
    return without_names(net.image)


def samples(n: int) -> list[bytes]:
    rng = np.random.default_rng(n)
    extremes = [np.full(N_IN, v, np.int8) for v in (-128, 127)]
    return [x.tobytes() for x in (*extremes, *rng.integers(-128, 128, (n, N_IN), np.int8))]


def expected(engine: Engine, sample: bytes) -> bytes:
    return engine.run(np.frombuffer(sample, np.uint8)[np.newaxis]).tobytes()


def test_a_model_across_64_kb_gives_the_bytes_of_this_computer() -> None:
    board = require(load_board("arduino-mega"))
    image = network(60)
    firmware = strict(board, image)
    assert firmware.program_flash_bytes < 0x10000 < firmware.flash_bytes
    engine = Engine(image)
    inputs = samples(6)
    with opened(board, firmware) as (_, device):
        device.select(FLASH)
        assert [device.infer(x).output for x in inputs] == [expected(engine, x) for x in inputs]


def test_a_model_that_pointers_do_not_reach_is_refused() -> None:
    board = load_board("arduino-mega")
    image = network(90)
    assert 0x10000 < len(image) < board.memory.flash_bytes - board.memory.firmware_flash_bytes
    with pytest.raises(DoesNotFitError, match="a model of at most 65,536 bytes, .* got 7"):
        check_memory(board, image)
    with pytest.raises(DoesNotFitError):
        build(board, image)
