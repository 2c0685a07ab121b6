"""A model that is fed row by row over the line: every row counts once, also over a bad line and
when the board is reset in the middle of an image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fed_network import ROW, fed_graph, frames, whole_graph

from byteprop import Model, image
from byteprop.engine._raw import const
from byteprop.errors import ArgumentError
from byteprop_host.boards.board import load_board
from byteprop_host.errors import RequestError
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Device
from byteprop_host.link.inference import INPUTS, TENSOR
from byteprop_host.verify.compare import first_different_layer
from faulty_line import FaultyLine

N = 40
IMAGE = image.encode(fed_graph(), names=False)
FRAMES = [frame.tobytes() for frame in frames(N)]
EXPECTED = [y.tobytes() for y in Model(whole_graph()).run(frames(N))]


@pytest.fixture(scope="module")
def board() -> Iterator[RunningBoard]:
    host = load_board("host")
    with start(host, build(host, None)) as running:
        yield running


def feed(device: Device, frame: bytes, size: int) -> bytes:
    """The answer to a frame that comes in parts of this size."""
    for at in range(0, len(frame), size):
        answer = device.feed(frame[at : at + size])
        assert (answer is None) == (at + size < len(frame))
    assert answer is not None
    return answer.output


def test_images_over_a_bad_line_with_resets(board: RunningBoard) -> None:
    line = FaultyLine(
        board.port, rate=1 / 1500, seed=3, reset=board.reset, reset_at=(6000, 14_000, 23_000)
    )
    with line, Device.open(line.port) as device:
        device.load_image(IMAGE)
        assert [feed(device, x, ROW) for x in FRAMES[: N // 2]] == EXPECTED[: N // 2]
        answers = device.infer_stream(FRAMES[N // 2 :])
        assert [answer.output for answer in answers] == EXPECTED[N // 2 :]
        assert device.sessions_lost >= line.resets >= 2


def test_a_reset_in_the_middle_of_an_image(board: RunningBoard) -> None:
    with Device.open(board.port) as device:
        device.load_image(IMAGE)
        for size in (1, 50, 3 * ROW):
            half = len(FRAMES[0]) // 2
            assert device.feed(FRAMES[0][:half]) is None
            board.reset()
            assert feed(device, FRAMES[0][half:], size * 10) == EXPECTED[0]


def test_other_inferences_in_between(board: RunningBoard) -> None:
    with Device.open(board.port) as device:
        device.load_image(IMAGE)
        for interruption in (
            lambda: device.infer(FRAMES[1]),
            lambda: device.profile(FRAMES[1]),
            lambda: device.infer_upto(FRAMES[1], 4),
        ):
            assert device.feed(FRAMES[0][:100]) is None
            interruption()
            assert feed(device, FRAMES[0][100:], 90) == EXPECTED[0]
        device.feed(FRAMES[2][:100])
        device.load_image(IMAGE)
        assert feed(device, FRAMES[0], 64) == EXPECTED[0]
        device.feed(FRAMES[0][:700])
        with pytest.raises(ArgumentError, match="at most 20 bytes, which are left of this sample"):
            device.feed(bytes(21))


def test_what_the_board_refuses(board: RunningBoard) -> None:
    """Rows out of order, an inference without all of them, and images that are never whole."""
    with Device.open(board.port) as device:
        device.load_image(IMAGE)
        session = device.session

        def write(offset: int, data: bytes) -> None:
            session.finish_write(session.submit_write(INPUTS, data, offset=offset))

        def refused(status: str) -> pytest.RaisesContext[RequestError]:
            return pytest.raises(RequestError, match=status)

        with refused("E_STATE"):
            write(ROW, bytes(ROW))
        write(0, bytes(ROW))
        with refused("E_STATE"):
            write(2 * ROW, bytes(ROW))
        with refused("E_STATE"):
            write(ROW - 1, bytes(ROW))
        with refused("E_RANGE"):
            write(len(FRAMES[0]) - 4, bytes(5))
        for message in ("BP_MSG_INFER", "BP_MSG_PROFILE"):
            payload = b"\xff\xff" if message == "BP_MSG_INFER" else b"\0\0"
            with refused("E_STATE"):
                session.request(const(message), payload)
        write(0, FRAMES[0])
        session.request(const("BP_MSG_INFER"), b"\xff\xff")
        with refused("E_STATE"):  # the input is used up
            session.request(const("BP_MSG_INFER"), b"\xff\xff")
        for obj in (INPUTS, TENSOR):
            with refused("E_KIND"):
                session.read(obj, 0, 0, 4)
        with refused("E_KIND"):
            session.finish_write(session.submit_write(TENSOR, bytes(4)))
        with refused("E_KIND"):
            session.request(const("BP_MSG_TRAIN_BEGIN"), bytes(8) + b"\1" + bytes(11))
        assert device.infer(FRAMES[3]).output == EXPECTED[3]
        tail = device.profile(FRAMES[3])
        assert len(tail) == len(whole_graph().ops)


def test_the_layer_that_differs_is_found_behind_the_rows(board: RunningBoard) -> None:
    """Images that are never whole are left out; the next layer stands for them."""
    from byteprop_host.data.samples import choose

    fed = fed_graph()
    samples = choose(fed, data=None, n=4, labels=None, reading=None)
    hidden = {t for t, tensor in enumerate(fed.tensors) if tensor.rows}
    with Device.open(board.port) as device:
        device.load_image(IMAGE)
        assert hidden and first_different_layer(device, fed, samples, 3, hidden) is None
