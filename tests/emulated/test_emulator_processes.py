"""No emulator is left behind, however its owner ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial

from byteprop_host.boards.board import load_board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.flash import QemuBoard, start
from emulation import require, strict

OWNER = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
sys.path[:0] = {path!r}
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
board = load_board("mps2-an386")
def work():
    global running
    running = start(board, build(board))
if {thread}:
    t = threading.Thread(target=work); t.start(); t.join()
else:
    work()
print(running.pid, flush=True)
{then}
"""


@pytest.fixture
def firmware() -> Firmware:
    return strict(require(load_board("mps2-an386")))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _await_end(pid: int) -> bool:
    until = time.monotonic() + 10
    while _is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not _is_running(pid)


def test_closing_and_exceptions_end_the_emulator(firmware: Firmware) -> None:
    with start(firmware.board, firmware) as running:
        assert isinstance(running, QemuBoard)
        assert _is_running(running.pid)
    assert not _is_running(running.pid)
    with pytest.raises(KeyboardInterrupt), start(firmware.board, firmware) as other:
        raise KeyboardInterrupt
    assert isinstance(other, QemuBoard)
    assert not _is_running(other.pid)


def test_the_port_breaks_when_the_emulator_dies(firmware: Firmware) -> None:
    with start(firmware.board, firmware) as running:
        assert isinstance(running, QemuBoard)
        with serial.Serial(running.port, timeout=5) as port:
            os.kill(running.pid, signal.SIGKILL)
            with pytest.raises((serial.SerialException, OSError)):
                for _ in range(50):
                    port.write(b"x")
                    port.read(1)
                    time.sleep(0.05)
        with pytest.raises(FlashError, match="exit code -9"):
            running.reset()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds a process")
def test_the_emulator_keeps_to_one_cpu(firmware: Firmware) -> None:
    with start(firmware.board, firmware) as running:
        assert isinstance(running, QemuBoard)
        assert len(os.sched_getaffinity(running.pid)) == 1
        running.reset()
        assert len(os.sched_getaffinity(running.pid)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the death signal is Linux's")
@pytest.mark.parametrize("thread", [False, True])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, None])
def test_the_emulator_does_not_outlive_its_owner(
    firmware: Firmware, end: signal.Signals | None, thread: bool
) -> None:
    then = "time.sleep(60)" if end else "sys.exit(0)"
    script = OWNER.format(path=sys.path, thread=thread, then=then)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        if end is not None:
            assert _is_running(pid)
            owner.send_signal(end)
        owner.wait(20)
    assert _await_end(pid)


def test_an_emulator_that_cannot_start_says_why(firmware: Firmware, tmp_path: Path) -> None:
    from dataclasses import replace

    broken = replace(firmware, elf=tmp_path / "missing.elf")
    with pytest.raises(FlashError, match=r"missing\.elf"):
        start(firmware.board, broken)
