"""An interrupt ends the command at once, at any moment, with all that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from byteprop_host.firmware import subprocesses as invoke
from byteprop_host.firmware.subprocesses import CommandFailed, in_parallel, run_tool
from cli_process import COMMAND, PATIENCE, children, is_alive, wait_until_dead

FASHION = Path(__file__).parents[1] / "data/models/fashion_mlp_perchannel.tflite"
SLOW = 3.0  # seconds: 0.05 where nothing else runs, more on a busy computer


@contextmanager
def command(*args: str | Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ends_at_once(process: subprocess.Popen[str]) -> None:
    """Interrupts, and asks for one line and the code of an interrupt."""
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=PATIENCE)[1]
    assert time.monotonic() - began < SLOW
    assert process.returncode == 130, errors
    assert errors.startswith("byteprop: error: interrupted") and errors.count("\n") == 1


INTERRUPT_AT_IMPORT = """
import os, signal, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["MODULE"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Watch())
"""


@pytest.mark.parametrize(
    "module", ["byteprop_host.cli", "numpy", "byteprop_host.commands.train", "byteprop_host.verify"]
)
def test_during_start(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT_AT_IMPORT)
    with command("verify", FASHION, "--no-report", PYTHONPATH=str(tmp_path), MODULE=module) as p:
        errors = p.communicate(timeout=PATIENCE)[1]
    assert p.returncode == 130
    assert errors == "byteprop: error: interrupted\n"


def test_during_a_build(tmp_path: Path) -> None:
    """A compiler that never ends, with a child as gcc has one."""
    compiler = tmp_path / "arm-none-eabi-gcc"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && exit\nsleep 60\n')
    compiler.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with command(
        "build", "--board", "microbit", PATH=path, XDG_CACHE_HOME=str(tmp_path / "cache")
    ) as p:
        started = wait_for(lambda: [c for c in children(p.pid) if children(c)])
        sleeping = [grandchild for child in started for grandchild in children(child)]
        ends_at_once(p)
    assert sleeping
    assert all(map(wait_until_dead, [*started, *sleeping]))


def test_during_a_run_on_a_board(tmp_path: Path) -> None:
    with command("verify", FASHION, "--samples", "100000", "--no-report") as p:
        boards = wait_for(lambda: [c for c in children(p.pid) if is_board(c)])
        ends_at_once(p)
    assert all(map(wait_until_dead, boards))


def is_board(pid: int) -> bool:
    try:
        return b"byteprop-device" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False


def wait_for(found: Callable[[], list[int]]) -> list[int]:
    deadline = time.monotonic() + PATIENCE
    while not (now := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return now


def test_jobs_in_parallel_give_their_results_in_order() -> None:
    told: list[int] = []
    assert in_parallel([lambda i=i: i * i for i in range(9)], told.append) == [  # type: ignore[misc]
        i * i for i in range(9)
    ]
    assert told == list(range(1, 10))


def test_the_first_error_ends_the_other_tools(tmp_path: Path) -> None:
    """One tool fails while others sleep; those that wait are never started."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    started = tmp_path / "started"

    def fail() -> None:
        run_tool(
            sys.executable, ["-c", "import sys, time; time.sleep(0.3); sys.exit('no')"], tmp_path
        )

    def late() -> None:
        started.touch()

    cpus = os.cpu_count() or 1
    began = time.monotonic()
    jobs = [fail, *(lambda: run_tool(sleep, ["1000"], tmp_path) for _ in range(2 * cpus)), late]
    with pytest.raises(CommandFailed, match="no\nthe command was"):
        in_parallel(jobs, lambda done: None)
    assert time.monotonic() - began < PATIENCE
    assert not started.exists()
    assert invoke._running == {}
    assert not any(
        "1000" in Path(f"/proc/{c}/cmdline").read_text()
        for c in children(os.getpid())
        if is_alive(c)
    )
