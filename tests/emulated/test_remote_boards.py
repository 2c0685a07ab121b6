"""Boards on other machines: the steps of docs/rig.md, with labgrid and an emulated micro:bit."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import serial
from serial.rfc2217 import PortManager

import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.rig import read_rig
from emulation import MODELS, require

DIGITS = MODELS / "digits_mlp.tflite"
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rig.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def block(file: str) -> str:
    found = re.search(rf"^```\w+ file={re.escape(file)}\n(.*?)^```$", PAGE, re.DOTALL | re.M)
    assert found is not None
    return found[1]


# --- a serial port that is served over the network ---


class _Connection:
    """A socket, as PortManager writes to it."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)


class _Pty(serial.Serial):
    """A pseudo-terminal has no modem lines, which the server reports and sets for its clients."""

    cts = dsr = ri = cd = False

    def _update_rts_state(self) -> None: ...
    def _update_dtr_state(self) -> None: ...


def _serve(port: serial.Serial, connection: socket.socket) -> None:
    """Passes bytes between a port and one client until the client leaves."""
    manager = PortManager(port, _Connection(connection))
    alive = threading.Event()
    alive.set()

    def to_client() -> None:
        while alive.is_set():
            data = port.read(port.in_waiting or 1)
            if data:
                with suppress(OSError):
                    connection.sendall(b"".join(manager.escape(data)))

    thread = threading.Thread(target=to_client)
    thread.start()
    with suppress(OSError):
        while data := connection.recv(1024):
            port.write(b"".join(manager.filter(data)))
    alive.clear()
    thread.join()


@contextmanager
def served(path: str) -> Iterator[int]:
    """The number of the TCP port where a serial port is served by RFC 2217."""
    with (
        _Pty(path, 115_200, timeout=0.05) as port,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        _serve(port, connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def microbit() -> Iterator[int]:
    board = require(load_board("microbit"))
    firmware = build(board, byteprop.load(DIGITS).image)
    with start(board, firmware, timeout=30.0) as running, served(running.port) as number:
        yield number


def test_a_board_behind_a_remote_port(microbit: int, capsys: pytest.CaptureFixture[str]) -> None:
    port = f"rfc2217://127.0.0.1:{microbit}"
    arguments = ["--board", "microbit", "--port", port, "-n", "2", "--no-report", "--json"]
    code = main(["verify", str(DIGITS), *arguments, "--timeout", "30"])
    result = json.loads(capsys.readouterr().out)
    assert code == 0, result
    assert result["comparison"]["samples_identical"] == 2


def test_a_remote_port_that_nothing_serves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--port", "rfc2217://127.0.0.1:1"]) == 2
    assert "rfc2217://127.0.0.1:1 cannot be opened" in capsys.readouterr().err


# --- labgrid ---


@contextmanager
def _daemon(*command: str, folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.log").open("w") as log:
        process = subprocess.Popen(
            [BIN / command[0], *command[1:]], cwd=folder, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _client(folder: Path, *arguments: str) -> str:
    """The output of labgrid-client, which is tried until the daemons answer."""
    deadline = time.monotonic() + 60.0
    while True:
        done = subprocess.run(
            [BIN / "labgrid-client", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode == 0 or time.monotonic() > deadline:
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout
        time.sleep(0.5)


def test_the_steps_with_labgrid(
    microbit: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if importlib.util.find_spec("labgrid") is None:
        pytest.skip("labgrid is not installed: pip install labgrid")
    for file in ("labgrid.yaml", "make_rig.py"):
        (tmp_path / file).write_text(block(file), encoding="utf-8")
    exporter = block("exporter.yaml")
    assert "port: 4001" in exporter
    (tmp_path / "exporter.yaml").write_text(exporter.replace("4001", str(microbit)))
    at = f"127.0.0.1:{_free_port()}"
    monkeypatch.setenv("LG_COORDINATOR", at)
    monkeypatch.chdir(tmp_path)
    with (
        _daemon("labgrid-coordinator", "-l", at, folder=tmp_path),
        _daemon("labgrid-exporter", "-c", at, "-n", "desk", "exporter.yaml", folder=tmp_path),
    ):
        while "desk/desk-microbit/NetworkSerialPort" not in _client(tmp_path, "resources"):
            time.sleep(0.2)
        for line in re.findall(r"^labgrid-client (.*)$", PAGE, re.M):
            _client(tmp_path, *line.split())
        made = subprocess.run(
            [sys.executable, "make_rig.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert made.returncode == 0, made.stderr
        (tmp_path / "rig.toml").write_text(made.stdout, encoding="utf-8")
        (entry,) = read_rig(tmp_path / "rig.toml").boards
        assert entry.target.port == f"rfc2217://localhost:{microbit}"
        arguments = ["--rig", "rig.toml", "-n", "2", "--no-report", "--json", "--timeout", "30"]
        code = main(["verify", str(DIGITS), *arguments])
        result = json.loads(capsys.readouterr().out)
    assert code == 0, result
    assert [row["outcome"] for row in result["boards"]] == ["identical"]


def test_the_rig_of_the_page_is_read(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text(block("rig.toml"), encoding="utf-8")
    rig = read_rig(tmp_path / "rig.toml")
    assert [b.name for b in rig.boards] == ["left", "right", "stm32f4-discovery", "microbit"]
