"""A lossy line and resets in the middle give the same final answers as a clean line."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop.engine._raw import Engine, const
from byteprop_host.boards.board import Board, load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Device, Message
from faulty_line import FaultyLine

MODELS = Path(__file__).parents[1] / "data/models"
RATE = 1 / 1000


@pytest.fixture(scope="module")
def digits() -> byteprop.Model:
    return byteprop.load(MODELS / "digits_mlp.tflite")


def needed_tools(board: Board) -> tuple[str, ...]:
    compiler = "cc" if board.build.toolchain == "native" else f"{board.build.toolchain}-gcc"
    return (compiler, board.emulator.program) if board.emulator else (compiler,)


@contextmanager
def running(name: str, image: bytes) -> Iterator[tuple[RunningBoard, bool]]:
    """The board with the digits model: in flash where that is the board's way, else in RAM."""
    board = load_board(name)
    for tool in needed_tools(board):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    bake = name in ("arduino-uno", "microbit")
    with start(board, build(board, image if bake else None)) as running_board:
        yield running_board, bake


def use_model(device: Device, image: bytes, bake: bool) -> None:
    if bake:
        device.select(const("BP_SOURCE_FLASH"))
    else:
        device.load_image(image)


def samples(n: int, size: int, seed: int) -> list[bytes]:
    values = np.random.default_rng(seed).integers(0, 256, (n, size), dtype=np.uint8)
    return [row.tobytes() for row in values]


def wanted(image: bytes, inputs: list[bytes]) -> list[bytes]:
    x = np.frombuffer(b"".join(inputs), np.uint8).reshape(len(inputs), -1)
    return [row.tobytes() for row in Engine(image).run(x)]


def streamed(device: Device, inputs: list[bytes]) -> list[bytes | None]:
    return [answer.output for answer in device.infer_stream(inputs)]


@pytest.mark.parametrize("board", ["host", "mps2-an386", "arduino-uno"])
def test_clean_line_repeats_nothing_wrongly(board: str, digits: byteprop.Model) -> None:
    inputs = samples(60, 64, 1)
    with running(board, digits.image) as (target, bake):
        with Device.open(target.port) as device:
            use_model(device, digits.image, bake)
            assert streamed(device, inputs) == wanted(digits.image, inputs)
            assert device.stats().bad_frames == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("board", ["host", "mps2-an386", "arduino-uno"])
def test_lossy_line_gives_the_same_answers(board: str, seed: int, digits: byteprop.Model) -> None:
    inputs = samples(150, 64, seed)
    with running(board, digits.image) as (target, bake):
        with FaultyLine(target.port, rate=RATE, seed=seed) as line:
            with Device.open(line.port, timeout=20.0) as device:
                use_model(device, digits.image, bake)
                assert streamed(device, inputs) == wanted(digits.image, inputs)
                assert device.retransmissions > 0
            assert sum(line.to_board.done.values()) > 0


@pytest.mark.parametrize("rate", [0.0, RATE])
@pytest.mark.parametrize("board", ["host", "mps2-an386", "arduino-uno"])
def test_resets_in_the_middle_give_the_same_answers(
    board: str, rate: float, digits: byteprop.Model
) -> None:
    inputs = samples(150, 64, 7)
    with running(board, digits.image) as (target, bake):
        line = FaultyLine(
            target.port, rate=rate, seed=5, reset=target.reset, reset_at=(2_000, 6_000, 11_000)
        )
        with line, Device.open(line.port, timeout=20.0) as device:
            use_model(device, digits.image, bake)
            assert streamed(device, inputs) == wanted(digits.image, inputs)
            assert line.resets == 3
            assert device.sessions_lost >= 3


def test_reset_between_requests_is_not_seen(digits: byteprop.Model) -> None:
    """What a tensor holds after infer_upto is there again after a reset."""
    x = samples(1, 64, 3)[0]
    with running("host", digits.image) as (target, _), Device.open(target.port) as device:
        device.load_image(digits.image)
        output = digits.graph.ops[0].output
        n = digits.graph.tensors[output].elems
        device.infer_upto(x, 1)
        before = device.read_tensor(output, n)
        digest = device.digest_tensor(output, n)
        target.reset()
        assert device.read_tensor(output, n) == before
        target.reset()
        assert device.digest_tensor(output, n) == digest
        assert device.sessions_lost == 2


@pytest.mark.parametrize("seed", [11, 12])
def test_upload_and_long_tensors_over_a_lossy_line(seed: int) -> None:
    model = byteprop.load(MODELS / "fashion_mlp_perchannel.tflite")
    inputs = samples(40, 784, seed)
    done: list[int] = []
    with running("host", model.image) as (target, _):
        with FaultyLine(target.port, rate=RATE, seed=seed) as line:
            with Device.open(line.port, timeout=20.0) as device:
                device.load_image(model.image, lambda now, total: done.append(now))
                assert done[-1] == len(model.image)
                assert device.read_image(0, len(model.image)) == model.image
                assert streamed(device, inputs) == wanted(model.image, inputs)


def test_upload_goes_on_after_the_host_has_gone(digits: byteprop.Model) -> None:
    image = digits.image
    with running("host", image) as (target, _):
        with Device.open(target.port) as device:
            channel = device.session.channel
            begin = struct.pack("<II", len(image), struct.unpack_from("<I", image, 12)[0])
            assert channel.request(Message.LOAD_BEGIN, begin) == struct.pack("<I", 0)
            first = channel.request(Message.LOAD_DATA, struct.pack("<I", 0) + image[:1000])
            assert first == struct.pack("<I", 1000)
        seen: list[int] = []
        with Device.open(target.port) as device:
            device.load_image(image, lambda now, total: seen.append(now))
            assert min(seen) > 1000
            x = samples(1, 64, 4)
            assert streamed(device, x) == wanted(image, x)
