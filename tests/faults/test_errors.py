"""Every way a line can go wrong ends in an error that says which it was."""

from __future__ import annotations

import errno
import os
import pty
import resource
import socket
import struct
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from byteprop.engine._raw import const
from byteprop_host.boards.board import load_board
from byteprop_host.errors import LinkError, PortError
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Decoder, Device, Frame, Message, encode_frame, open_transport
from byteprop_host.link import transport as transport_module
from faulty_line import FaultyLine

ANSWER = const("BP_MSG_ANSWER")


@contextmanager
def host_board() -> Iterator[RunningBoard]:
    board = load_board("host")
    with start(board, build(board)) as running:
        yield running


@contextmanager
def impostor(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Something on a port that is no board: answers what it is sent in its own way."""
    master, slave = pty.openpty()
    tty.setraw(slave)

    def run() -> None:
        while True:
            try:
                os.write(master, answer(os.read(master, 4096)))
            except OSError:
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield os.ttyname(slave)
    os.close(slave)
    thread.join(5.0)
    os.close(master)


def hello_error(answer: Callable[[bytes], bytes], **options: str) -> str:
    with impostor(answer) as port, pytest.raises(LinkError) as caught:
        Device.open(port, timeout=0.4, **options)
    return str(caught.value)


def hello_answer(sent: bytes, *, version: int = 1, session: int | None = None) -> bytes:
    """Answers every HELLO among the bytes, as a board named board-b would."""
    out = b""
    for frame in Decoder().feed(sent):
        if frame.type == Message.HELLO:
            own = struct.unpack_from("<I", frame.payload, 1)[0]
            fields = (0, version, own if session is None else session, 7, 256, 512, 4, 0)
            payload = struct.pack("<BBIQHHBBIIIIIIH", *fields, 0, 1, 2, 3, 4, 5, 64)
            payload += b"\1\x1eboard-b\0cpu-b\0"
            out += encode_frame(Frame(Message.HELLO | ANSWER, ack=1, aux=4, payload=payload))
    return out


def test_port_that_does_not_exist() -> None:
    with pytest.raises(PortError, match="does not exist.*byteprop boards.*ENOENT"):
        Device.open("/dev/no-such-port")


def test_port_that_may_not_be_opened() -> None:
    """Without playing another user: the error that the system gives."""
    error = transport_module._port_error("/dev/ttyX", OSError(errno.EACCES, "Permission denied"))
    assert "may not be opened by this user" in str(error)
    assert "EACCES" in str(error)


def test_port_that_is_in_use() -> None:
    with host_board() as running, Device.open(running.port):
        with pytest.raises(PortError, match="in use by another program"):
            Device.open(running.port)


def test_socket_that_nobody_serves() -> None:
    with pytest.raises(PortError, match="nothing listens at socket:"):
        Device.open("socket://127.0.0.1:9")


def test_silent_port() -> None:
    assert "nothing was received" in hello_error(lambda sent: b"")


def test_wrong_baud_rate_shows_the_last_bytes() -> None:
    text = hello_error(lambda sent: b"\xf8\x00\x80\xfc\x1e\x9c")
    assert "baud rate" in text and "115200" in text
    assert "f8 00 80 fc 1e 9c |......" in text


def test_another_program_on_the_port() -> None:
    text = hello_error(lambda sent: b"MicroPython v1.22\r\n>>> ")
    assert "text of another program" in text
    assert "MicroPython v1.22" in text


def test_other_protocol_version() -> None:
    text = hello_error(lambda sent: hello_answer(sent, version=9))
    assert "protocol version 9, this byteprop version 1" in text


def test_other_board() -> None:
    text = hello_error(hello_answer, board="microbit")
    assert "is a board-b (cpu-b), not a microbit" in text


def test_answer_of_another_session_is_not_taken() -> None:
    text = hello_error(lambda sent: hello_answer(sent, session=12345))
    assert "none answers HELLO; the last: HELLO answer" in text


def test_boot_text_before_the_answer_is_skipped() -> None:
    with impostor(lambda sent: b"booting...\r\n\xff\x00" + hello_answer(sent)) as port:
        with Device.open(port, timeout=2.0) as device:
            assert device.info.board == "board-b"
            assert device.info.build_id == 7
            assert device.info.slot_bytes == 64


def test_board_that_falls_silent() -> None:
    with impostor(hello_answer) as port, Device.open(port, timeout=0.4) as device:
        with pytest.raises(LinkError, match="stopped answering 0.4 s ago; unanswered: ECHO"):
            device.echo(b"hello")


def test_board_that_resets_again_and_again() -> None:
    def answer(sent: bytes) -> bytes:
        lost = encode_frame(Frame(Message.NO_SESSION))
        frames = Decoder().feed(sent)
        return hello_answer(sent) + lost * any(f.type != Message.HELLO for f in frames)

    with impostor(answer) as port, Device.open(port, timeout=2.0) as device:
        with pytest.raises(LinkError, match="20 sessions were lost in a row"):
            device.echo(b"hello")


def test_a_reset_before_the_board_has_begun_does_no_harm() -> None:
    board = load_board("host")
    firmware = build(board)
    for _ in range(10):
        with start(board, firmware) as running:
            running.reset()
            with Device.open(running.port) as device:
                assert device.echo(b"there") == b"there"
                running.reset()
                assert device.echo(b"again") == b"again"
                assert device.sessions_lost == 1


@pytest.fixture
def many_files() -> Iterator[None]:
    """So many open files that the next one's number is beyond what select() takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"a process may have {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    with ExitStack() as files:
        for _ in range(1100):
            files.enter_context(Path(os.devnull).open())
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_with_many_open_files(many_files: None) -> None:
    with host_board() as running, Device.open(running.port) as device:
        long = bytes(range(256)) * 8
        assert [device.echo(long) for _ in range(20)] == 20 * [long]


def test_a_socket_of_a_program_with_many_open_files(many_files: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def board() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(hello_answer(connection.recv(4096)))
                connection.recv(4096)

        thread = threading.Thread(target=board, daemon=True)
        thread.start()
        with Device.open(f"socket://127.0.0.1:{server.getsockname()[1]}") as device:
            assert device.info.board == "board-b"
        thread.join(5.0)


def test_a_board_that_takes_no_bytes() -> None:
    """A line whose buffers are full ends the wait after the time-out."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with pytest.raises(LinkError, match="accepted no byte for 0.2 s; reset the board"):
        transport = open_transport(os.ttyname(slave), baud=115_200, timeout=0.2)
        for _ in range(100):
            transport.write(bytes(60_000))
    transport.close()
    os.close(master)
    os.close(slave)


def test_cable_pulled_out_in_the_middle() -> None:
    running = load_board("host")
    with start(running, build(running)) as target:
        device = Device.open(target.port)
        assert device.echo(b"there") == b"there"
        target.close()
        with pytest.raises(LinkError, match="was disconnected"):
            for _ in range(3):
                device.echo(b"gone")
        device.close()


def test_garbage_between_answers_is_ignored() -> None:
    with host_board() as running, FaultyLine(running.port) as line:
        with Device.open(line.port) as device:
            for i in range(20):
                line.send_to_host(bytes(range(1, 200)) + b"\0half a frame")
                line.send_to_board(b"\1\2\3" * i)
                assert device.echo(bytes([i]) * 50) == bytes([i]) * 50
            assert device.stats().bad_frames > 0
