"""A board behind a port server on another computer: rfc2217://host:port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("serial")
import serial
import serial.rfc2217

import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.errors import PortError
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.link import Device

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"


class _Line:
    """The client's end, as pyserial's port manager writes to it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


def _serve(server: socket.socket, port: str, stop: threading.Event) -> None:
    """One client: bytes between it and the port, escaped as RFC 2217 has them. A pseudo-terminal
    has no modem lines, so settings go to a loop of pyserial's."""
    connection, _ = server.accept()
    settings = serial.serial_for_url("loop://")
    with connection, serial.Serial(port, timeout=0) as line:
        manager = serial.rfc2217.PortManager(settings, _Line(connection))
        while not stop.is_set():
            ready, _, _ = select.select([connection, line.fileno()], [], [], 0.05)
            if connection in ready:
                data = connection.recv(4096)
                if not data:
                    return
                os.write(line.fileno(), b"".join(manager.filter(data)))
            if line.fileno() in ready:
                connection.sendall(b"".join(manager.escape(os.read(line.fileno(), 4096))))


@contextlib.contextmanager
def port_server(port: str) -> Iterator[str]:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, port, stop), daemon=True)
        thread.start()
        yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join(5)


def test_a_board_behind_a_port_server_gives_the_same_bits() -> None:
    board = load_board("host")
    model = byteprop.load(MODELS / "digits_mlp.tflite")
    x = np.random.default_rng(1).integers(-128, 128, (3, 64), dtype=np.int8)
    with (
        start(board, build(board)) as running,
        port_server(running.port) as url,
        Device.open(url, timeout=20) as device,
    ):
        device.load_image(model.image)
        answers = [device.infer(row.tobytes()).output for row in x]
    assert b"".join(answers) == model.run(x).tobytes()


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(PortError, match=r"port rfc2217://127.0.0.1:9 cannot be opened"):
        Device.open("rfc2217://127.0.0.1:9")
